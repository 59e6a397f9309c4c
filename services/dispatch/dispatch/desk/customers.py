"""Customers are of another level, or forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from dispatch.desk import store
from dispatch.evidence import store as evidence
from dispatch.jobs import store as jobs
from dispatch.phone import store as phones
from dispatch.remote import store as remote
from dispatch.solutions import store as solutions
from dispatch.support import store as support
from dispatch.tasks import store as tasks
from dispatch.tickets import rules
from dispatch.tickets import store as tickets
from dispatch.tickets.record import Change, record
from dispatch.tickets.rules import Ticket
from shared.db import Tx, lock_subjects
from shared.events import Event
from shared.events.intake import CustomerChanged, CustomerErased

GONE: Final = "—"


async def as_known(tx: Tx, asked: Sequence[Ticket]) -> list[Ticket]:
    """`asked`, with what the desk has told of their customers since the requests came in."""
    customers = {ticket.customer_id for ticket in asked}
    # What is told of them from here on waits for these tickets.
    await lock_subjects(tx, [str(each) for each in customers])
    told = await store.load_customers(tx, customers)
    return [_as_told(ticket, told.get(ticket.customer_id)) for ticket in asked]


def _as_told(ticket: Ticket, told: store.CustomerTold | None) -> Ticket:
    if told is None:
        return ticket
    title = GONE if told.erased else ticket.title
    return replace(ticket, customer_level=told.level or ticket.customer_level, title=title)


async def change_levels(tx: Tx, changed: Sequence[Event[CustomerChanged]]) -> None:
    """Open tickets follow; what has ended keeps the level it was handled by."""
    newest = {UUID(event.subject): event for event in sorted(changed, key=lambda event: event.version)}
    await store.save_levels(tx, {each: (event.data.level, event.version) for each, event in newest.items()})
    told = await store.load_customers(tx, newest)
    changes = []
    for ticket in await tickets.lock_of_customers(tx, newest):
        level = told[ticket.customer_id].level
        if ticket.is_open and level and level != ticket.customer_level:
            steps = rules.amend(ticket, customer_level=level)
            changes.append(Change(ticket, steps, cause=newest[ticket.customer_id]))
    await record(tx, changes, None)


async def forget(tx: Tx, erased: Sequence[Event[CustomerErased]]) -> None:
    """The words about them go, of tickets that have ended too; what was done, when and by whom stays."""
    causes = {UUID(event.subject): event for event in erased}
    await store.save_erased(tx, causes)
    theirs = [each for each in await tickets.lock_of_customers(tx, causes) if each.title != GONE]
    if theirs:
        changes = [
            Change(each, rules.amend(each, title=GONE), cause=causes[each.customer_id]) for each in theirs
        ]
        await record(tx, changes, None)
        await store.forget_words(tx, [each.id for each in theirs])
        await jobs.forget(tx, [each.id for each in theirs])
        await phones.forget(tx, [each.id for each in theirs])
        await solutions.forget(tx, [each.id for each in theirs])
        await evidence.forget(tx, [each.id for each in theirs])
        await tasks.forget(tx, [each.id for each in theirs])
        await remote.forget(tx, [each.id for each in theirs])
        await support.forget(tx, [each.id for each in theirs])
