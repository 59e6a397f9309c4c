"""Clocks as people ask for them: lists, one subject's, and today's figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from shared.db import Tx
from shared.http.auth import Principal
from sla_monitor.clocks.rules import Outcome
from sla_monitor.scope import WITHIN, limited, limits

_SHOWN: Final = """
    clock.id, clock.subject_id, clock.promise, clock.occurrence, clock.requirement, clock.rule,
    clock.severity, clock.started_at, clock.deadline, clock.pause_reason, clock.paused_from,
    clock.paused_until, clock.outcome, clock.stopped_at, clock.confirmed, clock.revision, clock.version,
    subject.kind, subject.title, subject.region
"""


def _list(direction: str) -> Any:
    later = ">" if direction == "ASC" else "<"
    return limited(
        text(
            f"""
            SELECT {_SHOWN} FROM clock JOIN subject ON subject.id = subject_id
            WHERE (CAST(:outcome AS text) IS NULL OR outcome = :outcome)
              AND (CAST(:promise AS text) IS NULL OR promise = :promise)
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


_FIGURES: Final = limited(
    text(
        f"""
        SELECT promise, outcome, count(*) AS clocks FROM clock JOIN subject ON subject.id = subject_id
        WHERE (outcome = 'running' OR decided_at >= :since) AND {WITHIN}
        GROUP BY promise, outcome
        """
    )
)


async def count_outcomes(tx: Tx, viewer: Principal | None, since: datetime) -> dict[tuple[str, str], int]:
    """How many clocks run, and how many were kept or missed since an instant, by promise and outcome."""
    found = await tx.execute(_FIGURES, {"since": since, **limits(viewer)})
    return {(row.promise, row.outcome): row.clocks for row in found}
