"""Settings: all wrong ones at once, and no secret that could be guessed."""

from secrets import token_urlsafe

import pytest
from pydantic import ValidationError

from identity_service.settings import Settings
from shared.settings import describe, load

GOOD, OLDER = token_urlsafe(48), token_urlsafe(48)
URL = "postgresql://identity:hunter2@db/identity"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SESSION_SECRET", "SESSION_SECRETS", "SIGN_UP", "SESSION_IDLE_SECONDS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", URL)


def loaded(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return load(Settings)


def test_one_secret_or_several(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loaded(monkeypatch, SESSION_SECRET=GOOD).secret_bytes == (GOOD.encode(),)
    several = loaded(monkeypatch, SESSION_SECRETS=f"{GOOD}, {OLDER}")
    assert several.secret_bytes == (GOOD.encode(), OLDER.encode())


def test_a_secret_that_looks_like_json_is_a_text_too(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = f'["{GOOD}"]'
    assert loaded(monkeypatch, SESSION_SECRETS=secret).secret_bytes == (secret.encode(),)


def test_the_defaults_are_those_of_the_design(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(monkeypatch, SESSION_SECRET=GOOD)
    assert (settings.session_idle_seconds, settings.session_absolute_seconds) == (1800, 43200)
    assert settings.sign_up
    assert settings.password_minimum == 15
    assert settings.listen_address == "127.0.0.1:50051"


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("tooshort", "secret 1 is shorter than 32 bytes"),
        (f"{GOOD},short", "secret 2 is shorter than 32 bytes"),
        ("keyboard cat" * 4, "secret 1 is a sample"),
        ("ab" * 20, "secret 1 is a sample or too regular"),
        (f"{GOOD},{GOOD}", "the same secret twice"),
        (",".join(token_urlsafe(48) for _ in range(6)), "6 secrets, 1 to 5 are allowed"),
        (" , ", "0 secrets"),
    ],
    ids=["short", "short beside a good one", "sample", "regular", "twice", "too many", "none"],
)
def test_a_weak_secret_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str, wrong: str
) -> None:
    with pytest.raises(SystemExit):
        loaded(monkeypatch, SESSION_SECRETS=value)
    told = capsys.readouterr().err
    assert wrong in told
    assert value not in told


def test_everything_that_is_wrong_is_named_at_once_and_no_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    with pytest.raises(SystemExit):
        loaded(
            monkeypatch,
            SESSION_SECRETS="too short to sign with",
            SESSION_IDLE_SECONDS="7200",
            SESSION_ABSOLUTE_SECONDS="3600",
            PASSWORD_MINIMUM="7",
            SIGN_UP="perhaps",
            LISTEN_ADDRESS="nowhere",
        )
    text = capsys.readouterr().err
    assert text.startswith("6 settings are wrong:")
    names = ("DATABASE_URL", "SESSION_SECRETS", "SESSION_ABSOLUTE_SECONDS", "PASSWORD_MINIMUM", "SIGN_UP")
    assert all(f"  {name}: " in text for name in (*names, "LISTEN_ADDRESS"))
    assert "SESSION_ABSOLUTE_SECONDS: less than SESSION_IDLE_SECONDS; for example" in text
    assert not any(value in text for value in ("too short to sign with", "perhaps", "nowhere"))


def test_every_setting_has_an_example() -> None:
    own = {name for name in Settings.model_fields if name not in Settings.__mro__[1].model_fields}  # type: ignore[attr-defined]
    assert all(Settings.model_fields[name].examples for name in own)


def test_secrets_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(monkeypatch, SESSION_SECRET=GOOD)
    assert GOOD not in repr(settings)
    assert "hunter2" not in repr(settings)


def test_a_missing_secret_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert "SESSION_SECRETS: missing; for example SESSION_SECRETS=" in describe(Settings, caught.value)
