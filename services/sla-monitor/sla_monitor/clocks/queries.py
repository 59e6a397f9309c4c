"""Clocks as people ask for them: lists, one subject's, and today's figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Text, bindparam, text

from shared.db import Tx
from shared.errors import AftercareError
from shared.http.auth import Principal
from sla_monitor.clocks.rules import Outcome
from sla_monitor.clocks.view import FROM, View, within
from sla_monitor.scope import WITHIN, limited, limits


class ClockUnknown(AftercareError):
    """There is no clock {id}."""

    kind = "not_found"


_SHOWN: Final = """
    clock.id, clock.subject_id, clock.promise, clock.occurrence, clock.requirement, clock.rule,
    clock.severity, clock.started_at, clock.deadline, clock.pause_reason, clock.paused_from,
    clock.paused_until, clock.pause_by, clock.pause_note, clock.outcome, clock.stopped_at, clock.confirmed,
    clock.revision, clock.version,
    subject.kind, subject.title, subject.region
"""


_ONE: Final = limited(
    text(
        f"""
        SELECT {_SHOWN} FROM clock JOIN subject ON subject.id = subject_id
        WHERE clock.id = :id AND {WITHIN}
        """
    )
)


async def load_clock(tx: Tx, viewer: Principal, id: UUID) -> Any:
    """A clock with its subject; `ClockUnknown` when there is none that `viewer` may see."""
    row = (await tx.execute(_ONE, {"id": id, **limits(viewer)})).first()
    if row is None:
        raise ClockUnknown(id=id)
    return row


def _list(direction: str) -> Any:
    later = ">" if direction == "ASC" else "<"
    return limited(
        text(
            f"""
            SELECT {_SHOWN} FROM clock JOIN subject ON subject.id = subject_id
            WHERE (CAST(:outcome AS text) IS NULL OR outcome = :outcome)
              AND (CAST(:promise AS text) IS NULL OR promise = :promise)
              AND (CAST(:region AS text) IS NULL OR region = :region)
              AND (CAST(:id AS uuid) IS NULL OR (deadline, clock.id) {later} (:deadline, :id))
              AND {WITHIN}
            ORDER BY deadline {direction}, clock.id {direction} LIMIT :limit
            """
        )
    )


_SOONEST: Final = _list("ASC")
_LATEST: Final = _list("DESC")


async def list_clocks(
    tx: Tx,
    viewer: Principal,
    outcome: Outcome | None,
    promise: str | None,
    region: str | None,
    after: tuple[Any, ...] | None,
    limit: int,
) -> Sequence[Any]:
    """What runs by deadline, the soonest first; what has ended the latest first."""
    query = _SOONEST if outcome == "running" else _LATEST
    deadline, id = after or (None, None)
    found = await tx.execute(
        query,
        {
            "outcome": outcome,
            "promise": promise,
            "region": region,
            "deadline": deadline,
            "id": id,
            "limit": limit,
            **limits(viewer),
        },
    )
    return found.all()


_SUBJECT: Final = limited(text(f"SELECT * FROM subject WHERE id = :id AND {WITHIN}"))


async def load_subject(tx: Tx, viewer: Principal, id: UUID) -> Any | None:
    """A subject, if there is one that `viewer` may see."""
    return (await tx.execute(_SUBJECT, {"id": id, **limits(viewer)})).first()


# What a day decided, and what it has still to decide: bounded by the day, however many clocks there are.
_OUTCOMES: Final = f"""
    SELECT promise, outcome, hour, count(*) AS clocks FROM (
        SELECT clock.promise, clock.outcome,
               CAST(extract(hour FROM clock.decided_at AT TIME ZONE :zone) AS integer) AS hour
        {FROM} WHERE clock.decided_at >= :since {{within}}
        UNION ALL (
            SELECT clock.promise, clock.outcome, NULL {FROM}
            WHERE clock.outcome = 'running' AND clock.deadline < :until AND NOT clock.standing {{within}}
            LIMIT :most
        )
    ) AS counted GROUP BY promise, outcome, hour
"""
# A matter is missed on the day of its first miss, and kept on the day that kept the last of its promises.
_MATTERS: Final = f"""
    WITH touched AS (
        SELECT subject.matter_id {FROM}
        WHERE clock.promise = ANY(:responses) AND clock.decided_at >= :since {{within}}
        UNION (
            SELECT subject.matter_id {FROM}
            WHERE clock.promise = ANY(:responses) AND clock.outcome = 'running'
              AND clock.deadline < :until AND NOT clock.standing {{within}}
            LIMIT :most
        )
    )
    SELECT count(*) FILTER (WHERE missed_at IS NULL AND NOT runs AND kept_at >= :since) AS met,
           count(*) FILTER (WHERE missed_at >= :since) AS breached,
           count(*) FILTER (WHERE missed_at IS NULL AND runs) AS running
    FROM touched CROSS JOIN LATERAL (  -- one by one, by the index: a join might read all clocks instead
        SELECT min(clock.deadline) FILTER (WHERE clock.outcome = 'breached') AS missed_at,
               max(clock.stopped_at) FILTER (WHERE clock.outcome = 'met') AS kept_at,
               bool_or(clock.outcome = 'running') AS runs
        FROM subject JOIN clock ON clock.subject_id = subject.id
        WHERE subject.matter_id = touched.matter_id
          AND clock.promise = ANY(:responses) AND clock.outcome <> 'cancelled'
    ) AS matter
"""
PENDING: Final = 10_000  # of what is still to be decided no more than this is counted


async def count_outcomes(tx: Tx, view: View, since: datetime, until: datetime, zone: str) -> Sequence[Any]:
    """How many clocks a day kept, missed (by the hour in `zone`), and has yet to decide, by promise.

    Rows of promise, outcome, hour and clocks.
    """
    found = await tx.execute(
        within(_OUTCOMES, view),
        {"since": since, "until": until, "zone": zone, "most": PENDING, **view.parameters},
    )
    return found.all()


async def count_matters(
    tx: Tx, view: View, since: datetime, until: datetime, responses: Sequence[str]
) -> Any:
    """How many matters a day kept, missed and has yet to decide, by all the promises in `responses`."""
    found = await tx.execute(
        within(_MATTERS, view).bindparams(bindparam("responses", type_=ARRAY(Text))),
        {"since": since, "until": until, "responses": responses, "most": PENDING, **view.parameters},
    )
    return found.one()
