"""The timers that have run out, and when to look again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Boolean, DateTime, SmallInteger, Text, Uuid, bindparam, text

from shared.db import Tx
from sla_monitor.alerts.store import SUBJECT, subject_of
from sla_monitor.clocks.rules.changes import StoredClock
from sla_monitor.clocks.rules.history import Subject
from sla_monitor.clocks.store import stored

_moment = DateTime(timezone=True)


@dataclass(frozen=True, slots=True)
class Due:
    """A clock with a timer that has run out.

    heard  the producers its verdict awaits have told everything up to the instant of the timer
    """

    clock: StoredClock
    subject: Subject
    threshold: int
    awaits: str
    heard: bool


# How far is asked once for each group of producers, not once for each of thousands of timers that wait.
_HEARD: Final = "due_at < (SELECT until FROM told WHERE told.awaits = timer.awaits)"
_CLAIM: Final = text(
    f"""
    WITH heard AS (
        SELECT * FROM unnest(CAST(:producers AS text[]), CAST(:untils AS timestamptz[]))
             AS heard (producer, until)
    ), told AS MATERIALIZED (
        SELECT awaits, coalesce((
            SELECT min(coalesce(until, '-infinity'))
            FROM unnest(string_to_array(awaits, ',')) AS awaited (producer) LEFT JOIN heard USING (producer)
        ), 'infinity') AS until
        FROM (SELECT DISTINCT awaits FROM timer WHERE due_at <= :now AND threshold >= 100) AS waiting
    )
    SELECT clock.*, timer.threshold, timer.awaits, coalesce({_HEARD}, false) AS heard,
           {SUBJECT}
    FROM timer JOIN clock ON clock.id = clock_id JOIN subject ON subject.id = subject_id
    WHERE due_at <= :now
      AND (threshold < 100 OR (threshold = 100 AND due_at <= :latest) OR {_HEARD})
    ORDER BY due_at, clock_id LIMIT :batch
    FOR UPDATE OF timer, clock SKIP LOCKED
    """
).bindparams(
    bindparam("producers", type_=ARRAY(Text)),
    bindparam("untils", type_=ARRAY(_moment)),
)


async def claim_due(
    tx: Tx, now: datetime, latest: datetime, watermarks: Mapping[str, datetime], batch: int
) -> list[Due]:
    """At most `batch` due timers with their clocks, held; those that somebody else holds are left to them.

    The timer of a breach is due when the watermarks have passed it, or when it lies before `latest`; the one
    that confirms a breach only by the watermarks.
    """
    producers = sorted(watermarks)
    found = await tx.execute(
        _CLAIM,
        {
            "now": now,
            "latest": latest,
            "producers": producers,
            "untils": [watermarks[each] for each in producers],
            "batch": batch,
        },
    )
    return [Due(stored(row), subject_of(row), row.threshold, row.awaits, row.heard) for row in found.all()]


_SETTLE: Final = text(
    """
    WITH done AS (
        DELETE FROM timer USING unnest(CAST(:clocks AS uuid[]), CAST(:thresholds AS smallint[]))
             AS done (clock, done) WHERE clock_id = clock AND threshold = done.done
    )
    UPDATE clock SET outcome = judged.outcome, pause_reason = judged.pause_reason,
        paused_from = judged.paused_from, paused_until = judged.paused_until,
        pause_by = CASE WHEN judged.pause_reason IS NOT NULL THEN clock.pause_by END,
        pause_note = CASE WHEN judged.pause_reason IS NOT NULL THEN clock.pause_note END,
        warned = judged.warned,
        alerted_at = judged.alerted_at, confirmed = judged.confirmed, version = judged.version
    FROM unnest(CAST(:ids AS uuid[]), CAST(:outcomes AS text[]), CAST(:reasons AS text[]),
                CAST(:froms AS timestamptz[]), CAST(:untils AS timestamptz[]), CAST(:warned AS smallint[]),
                CAST(:alerted AS timestamptz[]), CAST(:confirmed AS boolean[]), CAST(:versions AS bigint[]))
         AS judged (id, outcome, pause_reason, paused_from, paused_until, warned, alerted_at, confirmed,
                    version)
    WHERE clock.id = judged.id
    """
).bindparams(
    *(bindparam(name, type_=ARRAY(Uuid)) for name in ("ids", "clocks")),
    *(bindparam(name, type_=ARRAY(Text)) for name in ("outcomes", "reasons")),
    *(bindparam(name, type_=ARRAY(_moment)) for name in ("froms", "untils", "alerted")),
    *(bindparam(name, type_=ARRAY(SmallInteger)) for name in ("warned", "thresholds")),
    bindparam("confirmed", type_=ARRAY(Boolean)),
    bindparam("versions", type_=ARRAY(BigInteger)),
)


async def settle(tx: Tx, dealt: Sequence[tuple[UUID, int]], clocks: Sequence[StoredClock]) -> None:
    """Forget timers, by clock and threshold; store what verdicts may change of clocks that are held."""
    ordered = sorted(dealt)
    pauses = [each.pause for each in clocks]
    await tx.execute(
        _SETTLE,
        {
            "clocks": [clock for clock, _ in ordered],
            "thresholds": [threshold for _, threshold in ordered],
            "ids": [each.id for each in clocks],
            "outcomes": [each.outcome for each in clocks],
            "reasons": [each.reason if each else None for each in pauses],
            "froms": [each.begins if each else None for each in pauses],
            "untils": [each.ends if each else None for each in pauses],
            "warned": [each.warned for each in clocks],
            "alerted": [each.alerted_at for each in clocks],
            "confirmed": [each.confirmed for each in clocks],
            "versions": [each.version for each in clocks],
        },
    )


_NEXT: Final = text(
    """
    WITH waiting AS MATERIALIZED (
        SELECT EXISTS (SELECT FROM timer WHERE due_at <= :now AND threshold <= 100) AS found
    )
    SELECT found, CASE WHEN found THEN (
        SELECT min(due_at) FROM timer WHERE due_at > :now AND due_at < :soon AND threshold < 100
    ) ELSE (SELECT min(due_at) FROM timer WHERE due_at > :now) END AS ahead
    FROM waiting
    """
)
# A verdict that waits for a watermark, or a clock that somebody holds, is looked at again so soon.
_SOON: Final = timedelta(milliseconds=50)


async def next_due(tx: Tx, now: datetime) -> datetime | None:
    """When to look again: at the next timer, soon if one is due that could not be dealt with.

    While one waits, breaches that fall due are not looked at one by one: no watermark has passed them yet
    either, and looking would keep the loop busy when it comes. Warnings and ends of pauses still are.
    """
    soon = now + _SOON
    row = (await tx.execute(_NEXT, {"now": now, "soon": soon})).one()
    ahead: datetime | None = row.ahead
    return ahead or soon if row.found else ahead
