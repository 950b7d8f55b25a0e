"""How files of people are read and understood, without a service: forms, columns, values, what hostile files do."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from click import ClickException

from tenantry.user_import import batches, columns, plan, records, run
from tenantry.user_import.person import UnfitError, to_user
from tenantry.user_import.records import Form, Record

HASH = "$2b$05$abcdefghijklmnopqrstuu5s6pwU0DWUmWzZuFAqI6Mxp5nVHSK1G"


def read(path: Path, content: str | bytes) -> list[Record]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with records.opened(path) as file:
        return list(records.records(file, records.recognize(path)))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_of_any_delimiter_with_quoted_lines_knows_where_each_record_begins(tmp_path: Path, delimiter: str) -> None:
    rows = [["Email", "Name"], ["ada@example.com", '"Ada\nLovelace, Countess"'], [], ["bo@example.com", '"Bo; | ,"']]
    found = read(tmp_path / "people.csv", "\ufeff" + "\r\n".join(delimiter.join(row) for row in rows))
    assert [(record.line, record.fields["Email"]) for record in found] == [
        (2, "ada@example.com"),
        (5, "bo@example.com"),
    ]
    assert found[0].fields["Name"] == "Ada\nLovelace, Countess"


def test_uneven_and_oversized_rows_are_wrong_and_spoil_nothing(tmp_path: Path) -> None:
    huge = "x" * 200_000
    found = read(tmp_path / "people.csv", f"email,name\na@x.org\nb@x.org,B,more\nc@x.org,{huge}\nd@x.org,D\n")
    assert [(record.line, bool(record.wrong)) for record in found] == [(2, True), (3, True), (4, True), (5, False)]
    assert found[1].extra == ("more",)


def test_json_lines_that_are_none_are_wrong_and_spoil_nothing(tmp_path: Path) -> None:
    lines = ['{"email": "a@x.org"}', "", "{", "[1]", "[" * 100_000, '{"email": "b@x.org"}']
    found = read(tmp_path / "people.jsonl", "\n".join(lines))
    assert [(record.line, record.wrong) for record in found] == [
        (1, ""),
        (3, "not JSON"),
        (4, "not a JSON object"),
        (5, "not JSON"),
        (6, ""),
    ]


@pytest.mark.parametrize("chunk", [2, 7, 1000])
def test_a_json_array_is_read_element_by_element(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    people = [{"email": f"{n}@x.org", "tags": ["[", "],", {}], "name": "\u00e4\u20ac"} for n in range(5)]
    path = tmp_path / "people.json"
    path.write_text("\n" + json.dumps(people, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    monkeypatch.setattr(records, "CHUNK", chunk)
    with records.opened(path) as file:
        found = list(records.records(file, Form("JSON array")))
    assert [record.fields for record in found] == people
    assert [record.line for record in found] == [3 + 9 * n for n in range(5)]
    assert read(tmp_path / "empty.json", "[ ]") == []


@pytest.mark.parametrize("broken", ["[{}", "[{},", "[{} {}]", "[{},,{}]", "[}", '[{"a": 1]', "[nothing]"])
def test_a_broken_array_is_told_with_its_line(tmp_path: Path, broken: str) -> None:
    with pytest.raises(ClickException, match="broken in the element that begins on line 1"):
        read(tmp_path / "people.json", broken)


def test_an_endless_line_is_not_read_into_memory(tmp_path: Path) -> None:
    with pytest.raises(ClickException, match="line 2 has more than"):
        read(tmp_path / "people.csv", "email\n" + "x" * 3_000_000)
    element = '[{"email": "' + "x" * 3_000_000
    with pytest.raises(ClickException, match="broken in the element that begins on line 1"):
        read(tmp_path / "people.json", element)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("people.xlsx", b"", "none of .csv"),
        ("people.csv", "email\n".encode("utf-16"), "UTF-16"),
        ("people.csv", b"", "without the names of its columns"),
        ("people.csv", b"Email,Email\n", "the column Email twice"),
        ("people.csv", b"a@x.org,Ada\n", "looks like the email"),
        ("people.jsonl", b'{"mailbox": "a@x.org"}', "looks like the email"),
    ],
)
def test_what_is_no_list_of_people_is_refused_at_once(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ClickException, match=what):
        plan.make(tmp_path / name, "", ())


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["E-Mail Address", "Full Name"], {"email": ("E-Mail Address",), "name": ("Full Name",)}),
        (["mail", "last_name", "First Name"], {"email": ("mail",), "name": ("First Name", "last_name")}),
        (["id", "external_id", "email"], {"email": ("email",), "external_id": ("external_id",)}),
        (["email", "confirmed_at", "emailVerified"], {"email": ("email",), "verified": ("emailVerified",)}),
        (["email", "password", "password_digest"], {"email": ("email",), "password_hash": ("password_digest",)}),
        (["email", "metadata"], {"email": ("email",), "public_metadata": ("metadata",)}),
        (["phone"], {}),
    ],
)
def test_columns_are_guessed_from_their_names(names: list[str], expected: dict[str, tuple[str, ...]]) -> None:
    assert columns.guess(names) == expected


def test_map_names_columns_paths_and_nothing() -> None:
    maps = ("email=traits.mail", "display_name=First+Last", "verified=a+b", "external_id=")
    chosen = columns.named(maps, ["traits", "First", "Last", "a+b"])
    assert chosen == {"email": ("traits.mail",), "name": ("First", "Last"), "verified": ("a+b",), "external_id": ()}
    taken = columns.take({"traits": {"mail": "a@x.org"}, "First": "Ada", "Last": None}, chosen)
    assert taken == {"email": "a@x.org", "name": "Ada", "verified": None}


@pytest.mark.parametrize(("text", "what"), [("mail=Mail", "begins with none of"), ("email=Mial", "there is no column")])
def test_a_wrong_map_says_what_there_is(text: str, what: str) -> None:
    with pytest.raises(ClickException, match=what):
        columns.named([text], ["Mail"])


@pytest.mark.parametrize(
    ("value", "is_verified"),
    [
        *(
            (value, True)
            for value in (True, "TRUE", "yes", "1", 1, "2021-02-03 04:05:06.7", "2021-02-03", 1700000000000)
        ),
        *((value, False) for value in (False, None, "", "false", "No", "0", 0, "NULL")),
    ],
)
def test_verified_is_read_from_words_numbers_and_times(value: object, is_verified: bool) -> None:
    assert to_user({"email": "a@x.org", "verified": value}).email_verified == is_verified


def test_values_come_as_they_are_or_as_json() -> None:
    user = to_user(
        {"email": " a@x.org ", "external_id": 7, "password_hash": HASH, "public_metadata": '{"plan": "pro", "n": 1.5}'}
    )
    assert (user.email, user.external_id, user.password_hash) == ("a@x.org", "7", HASH)
    assert dict(user.public_metadata) == {"plan": "pro", "n": 1.5}


def test_all_that_is_wrong_is_told_at_once_and_no_value_of_it() -> None:
    secret = "hunter2-in-plain-text"
    taken: dict[str, Any] = {
        "email": secret, "name": "n" * 101, "external_id": [secret], "verified": secret, "password_hash": secret,
        "public_metadata": f'"{secret}"', "private_metadata": {"a": "x" * 9000},
    }  # fmt: skip
    with pytest.raises(UnfitError) as unfit:
        to_user(taken)
    reasons = dict(part.split(": ", 1) for part in str(unfit.value).split("; ") if ": " in part)
    assert set(taken) <= set(reasons)
    assert secret not in str(unfit.value)


@pytest.mark.parametrize("wrong", [b"\xff\xfe\xfa".decode(errors="surrogateescape"), "\ud800"])
def test_what_is_not_utf_8_is_refused_only_where_it_is_used(wrong: str) -> None:
    with pytest.raises(UnfitError, match="name: not UTF-8"):
        to_user({"email": "a@x.org", "name": wrong})
    assert to_user({"email": "a@x.org", "phone": wrong}).email == "a@x.org"


def test_batches_stay_below_what_a_call_takes(tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl"
    person = {"email": "a@x.org", "public_metadata": {"a": "x" * 8000}}
    path.write_text("".join(json.dumps(person) + "\n" for _ in range(60)) + '{"email": "b@x.org"}\n' * 1001)
    made = plan.make(path, "", ())
    with records.opened(path) as file:
        found = list(batches.batches(made, file, 0))
    assert [batch.count for batch in found] == [24, 24, 1000, 13]
    assert [batch.position for batch in found] == [0, 24, 48, 1048]
    assert all(batch.request("sha").ByteSize() <= 200_000 + 50 for batch in found)
    with records.opened(path) as file:
        again = list(batches.batches(made, file, 24))
    assert [batch.request("sha") for batch in again] == [batch.request("sha") for batch in found[1:]]
    ids = {batch.request(sha).request_id for batch in found for sha in ("one", "other")}
    assert len(ids) == 8


def test_what_a_file_has_twice_is_told_with_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(f"email,id,hash\nada@x.org,1,{HASH}\nbo@x.org,2,\nADA@x.org,3,\ncy@x.org,2,\n")
    told: list[tuple[int, str]] = []
    counts = run.look_at_all(
        plan.make(path, "", ()), lambda _: None, lambda record, why: told.append((record.line, why))
    )
    assert counts == ({"bcrypt": 1, "none": 1}, 2)
    assert told == [(4, "email: the same as on line 2"), (5, "external_id: the same as on line 3")]


def test_a_line_is_never_longer_than_what_is_read_of_it() -> None:
    with pytest.raises(ClickException):
        list(records.lines(io.StringIO("x" * (records.MOST_CHARACTERS + 1))))
    assert list(records.lines(io.StringIO("x" * records.MOST_CHARACTERS)))
