"""What the tables of both services have in common: how constraints are named, and who says what time it is."""

from typing import Any

from sqlalchemy import Column, DateTime, MetaData, text
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.types import UserDefinedType


def named_metadata() -> MetaData:
    """Every constraint gets a name that follows from its table, so that a violated one can be told by it."""
    return MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(referred_table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
        }
    )


def by_database_clock(name: str) -> Column[object]:
    """When the row was written, unless said otherwise."""
    return Column(name, DateTime(timezone=True), nullable=False, server_default=text("now()"))


class Xid8(UserDefinedType[Any]):
    """The number of a transaction, 64 bits and never used twice."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "xid8"


ischema_names["xid8"] = Xid8  # so that `alembic check` can read it back
