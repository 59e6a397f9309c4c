"""The judges: what must hold in the tables once a run has come to rest, whatever was broken during it.

Each checker is one statement, so it sees one snapshot, and returns a Report. `db` is anything that fetches as
asyncpg does, connected as administrator, because services cannot read each other's schemas.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final, Protocol

from chaos.journal import UNKNOWN, Entry

SHOWN: Final = 20


class Database(Protocol):
    async def fetch(self, query: str, *arguments: object) -> list[Any]: ...


class ProofFailed(AssertionError):
    """A checker found what must not be, or had nothing to look at."""


@dataclass(frozen=True)
class Report:
    """How many things a checker looked at, its violations per kind, and the first 20 of each kind."""

    checker: str
    checked: int
    found: Mapping[str, int]
    violations: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """No violation among at least one thing: to have checked nothing proves nothing."""
        return self.checked > 0 and not self.found

    def assert_clean(self) -> None:
        if self.clean:
            return
        counts = ", ".join(f"{times} {kind}" for kind, times in self.found.items())
        situation = f"{counts} among {self.checked}" if self.found else "nothing to check; did any work run?"
        raise ProofFailed("\n".join([f"{self.checker}: {situation}", *self.violations]))


# C1 to C3 lay what was promised and what is found into one list of facts, grouped by what they are about.
# No join of large tables means none for the planner to get wrong while it has no statistics of them.

_ANSWERS: Final = """
    fact(key, asked, accepted, id, body_hash, made) AS (
        SELECT key, true, status BETWEEN 200 AND 299, id, body_hash, NULL
        FROM unnest($1::text[], $2::text[], $3::int[], $4::text[]) AS line(key, body_hash, status, id)
        UNION ALL
        SELECT key::text, false, false, NULL, NULL, id::text FROM ({created}) AS created(key, id)),
    judged AS (
        SELECT key, bool_or(accepted) AS accepted, bool_or(accepted AND id IS NULL) AS unnamed,
            count(DISTINCT id) FILTER (WHERE accepted) AS ids, min(id) FILTER (WHERE accepted) AS id,
            count(DISTINCT body_hash) FILTER (WHERE accepted) AS bodies,
            count(*) FILTER (WHERE NOT asked) AS times, min(made) AS made
        FROM fact GROUP BY key HAVING bool_or(asked)),
    checked AS (SELECT count(*) AS n FROM judged),
    violation AS (
        SELECT kind, format('key %s: %s created, 2xx with %s ids', key, times, ids) AS detail
        FROM judged CROSS JOIN LATERAL (VALUES
            ('accepted_and_lost', accepted AND times = 0),
            ('created_twice', times > 1),
            ('answered_two_ids', ids > 1),
            ('answered_another_id', ids = 1 AND times = 1 AND id <> made),
            ('accepted_without_id', unnamed),
            ('accepted_two_bodies', bodies > 1)) AS verdict(kind, holds)
        WHERE holds)
"""


async def check_answers(db: Database, journal: Iterable[Entry], created: str) -> Report:
    """C1: what was accepted was done, once.

    `created` is a query for (key, id) of all that was created. A key with a 2xx answer has exactly one, whose
    id all its 2xx answers carry, and all of those were to the same body; a key without has at most one.
    """
    lines = [
        (entry.key, entry.body_hash, None if entry.status == UNKNOWN else entry.status, entry.answer_id)
        for entry in journal
    ]
    return await judge(db, "C1 answers", _ANSWERS.format(created=created), *_columns(lines, 4))


_DELIVERIES: Final = """
    subscribed(type, consumer) AS (SELECT * FROM unnest($1::text[], $2::text[])),
    fact(consumer, event_id, type, expected, received, parked, dead) AS (
        SELECT consumer, id, type, 1, 0, 0, 0 FROM ({event_log}) AS event_log JOIN subscribed USING (type)
        UNION ALL
        SELECT consumer, event_id, type, 0, 1, 0, 0 FROM ({inbox}) AS inbox
        JOIN subscribed USING (type) WHERE service = consumer
        UNION ALL
        SELECT service, event_id, type, 0, 0, 1, 0 FROM ({parked}) AS parked
        UNION ALL
        SELECT service, event_id, NULL, 0, 0, 0, 1 FROM ({dead_letter}) AS dead_letter),
    judged AS (
        SELECT consumer, event_id, max(type) AS type, sum(expected) AS expected,
            CASE WHEN sum(parked) > 0 THEN 'parked'
                 WHEN sum(received) > sum(expected) THEN
                     CASE sum(expected) WHEN 0 THEN 'never_logged' ELSE 'received_twice' END
                 WHEN sum(received) = sum(expected) THEN NULL
                 WHEN sum(dead) > 0 THEN 'dead_lettered'
                 ELSE 'missing' END AS kind
        FROM fact GROUP BY consumer, event_id),
    checked AS (SELECT coalesce(sum(expected), 0)::bigint AS n FROM judged),
    violation AS (
        SELECT kind, format('%s %s at %s', type, event_id, consumer) AS detail
        FROM judged WHERE kind IS NOT NULL
        UNION ALL
        SELECT 'unsent', format('%s %s in the outbox of %s', type, event_id, service)
        FROM ({outbox}) AS outbox
        UNION ALL
        SELECT 'undelivered', format('%s from %s to %s', event_id, service, subscriber)
        FROM ({delivery}) AS delivery)
"""


async def check_deliveries(
    db: Database, producers: Sequence[str], subscriptions: Mapping[str, AbstractSet[str]]
) -> Report:
    """C2: every event of the producers' logs was received exactly once by each service subscribed to it.

    `subscriptions`: event type → consuming services. Nothing is left in outbox, delivery or parked; and
    nobody received what no log knows, as happens when an event is published and its transaction rolls back.
    """
    pairs = sorted((type_, consumer) for type_, consumers in subscriptions.items() for consumer in consumers)
    consumers = sorted({consumer for _, consumer in pairs})
    ctes = _DELIVERIES.format(
        event_log=_union(producers, "event_log", "id, type"),
        outbox=_union(producers, "outbox", "event_id, type"),
        delivery=_union(producers, "delivery", "event_id, subscriber"),
        inbox=_union(consumers, "inbox", "event_id, type"),
        parked=_union(consumers, "parked", "event_id, type"),
        dead_letter=_union(consumers, "dead_letter", "event_id"),
    )
    return await judge(db, "C2 deliveries", ctes, *_columns(pairs, 2))


_EFFECTS: Final = """
    fact(consumer, event_id, received, effects) AS (
        SELECT service, event_id, 1, 0 FROM ({inbox}) AS inbox
        UNION ALL
        SELECT consumer, event_id, 0, 1 FROM ({effects}) AS effect),
    judged AS (
        SELECT consumer, event_id, sum(received) AS received, sum(effects) AS effects
        FROM fact GROUP BY consumer, event_id),
    checked AS (SELECT count(*) FILTER (WHERE received > 0) AS n FROM judged),
    violation AS (
        SELECT CASE WHEN received = 0 THEN 'effect_without_event'
                    WHEN effects = 0 THEN 'no_effect'
                    ELSE 'effect_repeated' END AS kind,
            format('event %s at %s: %s effects', event_id, consumer, effects) AS detail
        FROM judged WHERE received = 0 OR effects <> 1)
"""


async def check_effects(db: Database, effects: Mapping[str, str]) -> Report:
    """C3: every event received had its effect exactly once, and no effect came without its event.

    `effects`: consumer → its table of effects (schema and name), which has a column event_id and, so that a
    second effect shows, no unique index.
    """
    rows = " UNION ALL ".join(
        f"SELECT {_literal(consumer)} AS consumer, event_id FROM {table}"
        for consumer, table in effects.items()
    )
    ctes = _EFFECTS.format(inbox=_union(effects, "inbox", "event_id"), effects=rows)
    return await judge(db, "C3 effects", ctes)


_SESSIONS: Final = """
    session AS (SELECT *, clock_timestamp() - state_change AS age FROM pg_stat_activity
                WHERE datname = current_database()),
    checked AS (SELECT count(*) AS n FROM session),
    violation AS (
        SELECT 'idle_in_transaction' AS kind,
            format('%s (pid %s) for %s after: %s', application_name, pid, age, left(query, 200)) AS detail
        FROM session WHERE state LIKE 'idle in transaction%' AND age > make_interval(secs => $1))
"""


async def check_sessions(db: Database, idle_seconds: float = 5.0) -> Report:
    """C9: no session of this database sits idle in a transaction longer than that."""
    return await judge(db, "C9 sessions", _SESSIONS, idle_seconds)


class NotQuiescent(Exception):
    """Work was still waiting when the time was up; rows left per table are in `left`."""

    def __init__(self, left: Mapping[str, int]) -> None:
        self.left = dict(left)
        waiting = ", ".join(f"{count} in {place}" for place, count in left.items())
        super().__init__(waiting or "nothing is waiting, but events kept coming")


Elsewhere = Callable[[], Awaitable[Mapping[str, int]]]


async def quiescent(
    db: Database,
    schemas: Sequence[str],
    within: float,
    *,
    calm: float = 1.0,
    elsewhere: Elsewhere | None = None,
) -> None:
    """Wait until outbox, delivery and parked of all schemas are empty and nothing moves for `calm` seconds.

    `elsewhere` counts what waits outside the database, as messages in the broker's queues. Raises
    NotQuiescent after `within` seconds.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    calm_since, volume = loop.time(), -1
    while True:
        left = await _counts(db, schemas, ("outbox", "delivery", "parked"))
        if elsewhere is not None:
            left |= {place: count for place, count in (await elsewhere()).items() if count}
        if left:
            volume = -1
        elif volume < 0 or loop.time() - calm_since >= calm:
            # An event may come and go between two looks; what it leaves in a log or an inbox stays.
            seen, volume = volume, sum((await _counts(db, schemas, ("event_log", "inbox"))).values())
            if seen == volume:
                return
            calm_since = loop.time()
        if loop.time() > deadline:
            raise NotQuiescent(left)
        await asyncio.sleep(min(0.05, calm / 4))


async def _counts(db: Database, schemas: Sequence[str], tables: Sequence[str]) -> dict[str, int]:
    counts = " UNION ALL ".join(
        f"SELECT {_literal(f'{schema}.{table}')} AS place, count(*) AS n FROM {_name(schema)}.{table}"
        for schema in schemas
        for table in tables
    )
    return {row["place"]: row["n"] for row in await db.fetch(counts) if row["n"]}


async def judge(db: Database, checker: str, ctes: str, *arguments: object) -> Report:
    """Run a checker: common table expressions of which `checked(n)` and `violation(kind, detail)` are two."""
    rows = await db.fetch(
        f"""WITH {ctes}
        SELECT n AS checked, kind, times, details FROM checked LEFT JOIN (
            SELECT kind, count(*) AS times, (array_agg(detail ORDER BY detail))[1:{SHOWN}] AS details
            FROM violation GROUP BY kind) AS found ON true
        ORDER BY kind""",
        *arguments,
    )
    found = {row["kind"]: row["times"] for row in rows if row["kind"]}
    details = [f"{row['kind']}: {detail}" for row in rows if row["kind"] for detail in row["details"]]
    return Report(checker, rows[0]["checked"], found, tuple(details))


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    """Rows as the arrays that unnest takes."""
    return [[row[column] for row in rows] for column in range(width)]


def _union(schemas: Iterable[str], table: str, columns: str) -> str:
    """The rows of the same table in several schemas, each with its `service`."""
    return " UNION ALL ".join(
        f"SELECT {_literal(schema)} AS service, {columns} FROM {_name(schema)}.{table}" for schema in schemas
    )


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
