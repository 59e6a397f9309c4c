"""Entering leave and duty; whoever goes on leave has nothing from that moment on (R24)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from dispatch.access import Viewer
from dispatch.availability import store
from dispatch.availability.rules import (
    Absence,
    AbsenceDecided,
    Duty,
    Kind,
    NoSuchAbsence,
    NoSuchDuty,
    NotYours,
    Part,
    State,
    fault_of_time,
    has_begun,
)
from dispatch.organisation.store import load_persons, load_regions
from dispatch.tickets.actions import give_away
from shared.clock import uuid7
from shared.db import Tx
from shared.events.terms import PersonId
from shared.http.problem import invalid
from shared.i18n import N_

SERVICE = "dispatch"
"""Who hands over when the time comes, in the history."""


async def ask_leave(
    tx: Tx, viewer: Viewer, person_id: PersonId, kind: Kind, starts_at: datetime, ends_at: datetime
) -> Absence:
    """Enter leave: of one's own it is asked for, by who oversees it is approved, and begins now or in time.

    `NotYours`; `InvalidInput`.
    """
    if not viewer.oversees and person_id != viewer.employee_id:
        raise NotYours
    await _require_person(tx, viewer, person_id)
    _require_time(starts_at, ends_at, tx.now)
    state: State = "approved" if viewer.oversees else "asked"
    decider = viewer.id if viewer.oversees else None
    entered = Absence(
        uuid7(),
        person_id,
        kind,
        starts_at,
        ends_at,
        state,
        viewer.id,
        decider,
        None,
    )
    await store.save_absence(tx, entered)
    if has_begun(entered, tx.now):
        await _hand_over(tx, [entered], viewer.id)
    return entered


async def in_sight(tx: Tx, viewer: Viewer, people: Collection[PersonId]) -> frozenset[PersonId]:
    """Those of `people` who work where `viewer` may look (R125)."""
    if viewer.regions is None:
        return frozenset(people)
    found = await load_persons(tx, people)
    return frozenset(
        each.id
        for each in found.values()
        if each.id == viewer.employee_id or viewer.regions.intersection(each.regions)
    )


async def _require_person(tx: Tx, viewer: Viewer, person_id: PersonId) -> None:
    found = (await load_persons(tx, [person_id])).get(person_id)
    if found is None or not found.active or person_id not in await in_sight(tx, viewer, [person_id]):
        raise invalid("body", ("person_id",), N_("no such person"), "unknown_person")


def _require_time(starts_at: datetime, ends_at: datetime, now: datetime) -> None:
    if fault := fault_of_time(starts_at, ends_at, now):
        raise invalid("body", (fault[0],), fault[1], "time")


async def decide_leave(tx: Tx, viewer: Viewer, absence_id: UUID, *, approved: bool) -> Absence:
    """What was asked for is approved or refused. `NoSuchAbsence`; `AbsenceDecided`."""
    found = await store.lock_absence(tx, absence_id)
    if found is None or not await in_sight(tx, viewer, [found.person_id]):
        raise NoSuchAbsence
    if found.state != "asked":
        raise AbsenceDecided(state=found.state)
    await store.decide_absence(tx, absence_id, "approved" if approved else "refused", viewer.id)
    decided = await store.lock_absence(tx, absence_id)
    assert decided is not None
    if has_begun(decided, tx.now):
        await _hand_over(tx, [decided], viewer.id)
    return decided


async def end_leave(tx: Tx, viewer: Viewer, absence_id: UUID) -> None:
    """Back before the time, or not gone at all; what was given to others stays with them."""
    found = await store.lock_absence(tx, absence_id)
    if found is None or not (viewer.oversees or found.person_id == viewer.employee_id):
        raise NoSuchAbsence
    if not await in_sight(tx, viewer, [found.person_id]):
        raise NoSuchAbsence
    if found.state not in ("asked", "approved"):
        raise AbsenceDecided(state=found.state)
    await store.end_absence(tx, absence_id, viewer.id)


async def begin_leave(tx: Tx, now: datetime) -> datetime | None:
    """Hand over what those have whose leave begins; returns when the next one's does."""
    beginning = await store.take_beginning(tx, now)
    if beginning:
        gone = [each for each in beginning if has_begun(each, now)]
        await _hand_over(tx, gone, None)
        await store.mark_handed_over(tx, beginning)  # what was over before anybody looked, too
    return await store.next_beginning(tx)


async def _hand_over(tx: Tx, begun: Sequence[Absence], by: str | None) -> None:
    """Everything that those who are away own, guide and work on goes to others, their substitutes first."""
    if begun:
        await give_away(tx, {each.person_id for each in begun}, (), by, "away")
        await store.mark_handed_over(tx, list(begun))


async def enter_duty(
    tx: Tx,
    viewer: Viewer,
    region: str,
    part: Part,
    person_id: PersonId,
    starts_at: datetime,
    ends_at: datetime,
) -> Duty:
    """Somebody is on call. `InvalidInput`; `DutyOverlaps`."""
    if region not in await load_regions(tx) or not _may_see(viewer, region):
        raise invalid("body", ("region",), N_("no such region"), "unknown_region")
    await _require_person(tx, viewer, person_id)
    _require_time(starts_at, ends_at, tx.now)
    entered = Duty(uuid7(), region, part, person_id, starts_at, ends_at, viewer.id)
    await store.save_duty(tx, entered)
    return entered


async def drop_duty(tx: Tx, viewer: Viewer, duty_id: UUID) -> None:
    """Nobody is on call by it any more. `NoSuchDuty`."""
    region = await store.drop_duty(tx, duty_id)
    if region is None or not _may_see(viewer, region):
        raise NoSuchDuty  # what was dropped comes back with the transaction


async def leave_for(tx: Tx, viewer: Viewer, since: datetime) -> list[Absence]:
    """The leave that is not over at `since`: of those whom `viewer` oversees, else their own."""
    found = await store.list_absences(tx, since, None if viewer.oversees else viewer.person_id)
    seen = await in_sight(tx, viewer, {each.person_id for each in found})
    return [each for each in found if each.person_id in seen]


async def duties_for(tx: Tx, viewer: Viewer, since: datetime) -> list[Duty]:
    """Who is on call where `viewer` may look."""
    return [each for each in await store.list_duties(tx, since) if _may_see(viewer, each.region)]


def _may_see(viewer: Viewer, region: str) -> bool:
    return viewer.regions is None or region in viewer.regions
