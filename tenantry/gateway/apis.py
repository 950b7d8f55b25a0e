"""APIs of others behind the gateway: a TOML file that says which routes they have and what each needs.

    [[api]]
    name = "dashboard"
    address = "127.0.0.1:9000"

    [[api.route]]
    method = "GET"
    path = "/projects/{project_id}/containers"
    permission = "containers:view"

A path that no route names is 404. Where the id of the organization or project stands is taken from `{organization_id}`
and `{project_id}`, or said: project = "header:x-project-id". docs/protect-an-api.md has all of it.
"""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from tenantry.failures import WRONG_USE, Failure

# The gateway's own paths, so that no API stands in for them.
OWN = re.compile(r"/(v1|identity\.v1\.|tenancy\.v1\.|grpc\.|envoy\.|healthz|docs|openapi)")
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
PLACES = ("organization", "project")
METHODS = r"^(GET|HEAD|POST|PUT|PATCH|DELETE)$"


class Address(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def read(cls, text: str) -> "Address":
        """`host:port`, also `[::1]:port`; ValueError for anything else."""
        host, _, port = text.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError(f"needs host:port, not {text!r}")
        return cls(host.strip("[]"), int(port))


def read_address(value: object) -> object:
    return Address.read(value) if isinstance(value, str) else value


def is_path(path: str) -> str:
    plain = PLACEHOLDER.sub("x", path.removesuffix("/**"))
    if {".", ".."} & {*plain.split("/")} or not re.fullmatch(r"(/[\w.~:@!$&'()+,;=-]+)+", plain):
        raise ValueError("needs segments such as /projects/{project_id}/containers, and at most /** at its end")
    if OWN.match(path):
        raise ValueError("begins as a path of the gateway itself")
    return path


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Route(Strict):
    """`/**` at the end of a path stands for anything below it."""

    path: Annotated[str, AfterValidator(is_path)]
    method: str | None = Field(None, pattern=METHODS)
    permission: str | None = None
    organization: str | None = Field(None, pattern=r"^(header:[a-z0-9-]+|query:\w+|path:[1-9]\d?)$")
    project: str | None = Field(None, pattern=r"^(header:[a-z0-9-]+|query:\w+|path:[1-9]\d?)$")
    remove_credential: bool = True

    @model_validator(mode="after")
    def says_where(self) -> "Route":
        if self.permission and not any(self._place(place) for place in PLACES):
            raise ValueError("a permission needs a place: {project_id} or {organization_id} in the path, or said")
        return self

    @property
    def pattern(self) -> str:
        """For a whole path without its query."""
        below = self.path.endswith("/**")
        parts = PLACEHOLDER.split(self.path.removesuffix("/**"))
        return "".join(re.escape(part) if n % 2 == 0 else "[^/]+" for n, part in enumerate(parts)) + "(/.*)?" * below

    @property
    def context_extensions(self) -> dict[str, str]:
        """What ext_authz is told of the route."""
        told = {place: self._place(place) for place in PLACES}
        told |= {"permission": self.permission, "remove_credential": "true" if self.remove_credential else None}
        told["route"] = f"{self.method or 'any'} {self.path}"  # for tenancy's log
        return {name: value for name, value in told.items() if value}

    def _place(self, place: str) -> str | None:
        said: str | None = getattr(self, place)
        segments = self.path.split("/")
        named = f"{{{place}_id}}"
        return said or (f"path:{segments.index(named)}" if named in segments else None)


class Api(Strict):
    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")
    address: Annotated[Address, BeforeValidator(read_address)]
    route: list[Route] = Field(min_length=1)

    @property
    def cluster(self) -> str:
        return f"api-{self.name}"


class Apis(Strict):
    api: list[Api] = []

    @model_validator(mode="after")
    def have_names(self) -> "Apis":
        if len({api.name for api in self.api}) < len(self.api):
            raise ValueError("two APIs have one name")
        return self


def read_apis(file: Path) -> list[Api]:
    """Failure, with every mistake and where it stands."""
    try:
        written: dict[str, Any] = tomllib.loads(file.read_text())
        return Apis.model_validate(written).api
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}", WRONG_USE) from None
    except tomllib.TOMLDecodeError as error:
        raise Failure(f"{file}: {error}", WRONG_USE) from None
    except ValidationError as error:
        wrong = [f"  {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise Failure("\n".join([f"{file} is not right:", *wrong]), WRONG_USE) from None
