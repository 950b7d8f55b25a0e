"""What both histories' env.py do: connect, wait for the lock, run."""

import os
import time
import zlib

import sqlalchemy
from alembic import context
from sqlalchemy import Connection, MetaData

LOCK_PATIENCE = 60  # seconds


def run(metadata: MetaData, service: str) -> None:
    """Several replicas may migrate at once: one does the work, the others wait and find nothing to do."""
    url = context.config.attributes.get("url") or os.environ["MIGRATION_URL"]
    engine = sqlalchemy.create_engine(
        sqlalchemy.make_url(url).set(drivername="postgresql+psycopg"),
        poolclass=sqlalchemy.NullPool,
        connect_args={"options": "-c lock_timeout=2s", "connect_timeout": 5},
    )
    with engine.connect() as connection:
        lock(connection, service)
        context.configure(
            connection,
            target_metadata=metadata,
            transaction_per_migration=True,
            compare_type=True,
            compare_server_default=False,
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


def lock(connection: Connection, service: str) -> None:
    """Poll, with a commit between tries: a blocking wait would deadlock with CREATE INDEX CONCURRENTLY.

    Held by the session, so it ends with the connection.
    """
    key = zlib.crc32(f"migrate:{service}".encode())
    end = time.monotonic() + LOCK_PATIENCE
    while not connection.scalar(sqlalchemy.text("SELECT pg_try_advisory_lock(:key)"), {"key": key}):
        connection.commit()
        if time.monotonic() > end:
            raise TimeoutError(f"another migration of {service} held the lock for {LOCK_PATIENCE} s")
        time.sleep(0.2)
    connection.commit()
