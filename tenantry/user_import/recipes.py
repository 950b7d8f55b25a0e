"""What exports of other systems hold, and where. docs/importing.md says how to get them."""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tenantry.user_import.columns import look_up
from tenantry.user_import.person import UnfitError

Fields = Mapping[str, Any]

HEX_SCRYPT = re.compile(r"([0-9a-fA-F]{16,128}):([0-9a-fA-F]{128})")
CLERKS_HASHERS = ("bcrypt", "argon2i", "argon2id", "bcrypt_sha256_django", "pbkdf2_sha256_django")
SIGNS_OF_YES = (True, 1, "true", "t", "1")


class Recipe(NamedTuple):
    """`takes` says where each field comes from, for people to read."""

    takes: dict[str, str]
    take: Callable[[Fields], dict[str, object]]


def auth0(user: Fields) -> dict[str, object]:
    """The export of password hashes, alone or joined with that of the users."""
    _refuse_if(user, "blocked")
    # Both may be missing at the top of a line.
    emails = (each for each in user.get("identifiers") or [] if each.get("type") == "email")
    email = next(emails, {"value": user.get("email"), "verified": user.get("email_verified")})
    own_id = user.get("alt_id") or look_up(user, "_id.$oid")
    return {
        "email": user.get("email") or email.get("value"),
        "name": user.get("name")
        if user.get("name") != user.get("email")
        else _joined(user, "given_name", "family_name"),
        "external_id": user.get("user_id") or (f"auth0|{own_id}" if own_id else None),
        "verified": user.get("email_verified", email.get("verified")),
        "password_hash": user.get("passwordHash") or user.get("password_hash"),
        "public_metadata": user.get("user_metadata"),
        "private_metadata": user.get("app_metadata"),
    }


def clerk(user: Fields) -> dict[str, object]:
    _refuse_if(user, "banned")
    hasher = user.get("password_hasher") or ""
    if user.get("password_digest") and hasher not in CLERKS_HASHERS:
        raise UnfitError(f"password_hasher: only {', '.join(CLERKS_HASHERS)} are taken")
    email = str(user.get("primary_email_address") or "").strip()
    verified = re.split(r"[|,;\s]+", str(user.get("verified_email_addresses") or "").lower())
    return {
        "email": email,
        "name": _joined(user, "first_name", "last_name"),
        "external_id": user.get("id"),
        "verified": bool(email) and email.lower() in verified,
        "password_hash": user.get("password_digest"),
    }


def better_auth(user: Fields) -> dict[str, object]:
    """Lines of the user table with the password of its account."""
    _refuse_if(user, "banned")
    password = str(user.get("password") or "")
    if scrypt := HEX_SCRYPT.fullmatch(password):
        # The salt is the text of its hex digits, not what they stand for.
        password = f"$scrypt$ln=14,r=16,p=1${_base64(scrypt[1].encode())}${_base64(bytes.fromhex(scrypt[2]))}"
    return {
        "email": user.get("email"),
        "name": user.get("name"),
        "external_id": user.get("id"),
        "verified": user.get("emailVerified", user.get("email_verified")),
        "password_hash": password,
    }


def kratos(identity: Fields) -> dict[str, object]:
    if identity.get("state") == "inactive":
        raise UnfitError("state: inactive there, and an imported account would be active")
    email = look_up(identity, "traits.email")
    name = look_up(identity, "traits.name")
    addresses = identity.get("verifiable_addresses") or []
    return {
        "email": email,
        "name": _joined(name, "first", "last") if isinstance(name, Mapping) else name,
        "external_id": identity.get("id"),
        "verified": any(each.get("value") == email and each.get("verified") is True for each in addresses),
        "password_hash": look_up(identity, "credentials.password.config.hashed_password"),
        "public_metadata": identity.get("metadata_public"),
        "private_metadata": identity.get("metadata_admin"),
    }


def django(entry: Fields) -> dict[str, object]:
    """An entry of dumpdata."""
    user = entry.get("fields")
    if not isinstance(user, Mapping) or "password" not in user:
        raise UnfitError("no entry of a user model: dump that one only")
    if user.get("is_active") is False:
        raise UnfitError("is_active: false there, and an imported account would be active")
    password = str(user.get("password") or "")
    return {
        "email": user.get("email"),
        "name": user.get("name") or _joined(user, "first_name", "last_name"),
        "external_id": entry.get("pk"),
        "password_hash": "" if password.startswith("!") else password,  # Django's sign for: no password
    }


def devise(user: Fields) -> dict[str, object]:
    for column in ("deleted_at", "discarded_at"):
        if user.get(column):
            raise UnfitError(f"{column}: deleted there")
    return {
        "email": user.get("email"),
        "name": user.get("name") or _joined(user, "first_name", "last_name"),
        "external_id": user.get("id"),
        "verified": bool(user.get("confirmed_at")),
        "password_hash": user.get("encrypted_password"),
    }


RECIPES = {
    "auth0": Recipe(
        {
            "email": "email", "name": "name", "external_id": "user_id, or auth0| and _id", "verified": "email_verified",
            "password_hash": "passwordHash", "public_metadata": "user_metadata", "private_metadata": "app_metadata",
        },
        auth0,
    ),
    "clerk": Recipe(
        {
            "email": "primary_email_address", "name": "first_name + last_name", "external_id": "id",
            "verified": "verified_email_addresses", "password_hash": "password_digest",
        },
        clerk,
    ),
    "better-auth": Recipe(
        {
            "email": "email", "name": "name", "external_id": "id", "verified": "emailVerified",
            "password_hash": "password",
        },
        better_auth,
    ),
    "kratos": Recipe(
        {
            "email": "traits.email", "name": "traits.name", "external_id": "id", "verified": "verifiable_addresses",
            "password_hash": "credentials.password", "public_metadata": "metadata_public",
            "private_metadata": "metadata_admin",
        },
        kratos,
    ),
    "django": Recipe(
        {
            "email": "fields.email", "name": "fields.first_name + last_name", "external_id": "pk",
            "password_hash": "fields.password",
        },
        django,
    ),
    "devise": Recipe(
        {
            "email": "email", "name": "name, or first_name + last_name", "external_id": "id",
            "verified": "confirmed_at", "password_hash": "encrypted_password",
        },
        devise,
    ),
}  # fmt: skip


def _joined(fields: Fields, *names: str) -> str:
    return " ".join(str(fields[name]).strip() for name in names if fields.get(name))


def _refuse_if(user: Fields, sign: str) -> None:
    if user.get(sign) in SIGNS_OF_YES:
        raise UnfitError(f"{sign}: true there, and an imported account would be active")


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode().rstrip("=")
