"""Addresses of the services' databases: each service has a role for itself and one that owns the tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

SERVICES = ("identity", "tenancy")


@dataclass(frozen=True, slots=True)
class Passwords:
    service: str
    owner: str


def owner_url(any_url: str, service: str, passwords: Mapping[str, Passwords]) -> str:
    """For migrations, on the server of `any_url`."""
    return _url_as(any_url, service, f"{service}_owner", passwords[service].owner)


def service_url(any_url: str, service: str, passwords: Mapping[str, Passwords]) -> str:
    """For the service itself, and for an Express app that shares its sessions."""
    return _url_as(any_url, service, service, passwords[service].service)


def _url_as(any_url: str, database: str, user: str, password: str) -> str:
    parts = urlsplit(any_url)
    server = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{server}", path=f"/{database}").geturl()
