"""What the tables of both services have in common: how constraints are named, and who says what time it is."""

from sqlalchemy import Column, DateTime, MetaData, text


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
