"""What a change would mean for whom, found by making it and taking it back (AIP-163)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from shared.database import Database, Tx
from tenancy_service.permissions import LeastRole

Response = TypeVar("Response", bound=Any)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose access a change may touch, and where.

    With `user_ids`: those people, in the organization and on all its projects. With `project_id`: everybody, on that
    project. With neither: everybody, in the organization itself.
    """

    organization_id: UUID
    user_ids: tuple[UUID, ...] = ()
    project_id: UUID | None = None


class Previews:
    """`permissions` are all there are, also the deployment's own."""

    def __init__(self, database: Database, permissions: Mapping[str, LeastRole]) -> None:
        self._database, self._permissions = database, permissions

    async def of(self, act: Callable[[Tx], Awaitable[Response]], scope: Callable[[Tx], Awaitable[Scope]]) -> Response:
        """The response that `act` would give, with `changes` and `change_count`; nothing stays."""
        raise NotImplementedError
