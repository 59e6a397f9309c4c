"""Tables as they are after years, filled by the server itself: tickets with clocks and timers; requests.

Identifiers are those of `key`: they ascend, as those that are made one after the other do.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

import asyncpg

ENGINEER: Final = UUID(int=1)
FIRST_DUE: Final = "timestamptz '2030-01-01'"
"""When the first timer is due; the others follow a second apart, and no benchmark lives to see it."""

_INDEXES: Final = """
    SELECT indexdef AS make, format('DROP INDEX %I.%I', schemaname, indexname) AS remove FROM pg_indexes
    WHERE schemaname = $1 AND tablename = ANY($2::text[]) AND NOT EXISTS (
        SELECT FROM pg_constraint WHERE conindid = format('%I.%I', schemaname, indexname)::regclass)
"""


def key(kind: int, n: str = "n") -> str:
    """SQL: the identifier of the n-th thing of a kind (0 to 15), in the form of a UUID of version 7."""
    return f"CAST(lpad(to_hex({n}), 12, '0') || '700{kind:x}8' || lpad(to_hex({n}), 15, '0') AS uuid)"


def key_of(kind: int, n: int) -> UUID:
    """The same here."""
    return UUID(f"{n:012x}700{kind:x}8{n:015x}")


TICKET, CLOCK, EVENT, REQUEST, CUSTOMER, MESSAGE, TRIAGE = range(7)

_TICKETS: Final = (
    f"""
    INSERT INTO sla.subject (id, kind, title, region, severity, product_line, customer_level, owner_id,
                             first_at)
    SELECT {key(TICKET)}, 'ticket', 'The compressor overheats', 'east', 'urgent', 'cooling', 'standard',
           '{ENGINEER}', {FIRST_DUE} + n * interval '1 s' - interval '2 h'
    FROM generate_series($1::bigint, $2::bigint) AS n
    """,
    f"""
    INSERT INTO sla.history (subject_id, event_id, kind, sequence, at, facts)
    SELECT {key(TICKET)}, {key(EVENT)}, 'dispatch.ticket_assigned', 1,
           {FIRST_DUE} + n * interval '1 s' - interval '2 h',
           jsonb_build_object('severity', 'urgent', 'same_city', true, 'episode', 1, 'region', 'east',
                              'engineer_id', '{ENGINEER}', 'centre', 'SH1')
    FROM generate_series($1::bigint, $2::bigint) AS n
    """,
    f"""
    INSERT INTO sla.clock (id, subject_id, promise, occurrence, requirement, rule, measure, allowance,
        severity, started_at, deadline, standing, outcome, warned, policy_version, calendar_version, revision,
        version)
    SELECT {key(CLOCK)}, {key(TICKET)}, 'on_site', 1, 'R54', 'wall', 'wall', interval '2 h', 'urgent',
           due - interval '2 h', due, false, 'running', 0, 1, 1, 0, 1
    FROM generate_series($1::bigint, $2::bigint) AS n,
         LATERAL (SELECT {FIRST_DUE} + n * interval '1 s' AS due) AS instant
    """,
    f"""
    INSERT INTO sla.timer (clock_id, threshold, due_at, awaits)
    SELECT {key(CLOCK)}, 100, {FIRST_DUE} + n * interval '1 s', 'dispatch'
    FROM generate_series($1::bigint, $2::bigint) AS n
    """,
)
_REQUESTS: Final = (
    f"""
    INSERT INTO intake.customer (id, name, level)
    SELECT {key(CUSTOMER)}, 'Example customer', 'standard' FROM generate_series($1::bigint, $2::bigint) AS n
    """,
    f"""
    INSERT INTO intake.identity (kind, value, customer_id)
    SELECT 'phone', '+86139' || lpad(n::text, 8, '0'), {key(CUSTOMER)}
    FROM generate_series($1::bigint, $2::bigint) AS n
    """,
    f"""
    INSERT INTO intake.request (id, channel, account, external_id, customer_id, kind, severity, region, city,
                                product_line, title, received_at, ticket_id, version)
    SELECT {key(REQUEST)}, 'web_form', '', n::text, {key(CUSTOMER)}, 'fault', 'general', 'east', 'shanghai',
           'cooling', 'The compressor overheats', now() - n * interval '1 s', {key(TICKET)}, 1
    FROM generate_series($1::bigint, $2::bigint) AS n
    """,
    f"""
    INSERT INTO intake.triage (id, request_id, kind, severity, reasons)
    SELECT {key(TRIAGE)}, {key(REQUEST)}, 'fault', 'general', '[]'
    FROM generate_series($1::bigint, $2::bigint) AS n
    """,
    f"""
    INSERT INTO intake.message (id, request_id, direction, channel, external_id, author, text, state)
    SELECT {key(MESSAGE)}, {key(REQUEST)}, 'in', 'web_form', n::text, 'customer',
           'The compressor overheats and sometimes stops since this morning.', 'received'
    FROM generate_series($1::bigint, $2::bigint) AS n
    """,
)


async def fill_tickets(admin: asyncpg.Connection, tickets: int) -> None:
    """So many urgent tickets in sla's tables, each with one running clock and its armed timer."""
    await _fill(admin, "sla", ("subject", "history", "clock", "timer"), _TICKETS, tickets)


async def fill_requests(admin: asyncpg.Connection, requests: int) -> None:
    """So many requests in intake's tables, each of another customer, with triage and message."""
    names = ("customer", "identity", "request", "triage", "message")
    await _fill(admin, "intake", names, _REQUESTS, requests)


async def _fill(
    admin: asyncpg.Connection, schema: str, tables: tuple[str, ...], statements: tuple[str, ...], rows: int
) -> None:
    """Without checks and, as far as possible, without indexes, which are made anew at the end."""
    indexes = await admin.fetch(_INDEXES, schema, list(tables))
    await admin.execute("SET session_replication_role = replica; SET maintenance_work_mem = '256MB'")
    for index in indexes:
        await admin.execute(index["remove"])
    for statement in statements:
        await admin.execute(statement, 1, rows)
    for index in indexes:
        await admin.execute(index["make"])
    await admin.execute("RESET session_replication_role; RESET maintenance_work_mem")
    await admin.execute("VACUUM ANALYZE " + ", ".join(f"{schema}.{table}" for table in tables))
    await admin.execute("CHECKPOINT")
