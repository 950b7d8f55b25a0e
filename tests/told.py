"""Where secrets must not stand: in what the services say, and in their tables."""

import re

import psycopg

from tests.canaries import Canaries
from tests.hostile import HOSTILE

# Put into every field by the tests of hostile texts, those too whose values are told.
NO_SECRETS = set(HOSTILE)
# Every table but for those of identity where a sid belongs.
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('session', 'session_ended')"


def none_in_logs(canaries: Canaries) -> None:
    assert canaries.found_in(canaries.said()) - NO_SECRETS == set()


async def none_in_tables(database_url: str, canaries: Canaries) -> list[str]:
    """The tables that were looked through."""
    async with await psycopg.AsyncConnection.connect(database_url) as rows:
        tables = [name for (name,) in await (await rows.execute(TABLES)).fetchall()]
        for table in tables:
            stored = await (await rows.execute(f"SELECT t::text FROM {table} t")).fetchall()
            text = "\n".join(row for (row,) in stored)
            readable = text + "\n" + "\n".join(unhexed(word) for word in re.findall(r"\\x([0-9a-f]+)", text))
            assert canaries.found_in(readable) - NO_SECRETS == set(), table
    return tables


def unhexed(word: str) -> str:
    """bytea, as messages are stored."""
    return bytes.fromhex(word).decode("utf-8", "backslashreplace")
