"""Asking the customer, hearing the answer, and what silence leads to."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar, Final

from dispatch.acceptance import store
from dispatch.acceptance.rules import LINK_LIVES, Acceptance, due, may_come_back, next_at
from dispatch.tickets import rules
from dispatch.tickets import store as tickets
from dispatch.tickets.actions import go_on, reopen
from dispatch.tickets.record import Change, record
from dispatch.tickets.rules import Ticket
from shared.clock import uuid7
from shared.db import Tx
from shared.errors import AftercareError
from shared.events.dispatch import CustomerMessageRequested
from shared.outbox.emit import emit

BATCH: Final = 200
A_MOMENT: Final = timedelta(seconds=1)
CUSTOMER: Final = "customer"
"""Who made a step, in the history."""


class NoSuchLink(AftercareError):
    """This link is not valid, or not any more."""

    kind = "not_found"


class AlreadyAnswered(AftercareError):
    """This was answered before: {outcome}."""

    kind = "conflict"
    shown: ClassVar = ("outcome",)


async def ask_customer(tx: Tx, ticket: Ticket, public_url: str) -> None:
    """Ask whether the result is accepted; intake sends the link."""
    asked = Acceptance(uuid7(), ticket.id, ticket.episode, tx.now, 0, next_at(tx.now, 0), None, None, None)
    await store.add_acceptance(tx, asked)
    await _send_links(tx, [(asked, ticket)], "please_accept", public_url)


async def _send_links(
    tx: Tx, questions: Sequence[tuple[Acceptance, Ticket]], template: str, public_url: str
) -> None:
    """Each message gets a secret of its own, because nobody here can read the one before."""
    tokens = {secrets.token_urlsafe(32): question for question in questions}
    await store.add_links(tx, {token: asked.id for token, (asked, _) in tokens.items()}, tx.now + LINK_LIVES)
    for token, (_, ticket) in tokens.items():
        message = CustomerMessageRequested(
            request_id=ticket.request_id,
            template=template,
            link=f"{public_url.rstrip('/')}/dispatch/acceptance/{token}",
            facts=(("title", ticket.title), ("number", str(ticket.number))),
        )
        emit(tx, message, subject=ticket.id, sequence=ticket.version)


async def answer(tx: Tx, token: str, accepted: bool, reason: str | None) -> None:
    """The customer's word. `NoSuchLink`; `AlreadyAnswered` with what was answered."""
    found = await store.find_acceptance(tx, token)
    if found is None:
        raise NoSuchLink
    ticket = await tickets.load_ticket(tx, found.ticket_id, lock=True)
    [now] = await store.load_acceptances(tx, [found.id])  # the ticket's lock guards its questions too
    if now.outcome is not None:
        raise AlreadyAnswered(outcome=now.outcome)
    assert ticket is not None
    rules.require(ticket, "accept_result" if accepted else "reject_result")
    await store.settle(tx, [now.id], "accepted" if accepted else "rejected", reason)
    if accepted:
        transfers = (await tickets.count_transfers(tx, [ticket.id])).get(ticket.id, 0)
        change = Change(ticket, rules.accept_result(ticket, transfers))
    else:
        change = await go_on(tx, ticket, reason or "")
    await record(tx, [change], CUSTOMER)


class NotEnded(AftercareError):
    """Work goes on already, or begins anew from another link; nothing has to be said twice."""

    kind = "conflict"


async def come_back(tx: Tx, token: str, reason: str) -> None:
    """The customer comes back on a closed ticket: another episode. `NoSuchLink`; `NotEnded`."""
    found = await store.find_acceptance(tx, token)
    ticket = await tickets.load_ticket(tx, found.ticket_id, lock=True) if found else None
    if found is None or ticket is None:
        raise NoSuchLink
    if not may_come_back(found, ticket.state, ticket.episode):
        raise NotEnded
    await record(tx, await reopen(tx, [ticket], reason, "customer"), CUSTOMER)


async def heed_silence(tx: Tx, now: datetime, public_url: str) -> datetime | None:
    """Remind who was asked, and stop asking who never answers; returns when the next is due."""
    waiting = await store.list_due(tx, now, BATCH)
    if waiting:
        found = await tickets.lock_resolved(tx, [each.ticket_id for each in waiting])
        held = {ticket.id: ticket for ticket in found}
        # Read again: the customer may have answered before the ticket was ours.
        present = await store.load_acceptances(tx, [each.id for each in waiting if each.ticket_id in held])
        silent = [(each, held[each.ticket_id]) for each in present]
        await _remind(tx, [pair for pair in silent if due(pair[0], now) == "remind"], public_url)
        await _close(tx, [pair for pair in silent if due(pair[0], now) == "close"])
        if len(waiting) == BATCH:
            return now
    following = await store.next_due(tx)
    # What somebody else is changing right now is left out, and looked at again a moment later.
    return following and max(following, now + A_MOMENT)


async def _remind(tx: Tx, silent: Sequence[tuple[Acceptance, Ticket]], public_url: str) -> None:
    if not silent:
        return
    reminded = [
        replace(each, reminders=each.reminders + 1, next_at=_not_before(each, tx.now)) for each, _ in silent
    ]
    await store.save_reminders(tx, reminded)
    await _send_links(tx, silent, "please_accept_reminder", public_url)


def _not_before(asked: Acceptance, now: datetime) -> datetime:
    """When what follows this reminder is due; after an outage not at once."""
    planned = next_at(asked.asked_at, asked.reminders + 1)
    return max(planned, now + (planned - next_at(asked.asked_at, asked.reminders)) / 2)


async def _close(tx: Tx, silent: Sequence[tuple[Acceptance, Ticket]]) -> None:
    if silent:
        await store.settle(tx, [each.id for each, _ in silent], "unconfirmed")
        counted = await tickets.count_transfers(tx, [ticket.id for _, ticket in silent])
        changes = [
            Change(ticket, rules.close_unconfirmed(ticket, counted.get(ticket.id, 0))) for _, ticket in silent
        ]
        await record(tx, changes, None)
