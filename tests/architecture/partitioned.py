"""Tenancy's tables once more, distributed: each that has an organization_id in parts, by its hash.

PostgreSQL itself then says which statements stay in one part: the planner leaves out all others only where the
statement carries the key. Its partitioned tables have the rule that distributed ones have too: a unique constraint
contains the key.
"""

from collections.abc import Iterator
from typing import Any

import psycopg
from sqlalchemy import Index, MetaData, PrimaryKeyConstraint, Table, UniqueConstraint, create_engine, make_url, text

from tenancy_service.tables import metadata
from tenantry.testing.databases import Databases

KEY = "organization_id"
PARTS = 2  # a statement reads one of them or all
PART = f"CREATE TABLE {{0}}_{{1}} PARTITION OF {{0}} FOR VALUES WITH (MODULUS {PARTS}, REMAINDER {{1}})"
READING = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
EPOCH = "CREATE FUNCTION current_event_epoch() RETURNS integer LANGUAGE sql STABLE AS 'SELECT 1'"
DISTRIBUTED = {name for name, table in metadata.tables.items() if KEY in table.c}


def make(databases: Databases) -> str:
    """The address of a new database with such tables."""
    url = databases.owner_url("tenancy", databases.empty("tenancy"))
    parts, twin = [], MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.sorted_tables:
        copy = table.to_metadata(twin)
        if table.name in DISTRIBUTED:
            copy.dialect_options["postgresql"]["partition_by"] = f"HASH ({KEY})"
            _make_keys_fit(copy)
            parts += [PART.format(copy.name, n) for n in range(PARTS)]
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(text(EPOCH))
        twin.create_all(connection)
        for part in parts:
            connection.execute(text(part))
    engine.dispose()
    return url


def _make_keys_fit(table: Table) -> None:
    """What is unique without the key cannot be so here; the test has a list of these."""
    for unique in unique_keys(table):
        if KEY in columns(unique):
            continue
        if isinstance(unique, PrimaryKeyConstraint):
            for column in table.columns:
                column.primary_key = False  # or it warns of what is replaced
            table.append_constraint(PrimaryKeyConstraint(KEY, *columns(unique), name=str(unique.name)))
        elif isinstance(unique, UniqueConstraint):
            table.constraints.discard(unique)
        else:
            table.indexes.discard(unique)


def unique_keys(table: Table) -> Iterator[PrimaryKeyConstraint | UniqueConstraint | Index]:
    for constraint in list(table.constraints):
        if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint):
            yield constraint
    yield from [index for index in table.indexes if index.unique]


def columns(key: PrimaryKeyConstraint | UniqueConstraint | Index) -> list[str]:
    return [column.name for column in key.columns]


def everywhere(connection: "psycopg.Connection[Any]", statement: str, values: Any) -> set[str]:
    """The tables of which the statement reads or writes all parts, as the planner says for these values."""
    if not statement.lstrip().startswith(READING):
        return set()
    cursor = psycopg.RawCursor(connection) if "$1" in statement else connection.cursor()  # as the hot path writes it
    row = cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", values).fetchone()
    assert row is not None
    named = set(relations(row[0]))
    return {table for table in DISTRIBUTED if {f"{table}_{n}" for n in range(PARTS)} <= named}


def relations(plan: Any) -> Iterator[str]:
    if isinstance(plan, dict):
        if "Relation Name" in plan:
            yield plan["Relation Name"]
        for each in plan.values():
            yield from relations(each)
    elif isinstance(plan, list):
        for each in plan:
            yield from relations(each)
