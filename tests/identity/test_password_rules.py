"""Which new passwords are refused, and what is said about it."""

import time
from pathlib import Path

import pytest

from identity_service.common_passwords import common_passwords
from identity_service.password_rules import NewPassword, PasswordRules
from identity_service.settings import Settings
from shared.errors import ServiceError
from shared.fields import Fields
from shared.settings import load
from tenantry.testing.pair import identity_settings

ABOUT = ("Ada.Lovelace1815@mail.example.com", "Ada King-Noel")
URL = "postgresql://identity:password@db/identity"


def rules(**changes: object) -> PasswordRules:
    return PasswordRules(identity_settings(URL, **changes))


RULES = rules()


def taken(password: str, by: PasswordRules = RULES, *, beside_second_factor: bool = False) -> NewPassword:
    read = Fields()
    new = by.read(read, "password", password, has_second_factor=beside_second_factor, about=ABOUT)
    read.check()
    return new


def refused(password: str, by: PasswordRules = RULES, *, beside_second_factor: bool = False) -> str:
    """What is wrong with it."""
    with pytest.raises(ServiceError) as caught:
        taken(password, by, beside_second_factor=beside_second_factor)
    [(path, wrong)] = caught.value.fields
    assert path == "password"
    return wrong


def test_15_characters_or_8_beside_a_second_factor() -> None:
    assert refused("tulip orbit ca") == "14 characters, at least 15 without a second factor"
    assert taken("tulip orbit can") == ("tulip orbit can", False)
    assert refused("tulip o", beside_second_factor=True) == "7 characters, at least 8 with a second factor"
    assert taken("tulip or", beside_second_factor=True) == ("tulip or", True)
    assert taken("tulip orbit can", beside_second_factor=True) == ("tulip orbit can", False)


def test_the_limits_are_settings() -> None:
    lower = rules(PASSWORD_MINIMUM=10, PASSWORD_MINIMUM_WITH_SECOND_FACTOR=9)
    assert refused("tulip orb", lower) == "9 characters, at least 10 without a second factor"
    assert taken("tulip orb", lower, beside_second_factor=True).is_short
    odd = rules(PASSWORD_MINIMUM=8, PASSWORD_MINIMUM_WITH_SECOND_FACTOR=64)  # a factor never makes it harder
    assert not taken("tulip or", odd, beside_second_factor=True).is_short


def test_any_characters_in_nfc_and_nothing_is_cut() -> None:
    assert taken("Zu\u0308rich 密码 \0\t 🔑 ok").text == "Zürich 密码 \0\t 🔑 ok"
    assert taken("  spaces stay at both ends  ").text == "  spaces stay at both ends  "
    long = "".join(chr(0x4E00 + n) for n in range(341)) + "x"  # 1,024 bytes
    assert taken(long).text == long
    assert refused(long + "x") == "longer than 1,024 bytes"


@pytest.mark.parametrize(
    "password",
    [
        "passwordpassword",
        "PasswordPassword",
        "Password!Password!1",
        "aaaaaaaaaaaaaaaa",
        "abcabcabcabcabca",
        "hunter2hunter2hunter2",
        "12341234 1234123",
    ],
)
def test_repetitions_are_refused(password: str) -> None:
    assert refused(password).startswith("too common: ")


@pytest.mark.parametrize(
    "password", ["password1234567", "!!!PASSWORD!!!1", "12345 superman 67890", "Baseball_2024_09", "1qaz2wsx3edc4rfv"]
)
def test_passwords_of_the_list_are_refused_also_with_digits_and_signs_around(password: str) -> None:
    assert refused(password) == (
        "too common: among the passwords that are tried first, or such a one with digits and signs around it"
    )


@pytest.mark.parametrize(
    "password",
    ["23456789098765432", "qwertyuiopasdfgh", "zyxwvutsrqponmlk", "AbCdEfGhIjKlMnO", "112233445566778899",
     "hjklasdf 123456789", "7894561230abcdefgh"],
)  # fmt: skip
def test_rows_of_the_keyboard_the_alphabet_and_the_digits_are_refused(password: str) -> None:
    assert refused(password) == "too common: made of letters or digits in a row"


@pytest.mark.parametrize(
    "password",
    ["ada.lovelace1815@mail.example.com", "AdaLovelace1815", "ada-king-noel-ada", "lovelace12345678",
     "example.com-xyz1", "Tenantry20240501!", "tenantry superman", "ada hjklasdfghjk", "tenantry-tenantry"],
)  # fmt: skip
def test_the_account_s_own_texts_and_the_product_s_name_are_refused(password: str) -> None:
    assert refused(password).startswith("too common: ")


def test_the_product_s_name_is_a_setting() -> None:
    assert taken("acme rockets 2024!")
    assert refused("acme rockets 2024!", rules(PRODUCT_NAME="Acme Rockets")).startswith("too common: made of")


@pytest.mark.parametrize(
    "password",
    ["tulip orbit canyon", "correct horse battery staple", "849302948572934", "sassafras assassins", "ada likes tulips",
     "tenantry orbit canyon", "was here as we were", "kQ9$2mLxB4!zzada", "Straße nach Zürich"],
)  # fmt: skip
def test_others_are_taken(password: str) -> None:
    assert taken(password).text == password


def test_without_texts_of_an_account_nothing_is_taken_out() -> None:
    read = Fields()
    assert RULES.read(read, "password", "lovelace12345678", about=("", "Li")).text == "lovelace12345678"
    read.check()


def test_the_error_names_no_password() -> None:
    for password in ("superman-superman", "Ada Lovelace 1815", "short"):
        assert password.lower() not in refused(password).lower()


def test_the_list_is_the_whole_one() -> None:
    shipped = common_passwords()
    assert len(shipped) == 11_611
    assert {"password", "12345678", "baseball"} <= shipped
    assert all(len(word) >= 8 and word == word.lower().strip() for word in shipped)


def test_another_list_takes_its_place(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("# ours\n\n Tulip Orbit Canyon \nCafe\u0301 am Marktplatz\r\n", "utf-8")
    assert common_passwords(words) == {"tulip orbit canyon", "café am marktplatz"}
    ours = rules(COMMON_PASSWORDS=words)
    assert refused("Tulip Orbit Canyon 7!", ours).startswith("too common: among")
    assert taken("12345 superman 67890", ours)


@pytest.mark.parametrize(
    ("content", "wrong"),
    [(b"caf\xe9\n", "not a file that can be read as UTF-8 text"), (b"# none\n\n", "no passwords in this file")],
)
def test_a_bad_list_keeps_the_service_from_starting(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    wrong: str,
) -> None:
    words = tmp_path / "words.txt"
    words.write_bytes(content)
    monkeypatch.setenv("COMMON_PASSWORDS", str(words))
    monkeypatch.setenv("DATABASE_URL", URL)
    with pytest.raises(SystemExit):
        load(Settings)
    assert f"  COMMON_PASSWORDS: {wrong}" in capsys.readouterr().err


HOSTILE = [
    "a" * 1024, "ab" * 511 + "zx", "1" * 1023 + "a", "a" * 511 + "b" + "a" * 512, "ada" * 341, "é" * 512, "1a" * 512,
    ("a" * 255 + "b") * 4, "x" * 1023 + "y", "lovelac" * 146, "\u2167" * 341, "İ" * 512,
]  # fmt: skip


@pytest.mark.parametrize("password", HOSTILE, ids=range(len(HOSTILE)))
def test_long_ones_take_no_time(password: str) -> None:
    about = ("a@b.cd", "abc abd " * 12)
    started = time.process_time()
    for _ in range(20):
        RULES.read(Fields(), "password", password, about=about)
    assert time.process_time() - started < 0.2  # 10 ms each; what grows with the square would take seconds
