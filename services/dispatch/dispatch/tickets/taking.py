"""Making room for urgent work: lower work that nobody has begun goes to somebody else (R22, R25)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from dispatch.assignment.rules import (
    Assignment,
    Decision,
    Finding,
    Held,
    Job,
    Kept,
    Loads,
    NobodyAvailable,
    Staff,
    decide,
    full_for,
    make_room,
)
from dispatch.tickets import rules, store
from dispatch.tickets.jobs import load_jobs
from dispatch.tickets.record import Change
from dispatch.tickets.rules import Ticket
from shared.db import Tx

_TAKEN: Final = Finding("taken_for_urgent")


async def take_back(
    tx: Tx,
    jobs: Sequence[Job],
    decisions: Sequence[Decision | Kept],
    staff: Staff,
    loads: Loads,
    but: Collection[UUID] = (),
) -> tuple[Mapping[int, Assignment], list[Change]]:
    """Somebody for urgent work that `decisions` left with nobody because all who could are full.

    Returns the better decisions by place, and what becomes of the tickets that were taken for them (never one
    of `but`): they are given to somebody else in the same transaction. `loads` has what `decisions` gave out,
    and afterwards what this did. No statement unless somebody is full, else four.
    """
    allowed = staff.situation.policy.take_back
    short = {
        index: decision
        for index, decision in enumerate(decisions)
        if isinstance(decision, NobodyAvailable) and jobs[index].severity == "urgent"
    }
    full = full_for(short.values())
    if not (full and allowed.enabled):
        return {}, []
    protected = tx.now + timedelta(hours=allowed.protect_visit_hours)
    found = {each.id: each for each in await store.lock_not_begun(tx, full, protected) if each.id not in but}
    known = await load_jobs(tx, found.values())
    held = {each.id: Held(each.id, known[each.id], each.given_to) for each in found.values()}
    made: dict[int, Assignment] = {}
    taken: list[Ticket] = []
    for index, decision in short.items():
        if room := make_room(jobs[index], decision, held.values(), staff, loads):
            work, made[index] = room
            taken.append(found[work.key])
            del held[work.key]
            loads.add(made[index])
    return made, [_given_on(ticket, known[ticket.id], staff, loads) for ticket in taken]


def _given_on(ticket: Ticket, job: Job, staff: Staff, loads: Loads) -> Change:
    steps = rules.take_away(ticket, "taken back for urgent work")
    decision = decide(job, staff, loads)
    loads.add(decision)
    told = (decision.findings[0], _TAKEN, *decision.findings[1:])
    decision = replace(decision, findings=told)
    return Change(ticket, (*steps, *rules.place(steps[-1].ticket, decision)), decision)
