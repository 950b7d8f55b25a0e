"""Settings: everything that is wrong is named at once, with an example, and never a value."""

import hashlib
import io
from contextlib import redirect_stderr
from typing import Any

import pytest

from identity_service.settings import Settings as Identity
from shared.settings import CommonSettings, load, read_service_keys, refuse_weak_secret
from tenancy_service.permissions import OrgRole
from tenancy_service.settings import Settings as Tenancy

SECRET = "q2rJ9gYt8c1ZcYw6v1a_7fQe3mXo0bKdHxT5"
DIGEST = hashlib.sha256(b"its-secret").hexdigest()
URL = "postgresql://identity:database-password@localhost/identity"

IDENTITY = {"DATABASE_URL": URL, "SESSION_SECRETS": SECRET}
TENANCY = {"DATABASE_URL": URL, "IDENTITY_SERVICE_KEY": "tenancy.its-secret"}
Environment = dict[str, str]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the settings' variables to exactly these."""

    def be(values: Environment) -> None:
        for settings in (Identity, Tenancy):
            for field in settings.model_fields.values():
                for alias in [field.alias, *getattr(field.validation_alias, "choices", [])]:
                    monkeypatch.delenv(str(alias), raising=False)
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return be


def complaint(settings: type[CommonSettings]) -> str:
    """What is printed when the service is started, before it exits as after any wrong use."""
    stderr = io.StringIO()
    with pytest.raises(SystemExit) as caught, redirect_stderr(stderr):
        load(settings)
    assert caught.value.code == 2
    return stderr.getvalue()


def test_what_is_needed_is_little(environment: Any) -> None:
    environment(IDENTITY)
    identity = load(Identity)
    assert identity.secret_bytes == (SECRET.encode(),)
    assert (identity.idle.total_seconds(), identity.absolute.total_seconds()) == (1800, 43200)
    assert not identity.reflection
    environment(TENANCY)
    tenancy = load(Tenancy)
    assert tenancy.identity_timeout_seconds == 0.3
    assert tenancy.batching
    assert tenancy.service_keys == {}


def test_all_that_is_wrong_is_named_at_once(environment: Any) -> None:
    environment(
        {"SESSION_SECRETS": "too-short", "SERVICE_KEYS": "billing", "PASSWORD_MINIMUM": "3", "DATABASE_POOL_SIZE": "x"}
    )
    text = complaint(Identity)
    lines = text.splitlines()
    assert lines[0] == "5 settings are wrong:"
    assert sorted(line.split(":")[0].strip() for line in lines[1:6]) == [
        *("DATABASE_POOL_SIZE", "DATABASE_URL", "PASSWORD_MINIMUM", "SERVICE_KEYS", "SESSION_SECRETS")
    ]
    assert "  DATABASE_URL: missing; for example DATABASE_URL=postgresql://identity:password@db/identity" in lines
    assert lines[-1].startswith("make secrets and keys with: tenantry secrets make")


def test_four_settings_are_wrong(environment: Any) -> None:
    environment({"REFLECTION": "maybe", "LOG_LEVEL": "loud", "DATABASE_URL": URL, "GATHER_SECONDS": "nan"})
    assert complaint(Tenancy).startswith("4 settings are wrong:\n")


def test_one_setting_is_wrong(environment: Any) -> None:
    environment({"DATABASE_URL": URL})
    assert complaint(Tenancy).startswith("1 setting is wrong:\n  IDENTITY_SERVICE_KEY: missing")


@pytest.mark.parametrize(
    ("settings", "good", "bad"),
    [
        (Identity, IDENTITY, {"SESSION_SECRETS": "hunter2-hunter2"}),
        (Identity, IDENTITY, {"SESSION_SECRETS": f"{SECRET},hunter2-{'x' * 40}"}),
        (Identity, IDENTITY, {"SESSION_SECRETS": f"{SECRET},{SECRET}"}),
        (Identity, IDENTITY, {"SESSION_SECRETS": ",".join(f"{n}{SECRET}" for n in range(6))}),
        (Identity, IDENTITY, {"SESSION_SECRETS": ","}),
        (Identity, IDENTITY, {"SESSION_IDLE_SECONDS": "hunter2"}),
        (Identity, IDENTITY, {"SESSION_ABSOLUTE_SECONDS": "60"}),
        (Identity, IDENTITY, {"SESSION_ABSOLUTE_SECONDS": str(10**12)}),
        (Identity, IDENTITY, {"LISTEN_ADDRESS": "hunter2"}),
        (Identity, IDENTITY, {"SESSION_COOKIE_NAME": "hunter2;"}),
        (Identity, IDENTITY, {"SESSION_COOKIE_NAME": "hunter2é"}),
        (Identity, IDENTITY, {"GRACE_SECONDS": "-1"}),
        (Tenancy, TENANCY, {"IDENTITY_TIMEOUT_SECONDS": "0"}),
        (Tenancy, TENANCY, {"IDENTITY_TIMEOUT_SECONDS": "hunter2"}),
        (Tenancy, TENANCY, {"PERMISSIONS_FILE": "no-such-file.toml"}),
        (Tenancy, TENANCY, {"SERVICE_KEYS": "billing.hunter2"}),
        (Tenancy, TENANCY, {"GATHER_MOST_SECONDS": "inf"}),
        (Tenancy, TENANCY, {"DATABASE_POOL_SIZE": "0"}),
    ],
)
def test_a_wrong_value_is_refused_and_never_shown(
    environment: Any, settings: type[CommonSettings], good: Environment, bad: Environment
) -> None:
    environment(good)
    load(settings)
    environment(good | bad)
    text = complaint(settings)
    assert text.startswith("1 setting is wrong:\n")
    assert next(iter(bad)) in text
    for secret in ("hunter2", SECRET, "database-password", "its-secret"):
        assert secret not in text


def test_an_empty_variable_is_a_missing_one(environment: Any) -> None:
    environment(IDENTITY | {"SESSION_SECRETS": "", "PASSWORD_MINIMUM": ""})
    assert complaint(Identity).startswith("1 setting is wrong:\n  SESSION_SECRETS: missing")


def test_one_secret_may_be_given_by_the_singular_name(environment: Any) -> None:
    environment({"DATABASE_URL": URL, "SESSION_SECRET": SECRET})
    assert load(Identity).secret_bytes == (SECRET.encode(),)


def test_several_secrets_keep_their_order(environment: Any) -> None:
    environment(IDENTITY | {"SESSION_SECRETS": f" {SECRET}2 , {SECRET}1 "})
    assert load(Identity).secret_bytes == (f"{SECRET}2".encode(), f"{SECRET}1".encode())


@pytest.mark.parametrize("secret", ["keyboard cat " * 4, "changeme" * 8, "0123456789" * 4, "ab" * 40, "x" * 31, ""])
def test_weak_and_known_secrets_are_refused(secret: str) -> None:
    with pytest.raises(ValueError, match=r"sample|shorter"):
        refuse_weak_secret(secret)


def test_service_keys_are_names_and_digests() -> None:
    other = hashlib.sha256(b"other").hexdigest()
    keys = read_service_keys(f"billing:{DIGEST}, audit:{other.upper()},")
    assert keys == {"billing": bytes.fromhex(DIGEST), "audit": bytes.fromhex(other)}


@pytest.mark.parametrize(
    "text",
    ["billing", "billing.its-secret", f":{DIGEST}", f"a.b:{DIGEST}", "billing:abc", f"billing:{DIGEST}0",
     f"billing:{DIGEST},billing:{DIGEST}", "billing:" + "g" * 64, f"billing:{DIGEST[:30]}  {DIGEST[:32]}"],
)  # fmt: skip
def test_service_keys_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"name:sha256|not hexadecimal"):
        read_service_keys(text)


def test_settings_cannot_be_changed_and_print_no_secret(environment: Any) -> None:
    environment(IDENTITY)
    identity = load(Identity)
    with pytest.raises(ValueError, match="frozen"):
        identity.grace_seconds = 1  # type: ignore[misc]
    for secret in (SECRET, "database-password"):
        assert secret not in repr(identity)
        assert secret not in str(identity)


def test_a_permissions_file_adds_to_what_is_built_in(environment: Any, tmp_path: Any) -> None:
    file = tmp_path / "permissions.toml"
    file.write_text('[organization]\n"billing:read" = "ADMIN"\n')
    environment(TENANCY | {"PERMISSIONS_FILE": str(file)})
    assert load(Tenancy).permissions["billing:read"] is OrgRole.ADMIN


@pytest.mark.parametrize("settings", [Identity, Tenancy])
def test_every_setting_has_a_variable_and_an_example_for_when_it_is_wrong(settings: type[CommonSettings]) -> None:
    for name, field in settings.model_fields.items():
        assert field.alias or field.validation_alias, name
        assert field.examples or name in ("session_cookie_name",), name
