"""docker-compose.yml against what the services, the command line and .env.example really have."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import AliasChoices
from ruamel.yaml import YAML

from identity_service.settings import Settings as IdentitySettings
from shared.settings import CommonSettings
from tenancy_service.settings import Settings as TenancySettings
from tenantry import local_secrets
from tenantry.__main__ import cli
from tenantry.database_urls import SERVICES
from tenantry.gateway.settings import GatewaySettings
from tenantry.migrate import owner_urls
from tenantry.run_state import DEFAULT_ADDRESSES

PROJECT = Path(__file__).resolve().parents[2]
VARIABLE = re.compile(r"\$\{(\w+)(?::\?[^}]*)?\}")
OPTIONAL = re.compile(r"\$\{(\w+):-([^}]*)\}")
SETTINGS: dict[str, type[CommonSettings]] = {"identity": IdentitySettings, "tenancy": TenancySettings}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = YAML(typ="safe").load(PROJECT / "docker-compose.yml")
    return read


@pytest.fixture(scope="module")
def values() -> dict[str, str]:
    """A filled-in .env, each value made as .env.example says."""
    names = [line.split("=")[0] for line in (PROJECT / ".env.example").read_text().splitlines() if line[:1].isupper()]
    made = {name: local_secrets.make_secret() for name in names}
    keys = {name: f"{name}.{local_secrets.make_secret()}" for name in ("operator", "tenancy")}
    entries = {name: local_secrets.service_key_entry(key) for name, key in keys.items()}
    return made | {
        "IDENTITY_SERVICE_KEY": keys["tenancy"],
        "IDENTITY_SERVICE_KEYS": f"{entries['operator']},{entries['tenancy']}",
        "TENANCY_SERVICE_KEYS": entries["operator"],
    }


def filled(environment: dict[str, object], values: dict[str, str]) -> dict[str, str]:
    """What is optional is as it comes."""
    return {
        name: VARIABLE.sub(lambda found: values[found[1]], OPTIONAL.sub(lambda found: found[2], str(text)))
        for name, text in environment.items()
    }


def variables(settings: type[CommonSettings]) -> set[str]:
    names: set[str] = set()
    for field in settings.model_fields.values():
        alias = field.validation_alias or field.alias
        names.update(map(str, alias.choices) if isinstance(alias, AliasChoices) else [str(alias)])
    return names


def test_it_is_a_compose_file() -> None:
    checker = Path(sys.executable).with_name("check-jsonschema")
    command = [str(checker), "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_example_names_exactly_the_variables_that_are_used(values: dict[str, str]) -> None:
    used = {found[1] for found in VARIABLE.finditer((PROJECT / "docker-compose.yml").read_text())}
    assert used == values.keys()


def test_the_example_shows_exactly_the_optional_variables_and_they_are_accepted(
    compose: dict[str, Any], values: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    used = {found[1] for found in OPTIONAL.finditer((PROJECT / "docker-compose.yml").read_text())}
    shown = dict(re.findall(r"^# ([A-Z_]+)=(.+)$", (PROJECT / ".env.example").read_text(), re.MULTILINE))
    assert shown.keys() == used
    shown["FACTOR_SECRETS"] = local_secrets.make_secret()
    for name, value in (filled(compose["services"]["identity"]["environment"], values) | shown).items():
        monkeypatch.setenv(name, value)
    identity = IdentitySettings()
    for name, value in (filled(compose["services"]["tenancy"]["environment"], values) | shown).items():
        monkeypatch.setenv(name, value)
    tenancy = TenancySettings()
    assert identity.product_name == tenancy.product_name == shown["PRODUCT_NAME"]
    assert identity.smtp_server is not None
    assert identity.smtp_server == tenancy.smtp_server
    assert tenancy.invitation_url == shown["INVITATION_URL"]


def test_a_missing_variable_is_refused_before_anything_starts() -> None:
    text = (PROJECT / "docker-compose.yml").read_text()
    required = set(re.findall(r"\$\{(\w+):\?see \.env\.example\}", text))
    assert required == {found[1] for found in VARIABLE.finditer(text)}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_accepts_its_environment_and_reads_all_of_it(
    compose: dict[str, Any], values: dict[str, str], service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = filled(compose["services"][service]["environment"], values)
    assert environment.keys() <= variables(SETTINGS[service])
    for name in variables(SETTINGS[service]):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = SETTINGS[service]()
    assert settings.database_url.get_secret_value().endswith(f"@postgres:5432/{service}")


def test_the_gateway_accepts_its_environment_and_reaches_both_services(
    compose: dict[str, Any], values: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    part = compose["services"]["gateway"]
    environment = filled(part["environment"], values)
    names = {str(field.alias) for field in GatewaySettings.model_fields.values()}
    assert environment.keys() <= names | {"TENANTRY_DATA_DIR"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = GatewaySettings()
    assert [str(address) for address in settings.identity] == ["identity:50051"]
    assert [str(address) for address in settings.tenancy] == ["tenancy:50052"]
    assert part["ports"] == [f"127.0.0.1:{settings.address.port}:{settings.address.port}"]
    here = part["networks"]["default"]["ipv4_address"]
    assert all(compose["services"][service]["environment"]["TRUSTED_PROXIES"] == here for service in SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_ports_are_those_that_services_and_tools_expect(compose: dict[str, Any], service: str) -> None:
    part = compose["services"][service]
    port = DEFAULT_ADDRESSES[service].rpartition(":")[2]
    assert part["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert part["environment"]["LISTEN_ADDRESS"] == f"0.0.0.0:{port}"
    grace = SETTINGS[service].model_fields["grace_seconds"].default
    assert int(part["stop_grace_period"].removesuffix("s")) > grace
    if service == "tenancy":
        assert part["environment"]["IDENTITY_ADDRESS"] == "identity:50051"


def test_migrations_get_what_they_read_and_the_services_the_same_passwords(
    compose: dict[str, Any], values: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = filled(compose["services"]["migrate"]["environment"], values)
    provisioned: list[Any] = []
    monkeypatch.setattr("tenantry.provision.provision", lambda *arguments: provisioned.append(arguments))
    urls = owner_urls(SERVICES, environment)
    assert urls["identity"].endswith("@postgres:5432/identity")
    [(admin_url, passwords)] = provisioned
    assert admin_url == f"postgresql://postgres:{values['POSTGRES_PASSWORD']}@postgres:5432/postgres"
    for service in SERVICES:
        url = filled(compose["services"][service]["environment"], values)["DATABASE_URL"]
        assert url == f"postgresql://{service}:{passwords[service].service}@postgres:5432/{service}"


def test_every_command_exists(compose: dict[str, Any]) -> None:
    commands = [part["command"] for part in compose["services"].values() if "command" in part]
    commands += [compose["services"][service]["healthcheck"]["test"][1:] for service in SERVICES]
    assert len(commands) == 5
    for command in commands:
        assert command[:3] == ["python", "-m", "tenantry"]
        name, *arguments = command[3:]
        cli.commands[name].make_context(name, arguments)


def test_each_waits_for_what_it_needs(compose: dict[str, Any]) -> None:
    waits = {
        name: {other: how["condition"] for other, how in part.get("depends_on", {}).items()}
        for name, part in compose["services"].items()
    }
    assert waits == {
        "postgres": {},
        "migrate": {"postgres": "service_healthy"},
        "identity": {"migrate": "service_completed_successfully"},
        "tenancy": {"migrate": "service_completed_successfully", "identity": "service_healthy"},
        "gateway": {"identity": "service_healthy", "tenancy": "service_healthy"},
    }
    assert compose["services"]["postgres"]["image"] == "postgres:18"


def test_the_image_has_every_package_pinned_and_no_root() -> None:
    lines = (PROJECT / "Dockerfile").read_text().splitlines()
    copied = {line.split()[1] for line in lines if line.startswith("COPY ") and "/" not in line}
    assert copied == {"protos", "shared", "identity_service", "tenancy_service", "tenantry", "migrations", "gateway"}
    assert all((PROJECT / folder).is_dir() for folder in copied)
    assert all("--require-hashes" in line for line in lines if line.startswith("RUN pip"))
    stages = "\n".join(lines).split("\nFROM ")[1:]
    assert [stage.splitlines()[0] for stage in stages] == [
        "python:3.12-slim AS services",
        "services AS gateway",
        "services",
    ]
    for stage in stages[:2]:
        *_, user = [line.split()[1] for line in stage.splitlines() if line.startswith("USER ")]
        assert user == "tenantry"
