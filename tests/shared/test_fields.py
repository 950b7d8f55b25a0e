"""The readers of request fields: a typed value, or every bad field named at once with its limit."""

from collections.abc import Callable
from uuid import UUID

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.struct_pb2 import Struct

from protos.tenancy.v1.organizations_pb2 import Organization
from shared.errors import ServiceError
from shared.fields import Fields, email_key, reading
from shared.reasons import Reason

ID = "01990e6c-7b2a-7cc0-9d5e-0242ac120002"
LONG = "x" * 300_000


def wrong_with(read: Callable[[Fields], object]) -> dict[str, str]:
    """What is wrong, by path; empty if nothing is."""
    try:
        with reading() as fields:
            read(fields)
    except ServiceError as error:
        return dict(error.fields)
    return {}


def read_a_form(read: Fields) -> None:
    read.uuid("user_id", "secret-value")
    read.slug("slug", "Secret Value")
    read.email("email", "secret-value")
    read.password("password", "secret-value", least=15)
    read.page_size("page_size", -1)
    read.name("display_name", "secret-value" * 50)


def test_all_bad_fields_are_named_at_once_and_none_of_their_values() -> None:
    found = wrong_with(read_a_form)
    assert list(found) == ["user_id", "slug", "email", "password", "page_size", "display_name"]
    fields = Fields()
    read_a_form(fields)
    with pytest.raises(ServiceError, match="at least 15") as caught:
        fields.check()
    assert caught.value.reason is Reason.BAD_REQUEST
    assert "ecret" not in caught.value.message


def test_what_goes_wrong_inside_the_block_is_not_hidden() -> None:
    def divide(read: Fields) -> float:
        read.uuid("user_id", "bad")
        return 1 / 0

    with pytest.raises(ZeroDivisionError):
        wrong_with(divide)


@pytest.mark.parametrize("text", [ID, ID.upper()])
def test_an_id_is_read_in_either_case(text: str) -> None:
    assert Fields().uuid("user_id", text) == UUID(ID)


@pytest.mark.parametrize(
    "text",
    ["", ID[:-1], ID + "0", ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}", ID[:-1] + "g", f" {ID}", f"{ID}\n",
     ID.replace("0", "\u0660"), ID[:-1] + "\0", LONG],
)  # fmt: skip
def test_an_id_has_one_form_only(text: str) -> None:
    assert wrong_with(lambda read: read.uuid("user_id", text)) == {"user_id": "a UUID of 36 characters is needed"}


def test_an_optional_id_may_be_missing_but_not_wrong() -> None:
    assert Fields().optional_uuid("request_id", "") is None
    assert wrong_with(lambda read: read.optional_uuid("request_id", "x")).keys() == {"request_id"}


def test_each_wrong_id_of_a_list_is_named_by_its_place() -> None:
    assert wrong_with(lambda read: read.uuids("user_ids", [ID, "x", ID, ""])).keys() == {"user_ids[1]", "user_ids[3]"}


@pytest.mark.parametrize(("count", "accepted"), [(0, False), (1, True), (1000, True), (1001, False), (5000, False)])
def test_a_batch_holds_one_to_a_thousand(count: int, accepted: bool) -> None:
    found = wrong_with(lambda read: read.uuids("user_ids", [ID] * count))
    assert found == ({} if accepted else {"user_ids": f"{count} items, 1 to 1,000 are allowed"})


@pytest.mark.parametrize("slug", ["abc", "a-b", "0a9", "a" * 40, "acme-2-api"])
def test_slugs_that_are_accepted(slug: str) -> None:
    assert wrong_with(lambda read: read.slug("slug", slug)) == {}


def test_a_slug_is_lower_cased() -> None:
    assert Fields().slug("slug", "Acme-2") == "acme-2"


@pytest.mark.parametrize(
    "slug",
    [
        "",
        "ab",
        "a" * 41,
        "-abc",
        "abc-",
        "a--b",
        "A-",
        "\u212aelvin",
        "a_b",
        "a b",
        "äbc",
        "abc\n",
        "a\0bc",
        "١٢٣",
        "../etc",
        LONG,
    ],
)
def test_slugs_that_are_refused(slug: str) -> None:
    assert wrong_with(lambda read: read.slug("slug", slug)).keys() == {"slug"}


@pytest.mark.parametrize(
    ("written", "read"),
    [("", ""), ("  Ada  ", "Ada"), ("Zoe\u0308", "Zo\u00eb"),
     ("👩‍🚀 Ada", "👩‍🚀 Ada"), ("'; DROP TABLE users; --",) * 2,
     ("x" * 100,) * 2, ("مرحبا",) * 2],
)  # fmt: skip
def test_names_are_kept_as_people_write_them(written: str, read: str) -> None:
    with reading() as fields:
        assert fields.name("display_name", written) == read


@pytest.mark.parametrize(
    "name", ["x" * 101, LONG, "a\0b", "a\nb", "a\x1b[2Jb", "a\u202eb", "a\u2066b", "a\x7fb", "a\ud800b", "a\uffffb"]
)
def test_names_that_could_break_a_screen_or_a_row_are_refused(name: str) -> None:
    assert wrong_with(lambda read: read.name("display_name", name)).keys() == {"display_name"}


def test_a_name_that_is_needed_may_not_be_blank() -> None:
    assert wrong_with(lambda read: read.name("display_name", "  ", least=1)).keys() == {"display_name"}


def test_an_address_is_kept_as_written_but_compared_without_case() -> None:
    with reading() as read:
        email = read.email("email", "Ada.Lovelace@EXAMPLE.com")
    assert email == "Ada.Lovelace@example.com"
    assert email_key(email) == email_key("ADA.lovelace@example.COM") == "ada.lovelace@example.com"
    assert email_key("straße@example.com") != email_key("strasse@example.com")


@pytest.mark.parametrize(
    "email",
    ["", "ada", "ada@", "@example.com", "ada@example", "a b@example.com", "ada@exa mple.com", "ada@@example.com",
     "ada@example.com\n", "ada\0@example.com", "ada\u202e@example.com", "Ada <ada@example.com>", "ada@[127.0.0.1]",
     "a" * 243 + "@example.com", LONG],
)  # fmt: skip
def test_addresses_that_are_refused(email: str) -> None:
    assert wrong_with(lambda read: read.email("email", email)).keys() == {"email"}


def test_a_password_may_be_anything_and_is_never_cut() -> None:
    with reading() as read:
        for password in ("p" * 1024, "\0" * 15, "correct horse battery", "ü" * 512, " " * 15):
            assert read.password("password", password, least=15) == password
        assert read.password("password", "u\u0308" * 15, least=15) == "ü" * 15


@pytest.mark.parametrize(("password", "told"), [("p" * 14, "at least 15"), ("p" * 1025, "1,024"), ("ü" * 513, "1,024")])
def test_passwords_that_are_refused(password: str, told: str) -> None:
    assert told in wrong_with(lambda read: read.password("password", password, least=15))["password"]


@pytest.mark.parametrize(("asked", "given"), [(0, 50), (1, 1), (1000, 1000), (1001, 1000), (2**31 - 1, 1000)])
def test_page_sizes(asked: int, given: int) -> None:
    assert Fields().page_size("page_size", asked) == given


@pytest.mark.parametrize("size", [-1, -(2**31)])
def test_a_negative_page_size_is_refused(size: int) -> None:
    assert wrong_with(lambda read: read.page_size("page_size", size)).keys() == {"page_size"}


@pytest.mark.parametrize("external_id", ["", "auth0|5f7c8ec7", "42", "ID with space", "Zoe\u0308", "x" * 200])
def test_ids_of_other_systems_are_kept_as_they_are(external_id: str) -> None:
    with reading() as read:
        assert (read.external_id("external_id", external_id) or "") == external_id


@pytest.mark.parametrize("external_id", ["x" * 201, LONG, " 42", "42 ", "4\0002", "4\n2", "4\u202e2", " ", "4\ud8002"])
def test_ids_of_other_systems_that_are_refused(external_id: str) -> None:
    assert wrong_with(lambda read: read.external_id("external_id", external_id)).keys() == {"external_id"}


def struct(**fields: object) -> Struct:
    made = Struct()
    made.update(fields)  # type: ignore[arg-type]
    return made


def nested(levels: int, *, lists: bool = False) -> Struct:
    value: object = 1
    for _ in range(levels - 1):
        value = [value] if lists else {"x": value}
    return struct(x=value)


def test_metadata_is_read_as_json_with_whole_numbers_as_such() -> None:
    fields = {"plan": "pro", "seats": 5, "rate": 0.25, "on": True, "off": None, "tags": ["a", {"b": [2]}], "": {}}
    with reading() as read:
        found = read.metadata("metadata", struct(**fields))
    assert found == fields
    assert type(found["seats"]) is int
    assert Fields().metadata("metadata", Struct()) == {}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (struct(x="\0"), "NUL"),
        (struct(**{"\0": 1}), "NUL"),
        (struct(x=float("nan")), "not finite"),
        (struct(x=[float("-inf")]), "not finite"),
        (struct(x=1e31), "above 1e"),
        (struct(x=-1e-31), "nearer to 0"),
        (nested(11), "levels"),
        (nested(11, lists=True), "levels"),
        (nested(40), "levels"),
        (struct(x="x" * 8185), "8,193 bytes as JSON, at most 8,192"),
        (struct(x="ü" * 4093), "8,194 bytes"),
        (struct(x=[1e30] * 300), "bytes"),
    ],
)
def test_metadata_that_is_refused(value: Struct, told: str) -> None:
    assert told in wrong_with(lambda read: read.metadata("metadata", value))["metadata"]


@pytest.mark.parametrize(
    "value",
    [nested(10), nested(10, lists=True), struct(x="x" * 8184), struct(x="ü" * 4092), struct(x=[1e30, -1e-30, 0, -0.0])],
)
def test_metadata_at_its_limits(value: Struct) -> None:
    assert wrong_with(lambda read: read.metadata("metadata", value)) == {}


def test_an_enum_is_one_of_the_allowed_names() -> None:
    allowed = [("OWNER", 4), ("ADMIN", 3)]
    assert Fields().enum("role", 4, allowed) == "OWNER"
    for number in (0, 5, -1, 2**31 - 1):
        assert wrong_with(lambda read, number=number: read.enum("role", number, allowed)) == {  # type: ignore[misc]
            "role": "one of OWNER, ADMIN is needed"
        }


def test_a_token_has_a_longest_length() -> None:
    assert wrong_with(lambda read: read.token("token", "x" * 512, most=512)) == {}
    assert wrong_with(lambda read: read.token("token", "x" * 513, most=512)).keys() == {"token"}


def test_an_etag_is_opaque_but_printable() -> None:
    assert (Fields().etag("etag", ""), Fields().etag("etag", "7")) == (None, "7")
    assert wrong_with(lambda read: read.etag("etag", "7\0")).keys() == {"etag"}


@pytest.mark.parametrize(
    ("paths", "updated"),
    [(["slug"], {"slug"}), (["slug", "display_name"], {"slug", "display_name"}), ([], {"display_name"}),
     (["etag"], None), (["*"], None), (["slug.x"], None), (["slug"] * 3, None), ([""], None)],
)  # fmt: skip
def test_a_mask_names_what_may_be_updated_and_an_empty_one_what_is_set(paths: list[str], updated: set[str]) -> None:
    organization = Organization(display_name="Acme", etag="7")
    fields = Fields()
    found = fields.mask("update_mask", FieldMask(paths=paths), organization, ("slug", "display_name"))
    if updated is None:
        with pytest.raises(ServiceError, match="only slug, display_name can be updated"):
            fields.check()
    else:
        fields.check()
        assert found == updated


def test_an_update_of_nothing_is_refused() -> None:
    found = wrong_with(lambda read: read.mask("update_mask", FieldMask(), Organization(), ("slug",)))
    assert found == {"update_mask": "nothing to update; allowed: slug"}
