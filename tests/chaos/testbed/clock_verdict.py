"""What must hold of clocks and alerts once nothing moves any more, whatever was broken meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from chaos.checkers import Report, judge
from testbed.matters import Matter

# What the oracle says, and what each breach that was told said of itself.
_KNOWN: Final = """
    oracle(subject, deadline, outcome, ended, prompt) AS (
        SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::timestamptz[], $5::bool[])),
    event AS (SELECT type, body::jsonb AS body FROM sla.event_log),
    breach AS (
        SELECT (body ->> 'subject')::uuid AS clock_id, (body #>> '{data,revision}')::int AS revision,
            (body #>> '{data,deadline}')::timestamptz AS deadline,
            (body #>> '{data,confirmed}')::bool AS confirmed
        FROM event WHERE type = 'sla.clock_breached.v1'),
    retraction AS (
        SELECT (body ->> 'subject')::uuid AS clock_id, (body #>> '{data,revision}')::int AS revision
        FROM event WHERE type = 'sla.clock_amended.v1' AND body #>> '{data,previous_outcome}' = 'breached'
            AND body #>> '{data,outcome}' <> 'breached'),
"""
_CLOCKS: Final = (
    _KNOWN
    + """
    judged AS (
        SELECT oracle.subject, count(clock.id) AS clocks,
            bool_and((clock.outcome, clock.deadline) = (oracle.outcome, oracle.deadline)
                AND clock.stopped_at IS NOT DISTINCT FROM oracle.ended) AS agrees,
            min(format('%s by %s, ended %s; the oracle: %s by %s, ended %s', clock.outcome, clock.deadline,
                clock.stopped_at, oracle.outcome, oracle.deadline, oracle.ended)) AS said
        FROM oracle LEFT JOIN sla.clock ON clock.subject_id = oracle.subject GROUP BY oracle.subject),
    checked AS (SELECT count(*) AS n FROM judged),
    violation AS (
        SELECT kind, format('%s: %s', subject, said) AS detail
        FROM judged CROSS JOIN LATERAL (VALUES
            ('missing', clocks = 0), ('doubled', clocks > 1), ('wrong', clocks = 1 AND NOT agrees)
        ) AS verdict(kind, holds) WHERE holds)
"""
)
_ALERTS: Final = (
    _KNOWN
    + """
    due AS (
        SELECT clock.id AS clock_id, revision, prompt, oracle.outcome = 'breached' AS missed
        FROM oracle JOIN sla.clock ON clock.subject_id = oracle.subject),
    -- Every revision up to the present one had its breach told, the present one if it was missed.
    owed AS (
        SELECT clock_id, n AS revision, prompt, n < revision AS retracted
        FROM due, generate_series(0, revision) AS n WHERE n < revision OR missed),
    told AS (SELECT clock_id, revision, count(*) AS times, max(at) AS at FROM sla.alert
        JOIN public.raised ON alert_id = id WHERE threshold = 100 GROUP BY clock_id, revision),
    fact AS (
        SELECT clock_id, revision, owed.retracted, prompt, owed.clock_id IS NOT NULL AS owed,
            coalesce(told.times, 0) AS alerts, told.at,
            (SELECT count(*) FROM breach WHERE (breach.clock_id, breach.revision) = (f.clock_id, f.revision))
                AS events,
            (SELECT min(deadline) FROM breach
                WHERE (breach.clock_id, breach.revision) = (f.clock_id, f.revision)) AS deadline,
            (SELECT bool_or(confirmed) FROM breach
                WHERE (breach.clock_id, breach.revision) = (f.clock_id, f.revision)) AS confirmed,
            (SELECT count(*) FROM retraction
                WHERE (retraction.clock_id, retraction.revision) = (f.clock_id, f.revision + 1))
                AS retractions
        FROM (SELECT clock_id, revision FROM owed UNION SELECT clock_id, revision FROM told) AS f
        LEFT JOIN owed USING (clock_id, revision) LEFT JOIN told USING (clock_id, revision)),
    checked AS (SELECT count(*) AS n FROM fact),
    violation AS (
        SELECT kind, format('clock %s, revision %s: %s alerts, %s events, due %s, raised %s', clock_id,
            revision, alerts, events, deadline, at) AS detail
        FROM fact CROSS JOIN LATERAL (VALUES
            ('missing', owed AND alerts = 0),
            ('false', NOT owed),
            ('doubled', alerts > 1 OR events > 1),
            ('untold', alerts > 0 AND events = 0),
            ('early', at < deadline),
            ('not_retracted', retracted AND retractions <> 1),
            ('false_and_unmarked', retracted AND prompt AND confirmed)
        ) AS verdict(kind, holds) WHERE holds)
"""
)
# Of several that have passed at once only the highest is given; and none after the end, or the deadline.
_WARNINGS: Final = (
    _KNOWN
    + """
    warned AS (
        SELECT oracle.subject, clock.started_at + clock.allowance * 0.5 AS due, oracle.deadline, ended,
            (SELECT count(*) FROM sla.alert WHERE clock_id = clock.id AND threshold < 100) AS alerts,
            (SELECT min(at) FROM sla.alert JOIN public.raised ON alert_id = alert.id
                WHERE clock_id = clock.id AND threshold < 100) AS at,
            (SELECT max(raised_at) FROM sla.alert WHERE clock_id = clock.id AND threshold < 100) AS judged_at
        FROM oracle JOIN sla.clock ON clock.subject_id = oracle.subject),
    checked AS (SELECT count(*) AS n FROM warned),
    violation AS (
        SELECT kind, format('%s: %s, due %s, raised %s', subject, alerts, due, at) AS detail
        FROM warned CROSS JOIN LATERAL (VALUES
            ('doubled', alerts > 1), ('early', at < due), ('after_the_deadline', judged_at >= deadline)
        ) AS verdict(kind, holds) WHERE holds)
"""
)
_OVERDUE: Final = (
    _KNOWN
    + """
    overdue AS (
        SELECT oracle.subject, oracle.deadline, min(raised.at) AS at
        FROM oracle JOIN sla.clock ON clock.subject_id = oracle.subject
        LEFT JOIN sla.alert ON alert.clock_id = clock.id AND threshold = 100
        LEFT JOIN public.raised ON raised.alert_id = alert.id
        WHERE oracle.outcome = 'breached' AND oracle.deadline BETWEEN $6 AND $7 GROUP BY 1, 2),
    checked AS (SELECT count(*) AS n FROM overdue),
    violation AS (
        SELECT 'late' AS kind, format('%s: due %s, raised %s', subject, deadline, at) AS detail
        FROM overdue WHERE at IS NULL OR at > $7::timestamptz + $8::interval)
"""
)
_LATE: Final = """
    SELECT percentile_cont(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (ORDER BY extract(epoch FROM at - deadline))
    FROM sla.alert JOIN public.raised ON alert_id = alert.id JOIN sla.clock ON clock.id = clock_id
    WHERE threshold = 100 AND alert.revision = clock.revision
"""
_NOT_RECEIVED: Final = """
    SELECT count(*)
    FROM (SELECT id FROM intake.event_log UNION ALL SELECT id FROM dispatch.event_log) AS logged
    WHERE NOT EXISTS (SELECT FROM sla.inbox WHERE event_id = logged.id)
"""
_MOVING: Final = {"not received": _NOT_RECEIVED, "timers armed": "SELECT count(*) FROM sla.timer"}


@dataclass(frozen=True)
class ClockJudge:
    """Waits until every event has arrived and every timer has run out, then compares with the oracle."""

    admin: asyncpg.Connection
    matters: Sequence[Matter]
    caught_up: timedelta

    async def verdict(self, stopped: datetime, started: datetime, within: float) -> list[Report]:
        """All reports; `stopped` and `started` are when all replicas were gone, and one was there again."""
        rest = await self._come_to_rest(within)
        known, overdue = self._oracle(), f"overdue caught up within {self.caught_up.seconds} s of the start"
        return [
            rest,
            await judge(self.admin, "clocks are as the oracle says", _CLOCKS, *known),
            await judge(self.admin, "each breach alerted once, in time, or taken back", _ALERTS, *known),
            await judge(self.admin, "warnings once, never early", _WARNINGS, *known),
            await judge(self.admin, overdue, _OVERDUE, *known, stopped, started, self.caught_up),
        ]

    async def counts(self) -> dict[str, int | float]:
        """What was done, and how late alerts were, outages and all."""
        late = (await self.admin.fetchval(_LATE)) or [0, 0, 0]
        share = "SELECT count(*) FROM sla.alert WHERE threshold = 100"
        return {
            "tickets and requests": len(self.matters),
            "breaches": sum(each.outcome == "breached" for each in self.matters),
            "breaches alerted": await self.admin.fetchval(share),
            "alerts taken back": await self.admin.fetchval(
                "SELECT coalesce(sum(revision), 0) FROM sla.clock"
            ),
            "warnings": await self.admin.fetchval(share.replace("=", "<")),
            **{
                f"seconds from deadline to alert, {name}": round(value, 2)
                for name, value in zip(("median", "99 %", "longest"), late, strict=True)
            },
        }

    async def _come_to_rest(self, within: float) -> Report:
        left: dict[str, int] = {}
        try:
            async with asyncio.timeout(within):
                while left := await self._left():  # noqa: ASYNC110 - other processes are at work
                    await asyncio.sleep(0.1)
        except TimeoutError:
            return Report("comes to rest", 1, left, tuple(f"{name}: {n}" for name, n in left.items()))
        return Report("comes to rest", len(self.matters), {}, ())

    async def _left(self) -> dict[str, int]:
        found = {name: await self.admin.fetchval(query) for name, query in _MOVING.items()}
        return {name: n for name, n in found.items() if n}

    def _oracle(self) -> list[list[Any]]:
        rows = [(each.id, each.deadline, each.outcome, each.ended, each.prompt) for each in self.matters]
        return [list(column) for column in zip(*rows, strict=True)]
