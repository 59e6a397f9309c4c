"""What customers are told about visits: intake sends it, with a link by which to choose (another) time."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

from dispatch.tickets.rules import Step, Ticket
from dispatch.visits.rules import LINK_LIVES
from dispatch.visits.store import Link, add_links
from shared.db import Tx
from shared.events.dispatch import CustomerMessageRequested, VisitAgreed, VisitCancelled, VisitOffered
from shared.outbox.emit import emit

Fact = tuple[str, str]
PAGE: Final = "/dispatch/visit/"


async def tell_customers(tx: Tx, steps: Sequence[Step]) -> None:
    """Tell customers what we did about their visits; one statement for all, none where there is nothing."""
    letters = [(each, *found) for each in steps if (found := _letter(each))]
    if not letters:
        return
    tokens = [secrets.token_urlsafe(32) for _ in letters]
    links = [Link(step.ticket.id, step.ticket.episode) for step, _, _ in letters]
    await add_links(tx, dict(zip(tokens, links, strict=True)), tx.now + LINK_LIVES)
    for token, (step, template, facts) in zip(tokens, letters, strict=True):
        ticket = step.ticket
        message = CustomerMessageRequested(
            request_id=ticket.request_id,
            template=template,
            link=f"{PAGE}{token}",  # intake knows where customers find our pages
            facts=(*_about(ticket), *facts),
        )
        emit(tx, message, subject=ticket.id, sequence=ticket.version)


def _about(ticket: Ticket) -> tuple[Fact, ...]:
    return ("title", ticket.title), ("number", str(ticket.number))


def _letter(step: Step) -> tuple[str, tuple[Fact, ...]] | None:
    """The template and its facts; what customers did by themselves they know, and what stays as it was."""
    match step.payload:
        case VisitOffered():
            return "visit_times", ()
        case VisitAgreed(by="engineer" | "dispatcher", moved_from=was) as moved if was is not None:
            times = (("was", was.isoformat()), ("starts_at", moved.starts_at.isoformat()))
            return "visit_moved", (*times, ("ends_at", moved.ends_at.isoformat()), *_why(moved.reason))
        case VisitCancelled(by="engineer" | "dispatcher") as cancelled:
            return "visit_cancelled", (("was", cancelled.starts_at.isoformat()), *_why(cancelled.reason))
        case VisitCancelled(by=None) as lapsed:
            return "visit_lapsed", (("was", lapsed.starts_at.isoformat()),)
    return None


def _why(reason: str | None) -> tuple[Fact, ...]:
    return (("reason", reason),) if reason else ()
