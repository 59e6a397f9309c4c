"""Fold subjects anew, and tell what changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from shared.clock import uuid7
from shared.db import Tx
from shared.events import Event
from shared.outbox.emit import emit
from sla_monitor.alerts.climbing import follow_clocks
from sla_monitor.clocks import store
from sla_monitor.clocks.rules import Clock, Happening, describe, evaluate
from sla_monitor.clocks.rules.changes import Change, StoredClock, amend, begin, timers
from sla_monitor.clocks.rules.history import Subject, known_facts
from sla_monitor.clocks.telling import payload_of, uncovered
from sla_monitor.policies.store import Governing, cover, load_rulebook, load_standing, raise_uncovered

Causes: TypeAlias = Mapping[UUID, Event[Any]]
"""The last new event of each subject, whose trace goes on."""

Key: TypeAlias = tuple[str, int]


async def take(tx: Tx, happenings: Sequence[tuple[UUID, Happening]], causes: Causes) -> None:
    """Add to the histories of subjects, whose locks are held, and bring their clocks to what follows."""
    await store.save_happenings(tx, happenings)
    await refold(tx, sorted({subject_id for subject_id, _ in happenings}), causes)


async def refold(tx: Tx, subject_ids: Sequence[UUID], causes: Causes) -> Sequence[Change]:
    """Fold the whole history of each subject; store and tell what differs from what was known."""
    rulebook = await load_rulebook(tx)
    moves, bare = await load_standing(tx, subject_ids)
    histories = await store.load_histories(tx, subject_ids)
    known = await store.lock_clocks(tx, subject_ids)
    subjects = {id: describe(histories[id]) for id in subject_ids}
    await store.save_subjects(tx, subjects)
    changes: list[Change] = []
    armed: dict[UUID, store.Armed] = {}
    governed: dict[UUID, Governing] = {}
    for id in subject_ids:
        moved_to = moves[id].policy_version if id in moves else None
        governing = rulebook.at(subjects[id].first_at, subjects[id].region, moved_to)
        governed[id] = governing
        for change, folded in _changes(id, histories[id], known.get(id, []), governing, tx.now):
            changes.append(change)
            armed[change.clock.id] = _armed(change.clock, folded, governing)
    await store.disarm(tx, armed.keys() & {each.id for clocks in known.values() for each in clocks})
    await store.save_armed(tx, [change.clock for change in changes], armed)
    for change in changes:
        subject_id = change.clock.subject_id
        tell(tx, change, subjects[subject_id], causes.get(subject_id))
    await follow_clocks(tx, [each.clock for each in changes if each.retracts or _is_known(each.clock)])
    await _tell_uncovered(tx, subjects, histories, governed, bare)
    return changes


def _is_known(clock: StoredClock) -> bool:
    """Whether somebody was told of it, and hears of its end."""
    return bool(clock.warned or clock.alerted_at or clock.called)


async def _tell_uncovered(
    tx: Tx,
    subjects: Mapping[UUID, Subject],
    histories: Mapping[UUID, Sequence[Happening]],
    governed: Mapping[UUID, Governing],
    known: Collection[UUID],
) -> None:
    """Say of which subjects nobody has promised anything; `known` are those of whom it was said already."""
    bare = {
        id
        for id, governing in governed.items()
        if not governing.policy.covers(subjects[id].kind, known_facts(histories[id]))
    }
    await cover(tx, {*known} - bare)
    for id, revision in (await raise_uncovered(tx, bare - {*known})).items():
        payload = uncovered(id, subjects[id], governed[id].versions[0], revision)
        emit(tx, payload, subject=id, sequence=revision)


def _changes(
    subject_id: UUID,
    history: Sequence[Happening],
    known: Sequence[StoredClock],
    governing: Governing,
    now: datetime,
) -> Iterator[tuple[Change, Clock | None]]:
    """What differs, each with the clock as it was folded; None for one that is not there any more."""
    folded = {_key(each): each for each in evaluate(governing.policy, governing.calendar, history)}
    for stored in known:
        clock = folded.pop(_key(stored), None)
        change = amend(stored, clock, governing.versions, now)
        if change.clock != stored:
            yield change, clock
    for clock in folded.values():
        yield begin(uuid7(), subject_id, clock, governing.versions, now), clock


def _key(clock: Clock | StoredClock) -> Key:
    return clock.promise, clock.occurrence


def _armed(clock: StoredClock, folded: Clock | None, governing: Governing) -> store.Armed:
    promise = governing.policy.promise(clock.promise)
    awaits = ",".join(promise.producers) if promise else ""
    return awaits, timers(clock, folded.warnings if folded else ())


def tell(tx: Tx, change: Change, subject: Subject, cause: Event[Any] | None = None) -> None:
    """Emit what a change has to tell."""
    for told in change.told:
        payload = payload_of(told.what, change, subject)
        emit(tx, payload, subject=change.clock.id, sequence=told.version, cause=cause)
