"""Noting that a customer heard from us, and asking intake to tell them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from dispatch.progress.rules import is_our_turn
from dispatch.progress.store import load_turns
from dispatch.tickets import rules, store
from dispatch.tickets.record import Change, record
from dispatch.tickets.rules import Step, Ticket
from shared.db import Tx
from shared.events import Event
from shared.events.dispatch import CustomerMessageRequested
from shared.events.intake import AnswerGiven
from shared.events.terms import PersonId
from shared.outbox.emit import emit

Answered = Event[AnswerGiven]
TEMPLATE = "progress"


async def note_answers(tx: Tx, answered: Sequence[Answered]) -> None:
    """What people answered at the desk becomes steps of the tickets, each at the time it happened.

    A request without a ticket needs none: what was said before the ticket is older than its first promise.
    """
    by_request: defaultdict[UUID, list[Answered]] = defaultdict(list)
    for event in sorted(answered, key=lambda event: (event.time, event.id)):
        by_request[UUID(event.subject)].append(event)
    tickets = await store.lock_by_request(tx, by_request.keys())
    turns = await load_turns(tx, [ticket.id for ticket in tickets.values()])
    changes = []
    for request_id, ticket in tickets.items():
        heard = [each for each in by_request[request_id] if is_our_turn(turns[ticket.id], each.time)]
        if heard:
            changes.append(Change(ticket, _steps(ticket, heard), cause=heard[-1]))
    await record(tx, changes, None)


def _steps(ticket: Ticket, heard: Sequence[Answered]) -> tuple[Step, ...]:
    steps: list[Step] = []
    for event in heard:
        now = steps[-1].ticket if steps else ticket
        steps += rules.inform_customer(now, _employee(event.data.by), event.time)
    return tuple(steps)


def _employee(by: PersonId) -> PersonId | None:
    """Intake names a program by the id that nobody has."""
    return by if by.int else None


def send(tx: Tx, ticket: Ticket, text: str) -> None:
    """Ask intake to tell the customer."""
    message = CustomerMessageRequested(
        request_id=ticket.request_id, template=TEMPLATE, facts=(("text", text),)
    )
    emit(tx, message, subject=ticket.id, sequence=ticket.version)
