"""Rows as a deployment has them, made inside PostgreSQL, and what each table and index takes of the disk for a row."""

import base64
import hashlib
from typing import Any, LiteralString
from uuid import UUID

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]

IN_ORGANIZATION = 10  # members, and projects, of each organization
HASH = "$argon2id$v=19$m=19456,t=2,p=1$" + "a" * 22 + "$" + "b" * 43
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"

# A user's id: of the same user in both databases, and growing with time as UUIDv7s do.
USER: LiteralString = """(lpad(to_hex(1700000000000 + n), 12, '0') || '7' || substr(md5(n::text), 1, 3)
                          || '8' || substr(md5(n::text), 4, 15))::uuid"""
# In the order of their references; %(rows)s of each but where it says otherwise.
IDENTITY: tuple[LiteralString, ...] = (
    f"""INSERT INTO users (user_id, email, email_key, display_name, password_hash, email_verified_time)
       SELECT {USER}, 'somebody.' || n || '@example.com', 'somebody.' || n || '@example.com', 'Somebody ' || n,
              %(hash)s, now()
         FROM generate_series(1, %(rows)s) n""",
    """INSERT INTO session (sid, sess, expire, ip, user_agent, amr, device_name)
       SELECT translate(encode(sha256(user_id::text::bytea), 'base64'), '+/=', '-_'),
              jsonb_build_object('userId', user_id, 'cookie', jsonb_build_object('originalMaxAge', 1800000,
                  'expires', '2026-01-01T00:00:00.000Z', 'httpOnly', true, 'path', '/')),
              now() + interval '1 day', '192.0.2.7', %(agent)s, '{pwd}', 'Chrome on Linux'
         FROM users ORDER BY user_id""",
    """INSERT INTO known_devices (user_id, device_hash)
       SELECT user_id, sha256(user_id::text::bytea) FROM users ORDER BY user_id""",
    """INSERT INTO events (type, user_id, user_message)
       SELECT 'USER_UPDATED', user_id, convert_to(repeat('a', 160), 'UTF8') FROM users ORDER BY user_id""",
    """INSERT INTO audit_events (audit_event_id, action, user_id, actor_user_id, ip, user_agent, request_id)
       SELECT uuidv7(), 'SIGN_IN', user_id, user_id, '192.0.2.7', %(agent)s, gen_random_uuid()::text
         FROM users ORDER BY user_id""",
)
TENANCY: tuple[LiteralString, ...] = (
    """CREATE TEMPORARY TABLE places AS
       SELECT uuidv7() AS organization_id, n AS place FROM generate_series(1, %(places)s) n""",
    """INSERT INTO organizations (organization_id, slug, display_name)
       SELECT organization_id, 'organization-' || place, 'Organization ' || place FROM places ORDER BY place""",
    f"""CREATE TEMPORARY TABLE people AS
       SELECT organization_id, {USER} AS user_id, uuidv7() AS project_id, n
         FROM generate_series(1, %(rows)s) n JOIN places ON place = n %% %(places)s + 1 ORDER BY n""",
    """INSERT INTO organization_members (organization_id, user_id, role)
       SELECT organization_id, user_id, 'MEMBER' FROM people ORDER BY n""",
    """INSERT INTO projects (organization_id, project_id, slug, display_name)
       SELECT organization_id, project_id, 'project-' || n, 'Project ' || n FROM people ORDER BY n""",
    """INSERT INTO project_members (organization_id, project_id, user_id, inherited_from_org, role, set_by_user_id)
       SELECT organization_id, project_id, user_id, false, 'EDITOR', user_id FROM people ORDER BY n""",
    """INSERT INTO invitations (organization_id, invitation_id, email, email_key, role, inviter_user_id, secret_hash,
                                expire_time)
       SELECT organization_id, uuidv7(), 'guest.' || n || '@example.com', 'guest.' || n || '@example.com', 'MEMBER',
              user_id, sha256(user_id::text::bytea), now() + interval '7 days'
         FROM people ORDER BY n""",
    """INSERT INTO user_names (user_id, email_key, name_key)
       SELECT user_id, 'somebody.' || n || '@example.com', 'somebody ' || n FROM people ORDER BY n""",
    """INSERT INTO events (type, organization_id, user_id, message)
       SELECT 'MEMBER_ADDED', organization_id, user_id, convert_to(repeat('a', 160), 'UTF8') FROM people ORDER BY n""",
    """INSERT INTO audit_events (audit_event_id, action, organization_id, target_user_id, actor_user_id, ip, user_agent,
                                 request_id)
       SELECT uuidv7(), 'MEMBER_ADDED', organization_id, user_id, user_id, '192.0.2.7', %(agent)s,
              gen_random_uuid()::text
         FROM people ORDER BY n""",
    # As if another worker followed identity's events: nothing is to go on beside what is measured.
    "UPDATE identity_cursor SET holder = gen_random_uuid(), hold_until = now() + interval '1 day'",
)
SIZES = """
SELECT t.relname, t.reltuples::bigint AS rows, pg_table_size(t.oid) AS heap,
       (SELECT jsonb_object_agg(i.relname, pg_relation_size(i.oid))
          FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = t.oid) AS indexes
  FROM pg_class t
 WHERE t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace AND t.reltuples >= %s
 ORDER BY t.relname"""


def sid_of(user_id: UUID) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(str(user_id).encode()).digest()).decode().rstrip("=")


def fill(connection: Connection, statements: tuple[LiteralString, ...], rows: int) -> None:
    values = {"rows": rows, "places": rows // IN_ORGANIZATION, "hash": HASH, "agent": AGENT}
    with connection.transaction():
        for statement in statements:
            connection.execute(statement, values)
    connection.execute("VACUUM ANALYZE")


def show(connection: Connection, service: str, rows: int) -> None:
    """Only tables that were filled."""
    print(f"\n| {service} | bytes a row: table | indexes | all | 1,000,000 rows |\n|---|---|---|---|---|")
    for name, count, heap, indexes in connection.execute(SIZES, [rows // IN_ORGANIZATION]).fetchall():
        each = ", ".join(f"`{index}` {size / count:.0f}" for index, size in sorted(indexes.items()))
        whole = (heap + sum(indexes.values())) / count
        print(f"| `{name}` | {heap / count:.0f} | {each} | {whole:.0f} | {whole / 1.048576:,.0f} MiB |")
