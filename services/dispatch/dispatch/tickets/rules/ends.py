"""How an episode ends, and how the next one begins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal
from uuid import UUID

from dispatch.assignment.rules import Decision
from dispatch.tickets.rules.assigning import begun, place, step, take_from
from dispatch.tickets.rules.ticket import Step, Steps, Ticket
from shared.events import dispatch as events
from shared.events.terms import PersonId


def accept_result(ticket: Ticket, transfers: int | None = None) -> Steps:
    """The customer is content: only this counts as solved (R29, R30); `transfers` so far (R128)."""
    accepted = step(ticket, events.ResultAccepted(episode=ticket.episode))
    return (accepted, _close(accepted.ticket, "accepted", transfers))


def reject_result(ticket: Ticket, reason: str) -> Steps:
    """The customer is not: the same episode goes on with the same engineer."""
    payload = events.ResultRejected(episode=ticket.episode, reason=reason)
    return (step(ticket, payload, state="accepted"),)


def close_unconfirmed(ticket: Ticket, transfers: int | None = None) -> Steps:
    """Silence after all reminders (decision 10)."""
    silent = step(ticket, events.ResultUnconfirmed(episode=ticket.episode))
    return (silent, _close(silent.ticket, "unconfirmed", transfers))


def _close(ticket: Ticket, reason: Literal["accepted", "unconfirmed"], transfers: int | None) -> Step:
    payload = events.TicketClosed(
        request_id=ticket.request_id,
        customer_id=ticket.customer_id,
        engineer_id=ticket.engineer_id,
        reason=reason,
        severity=ticket.severity,
        site=ticket.site,
        episode=ticket.episode,
        transfers=transfers,
    )
    return step(ticket, payload, state="closed", ended_as=reason)


def cancel(
    ticket: Ticket,
    reason: events.CancelledAs,
    note: str,
    by: PersonId | None,
    duplicate_of: UUID | None = None,
) -> Steps:
    """There is nothing to be done after all; whoever owned it answers for that, too."""
    payload = events.TicketCancelled(
        request_id=ticket.request_id,
        customer_id=ticket.customer_id,
        engineer_id=ticket.engineer_id,
        reason=reason,
        note=note,
        duplicate_of=duplicate_of,
        by=by,
        severity=ticket.severity,
        site=ticket.site,
        episode=ticket.episode,
    )
    ended: dict[str, Any] = {
        "waiting_for": None,
        "paused_in": None,
        "ended_as": reason,
        "duplicate_of": duplicate_of,
    }
    return (step(ticket, payload, state="cancelled", **ended),)


def reopen(
    ticket: Ticket, decision: Decision, reason: str, by: events.ReopenedBy, person_id: PersonId | None = None
) -> Steps:
    """Another episode begins: other clocks, another decision who does it, another survey (decision 14)."""
    payload = events.TicketReopened(
        request_id=ticket.request_id,
        customer_id=ticket.customer_id,
        was=ticket.ended_as,
        reason=reason,
        asked_by=by,
        by=person_id,
        severity=ticket.severity,
        site=ticket.site,
        owner_id=decision.owner_id,
        episode=ticket.episode + 1,
    )
    # Who was informed of the last episode is informed of this one: as if there had been no group.
    fresh: dict[str, Any] = {
        "group_ids": (),
        "declined_ids": (),
        "arrivals": 0,
        "ended_as": None,
        "duplicate_of": None,
        "support_level": "l1",
        "helper_id": None,
    }
    first = step(ticket, payload, episode=ticket.episode + 1, **fresh)
    opened = replace(take_from(first.ticket), state=begun(decision), owner_id=decision.owner_id)
    return (replace(first, ticket=opened), *place(opened, decision))
