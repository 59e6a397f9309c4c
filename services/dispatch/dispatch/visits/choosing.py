"""What customers do about their visit, by the link that they were sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from dispatch.acceptance.actions import CUSTOMER, NoSuchLink
from dispatch.tickets import rules
from dispatch.tickets.record import Change, record
from dispatch.tickets.rules import Ticket
from dispatch.tickets.store import load_ticket
from dispatch.visits import store
from dispatch.visits.reading import load_questions
from dispatch.visits.rules import (
    NothingToChoose,
    NoVisitAgreed,
    SlotGone,
    Standing,
    Visit,
    VisitChanged,
    standing,
    to_be_agreed_anew,
    wished,
)
from dispatch.visits.slots import Question
from dispatch.visits.store import VisitOverlaps
from shared.clock import uuid7
from shared.db import Tx
from shared.events.dispatch import VisitAgreed, VisitCancelled
from shared.http.problem import invalid
from shared.i18n import N_
from shared.logs import redact


@dataclass(frozen=True, slots=True)
class Matter:
    """What a link is about, as it stands.

    visit     what is agreed
    lapsed    what was agreed cannot be kept, and nothing else is agreed yet
    question  what slots are made from; None where nothing can be chosen
    """

    ticket: Ticket
    standing: Standing
    visit: Visit | None
    lapsed: bool
    question: Question | None


async def look(tx: Tx, token: str, *, lock: bool = False) -> Matter:
    """`NoSuchLink` when it is unknown or expired."""
    link = await store.find_link(tx, token)
    ticket = await load_ticket(tx, link.ticket_id, lock=lock) if link else None
    if link is None or ticket is None:
        raise NoSuchLink
    stands = standing(ticket.state, same_episode=ticket.episode == link.episode)
    visits = await store.visits_of(tx, ticket.id)
    held = next((each for each in visits if each.state == "agreed"), None)
    questions = await load_questions(tx, [ticket]) if stands == "open" else {}
    return Matter(ticket, stands, held, to_be_agreed_anew(visits), questions.get(ticket.id))


async def choose(tx: Tx, token: str, starts_at: datetime, seen: UUID | None, reason: str) -> None:
    """The customer chooses a time, or another one than `seen`, the visit that the page showed as agreed.

    Sent twice is the same as once. `NoSuchLink`; `NothingToChoose`; `VisitChanged`; `SlotGone`;
    `InvalidInput`.
    """
    matter = await look(tx, token, lock=True)
    ticket, held, question = matter.ticket, matter.visit, matter.question
    if question is None:
        raise NothingToChoose
    if held is not None and held.starts_at == starts_at:
        return
    _require_seen(held, seen)
    _require_reason(held, reason)
    slot = question.slot_at(starts_at)
    if slot is None:
        raise SlotGone
    agreed = VisitAgreed(
        visit_id=uuid7(),
        engineer_id=ticket.given_to,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        at_customers_wish=wished(slot, held, question),
        moved_from=held.starts_at if held else None,
        by="customer",
        reason=redact(reason) or None,
    )
    await store.end_visits(tx, [ticket.id], "moved")
    try:
        await store.save_visit(tx, ticket.id, agreed)
    except VisitOverlaps:
        raise SlotGone from None
    await record(tx, [Change(ticket, rules.choose_visit(ticket, agreed))], CUSTOMER)


async def call_off(tx: Tx, token: str, seen: UUID | None, reason: str) -> None:
    """The customer does not want the visit. What can be wrong is as in `choose`, and `NoVisitAgreed`."""
    matter = await look(tx, token, lock=True)
    ticket, held = matter.ticket, matter.visit
    if matter.standing != "open":
        raise NothingToChoose
    if held is None:
        raise NoVisitAgreed
    _require_seen(held, seen)
    _require_reason(held, reason)
    cancelled = VisitCancelled(
        visit_id=held.id,
        engineer_id=held.engineer_id,
        starts_at=held.starts_at,
        ends_at=held.ends_at,
        by="customer",
        reason=redact(reason),
    )
    await store.end_visits(tx, [ticket.id], "cancelled")
    await record(tx, [Change(ticket, rules.cancel_visit(ticket, cancelled))], CUSTOMER)


def _require_seen(held: Visit | None, seen: UUID | None) -> None:
    """Of two tabs, the one that knows how it stands decides."""
    if (held.id if held else None) != seen:
        raise VisitChanged


def _require_reason(held: Visit | None, reason: str) -> None:
    if held is not None and not reason:
        raise invalid("body", ("reason",), N_("say why, in a few words"), "missing")
