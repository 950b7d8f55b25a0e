"""Exports of other systems: who is taken, with what, and that they sign in with the passwords they had."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from protos.identity.v1 import sessions_pb2 as pb
from tenantry import client
from tenantry.user_import.recipes import CLERKS_HASHERS
from tests.command_line.invoked import invoke, told
from tests.command_line.launched import Launched

SAMPLES = Path(__file__).parent / "samples"
PASSWORD = "tulip orbit canyon"  # and a space and the name, of everybody in the samples


@pytest.fixture(scope="module")
def imported(up: Launched, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Imports a sample once; what was told and the folder with what it left behind."""
    done: dict[str, tuple[Any, Path]] = {}

    def once(sample: str) -> tuple[Any, Path]:
        if sample not in done:
            folder = tmp_path_factory.mktemp("import")
            file = Path(shutil.copy(SAMPLES / sample, folder))
            result = invoke(up.folder, "users", "import", str(file), "--from", file.stem, "--json")
            assert result.exit_code in (0, 1), result.output
            done[sample] = json.loads(result.stdout), folder
        return done[sample]

    return once


@pytest.mark.parametrize(
    ("sample", "created", "rejected", "with_password"),
    [
        ("auth0.ndjson", 3, 1, "ada bo cy"),
        ("clerk.csv", 3, 1, "ada bo"),
        ("better-auth.jsonl", 3, 1, "ada bo"),
        ("kratos.json", 4, 1, "ada bo cy"),
        ("django.json", 4, 2, "ada bo cy"),
        ("devise.csv", 3, 0, "ada bo"),
    ],
)
def test_everybody_signs_in_with_the_password_they_had(
    up: Launched, imported: Any, sample: str, created: int, rejected: int, with_password: str
) -> None:
    result, _ = imported(sample)
    assert (result["created"], result["rejected"]) == (created, rejected)
    domain = f"{sample.partition('.')[0].partition('-')[0]}.example"
    with client.connect(up.state["identity"]["address"]) as channel:
        for name in with_password.split():
            request = pb.CreateSessionRequest(email=f"{name}@{domain}", password=f"{PASSWORD} {name}")
            method = "identity.v1.SessionService/CreateSession"
            assert client.call(channel, method, request, pb.CreateSessionResponse).token
            request.password = PASSWORD
            with pytest.raises(client.CallFailed, match="SIGN_IN_FAILED"):
                client.call(channel, method, request, pb.CreateSessionResponse)


@pytest.mark.parametrize(
    ("sample", "email", "name", "external_id", "is_verified"),
    [
        ("auth0.ndjson", "ada@auth0.example", "", "auth0|65f0a1b2c3d4e5f60718293a", True),
        ("auth0.ndjson", "bo@auth0.example", "", "auth0|euclid", False),
        ("auth0.ndjson", "cy@auth0.example", "Cy Twombly", "auth0|cy", True),
        ("clerk.csv", "ada@clerk.example", "Ada Lovelace", "user_2ada", True),
        ("clerk.csv", "Bo@clerk.example", "Bo", "user_2bo", False),
        ("better-auth.jsonl", "ada@better.example", "Ada", "Xk3ada", True),
        ("better-auth.jsonl", "bo@better.example", "Bo", "Xk3bo", False),
        ("kratos.json", "ada@kratos.example", "Ada Lovelace", "0b5c0f6e-0000-4000-8000-000000000061", True),
        ("kratos.json", "bo@kratos.example", "Bo", "0b5c0f6e-0000-4000-8000-000000000062", False),
        ("django.json", "ada@django.example", "Ada Lovelace", "101", False),
        ("devise.csv", "ada@devise.example", "Ada Lovelace", "201", True),
        ("devise.csv", "bo@devise.example", "Bo", "202", False),
    ],
)
def test_what_is_known_of_a_person_comes_along(
    up: Launched, imported: Any, sample: str, email: str, name: str, external_id: str, is_verified: bool
) -> None:
    imported(sample)
    found = told(up.folder, "users", "get", email)
    assert (found["email"], found["display_name"], found["external_id"]) == (email, name, external_id)
    assert ("email_verified_time" in found) == is_verified


@pytest.mark.parametrize(
    ("sample", "email", "public", "private"),
    [
        ("auth0.ndjson", "cy@auth0.example", {"theme": "dark"}, {"plan": "pro"}),
        ("kratos.json", "ada@kratos.example", {"plan": "pro"}, {"note": "vip"}),
    ],
)
def test_metadata_keeps_its_readers(
    up: Launched, imported: Any, sample: str, email: str, public: dict[str, str], private: dict[str, str]
) -> None:
    imported(sample)
    found = told(up.folder, "users", "get", email)
    assert (found["public_metadata"], found["private_metadata"]) == (public, private)


@pytest.mark.parametrize(
    ("sample", "reasons"),
    [
        ("auth0.ndjson", {4: "blocked: true there, and an imported account would be active"}),
        (
            "clerk.csv",
            {5: f"password_hasher: only {', '.join(CLERKS_HASHERS)} are taken"},
        ),
        ("better-auth.jsonl", {4: "banned: true there, and an imported account would be active"}),
        ("kratos.json", {115: "state: inactive there, and an imported account would be active"}),
        (
            "django.json",
            {
                6: "is_active: false there, and an imported account would be active",
                7: "no entry of a user model: dump that one only",
            },
        ),
    ],
)
def test_who_could_not_sign_in_there_is_rejected_with_the_reason(
    imported: Any, sample: str, reasons: dict[int, str]
) -> None:
    result, folder = imported(sample)
    rejected = folder / Path(result["rejected_file"]).name
    with rejected.open(newline="") as file:
        rows = list(csv.DictReader(file)) if rejected.suffix == ".csv" else [json.loads(line) for line in file]
    assert {int(row["tenantry_line"]): row["tenantry_reason"] for row in rows} == reasons


@pytest.mark.parametrize("system", ["auth0", "better-auth", "kratos", "django"])
def test_a_file_of_another_shape_is_refused_record_by_record(up: Launched, tmp_path: Path, system: str) -> None:
    hostile = [{"email": ["x"]}, {"traits": "x"}, {"fields": []}, {"identifiers": ["x"]}, {"verifiable_addresses": 1}]
    file = tmp_path / "hostile.json"
    file.write_text(json.dumps(hostile))
    looked = invoke(up.folder, "users", "import", str(file), "--from", system, "--dry-run", "--json")
    assert (looked.exit_code, json.loads(looked.stdout)["unfit"]) == (1, len(hostile))


def test_a_recipe_can_be_changed_with_map(up: Launched, tmp_path: Path) -> None:
    file = tmp_path / "kratos.jsonl"
    identity = {"id": "k", "traits": {"mail": "zoe@mapped.example", "name": "Zoe"}}
    file.write_text(json.dumps(identity))
    maps = ("--map", "email=traits.mail", "--map", "name=")
    invoke(up.folder, "users", "import", str(file), "--from", "kratos", *maps)
    found = told(up.folder, "users", "get", "zoe@mapped.example")
    assert (found["display_name"], found["external_id"]) == ("", "k")
