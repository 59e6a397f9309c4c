"""Look at what a move would change, begin it, and go on with it batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from shared.clock import uuid7
from shared.db import Tx, lock_subjects
from shared.db.audit import record
from shared.http.auth import Principal
from sla_monitor.clocks.actions import refold
from sla_monitor.clocks.rules import describe, evaluate
from sla_monitor.clocks.rules.changes import Change
from sla_monitor.clocks.rules.history import Subject
from sla_monitor.clocks.store import load_histories
from sla_monitor.moves import store
from sla_monitor.moves.rules import Difference, differences
from sla_monitor.moves.store import Criteria, Moving
from sla_monitor.policies.actions import policy_of
from sla_monitor.policies.store import Move, load_moves, load_rulebook, save_moves
from sla_monitor.scope import require_whole_house

BATCH: Final = 200
"""Subjects of one transaction."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a move would change for one subject, and the version it obeys now."""

    id: UUID
    subject: Subject
    policy_version: int
    differences: Sequence[Difference]


async def look_ahead(
    tx: Tx, viewer: Principal, version: int, criteria: Criteria, reached: UUID | None, limit: int
) -> Sequence[Foreseen]:
    """What a move to `version` would change for the next `limit` subjects after `reached`."""
    require_whole_house(viewer)
    rulebook = await load_rulebook(tx)
    policy_of(rulebook, version)
    ids = await store.list_fitting(tx, version, criteria, reached, limit)
    histories, moves = await load_histories(tx, ids), await load_moves(tx, ids)
    found = []
    for id in ids:
        subject = describe(histories[id])
        moved_to = moves[id].policy_version if id in moves else None
        was = rulebook.at(subject.first_at, subject.region, moved_to)
        then = rulebook.at(subject.first_at, subject.region, version)
        before, after = (evaluate(each.policy, each.calendar, histories[id], tx.now) for each in (was, then))
        found.append(Foreseen(id, subject, was.versions[0], differences(before, after)))
    return found


async def begin(tx: Tx, by: Principal, version: int, criteria: Criteria) -> Moving:
    """Begin to move running subjects to `version`; a loop goes on with it."""
    require_whole_house(by)
    policy_of(await load_rulebook(tx), version)
    total = await store.count_fitting(tx, version, criteria)
    moving = Moving(uuid7(), version, criteria, by.id, tx.now, total, None, 0, 0, 0, None)
    await store.save_moving(tx, moving)
    detail = {"criteria": criteria.model_dump(mode="json"), "total": total}
    await record(tx, by.id, "policy.subjects_moved", str(version), detail)
    return moving


async def go_on(tx: Tx, now: datetime) -> datetime | None:
    """Move the next batch of the oldest move that is not done; how far it came commits with it."""
    moving = await store.claim_moving(tx)
    if moving is None:
        return None
    ids = await store.list_fitting(tx, moving.policy_version, moving.criteria, moving.reached, BATCH)
    if not ids:
        await store.save_progress(tx, replace(moving, ended_at=now))
        return now
    await lock_subjects(tx, map(str, ids))
    moves = [Move(id, moving.policy_version, moving.began_by, now) for id in ids]
    await save_moves(tx, moving.id, moves)
    changes = await refold(tx, ids, {})
    await store.save_progress(
        tx,
        replace(
            moving,
            reached=ids[-1],
            moved=moving.moved + len(ids),
            changed=moving.changed + sum(1 for each in changes if each.told),
            flipped=moving.flipped + sum(map(_flipped, changes)),
        ),
    )
    return now


def _flipped(change: Change) -> bool:
    return change.previous not in ("running", change.clock.outcome)
