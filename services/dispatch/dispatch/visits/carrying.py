"""An appointment is the customer's: it stays when the engineer changes, if the new one is free then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from dispatch.tickets import rules
from dispatch.tickets.rules import Step, Ticket
from dispatch.visits import store
from dispatch.visits.reading import load_questions
from dispatch.visits.rules import Visit
from dispatch.visits.slots import Question, Stop
from shared.clock import uuid7
from shared.db import Tx
from shared.events.dispatch import VisitAgreed, VisitCancelled
from shared.events.terms import PersonId

LAPSED: Final = "the engineer changed, and who has it now is not free then"


async def carry(tx: Tx, tickets: Sequence[Ticket]) -> dict[UUID, Step]:
    """What becomes of the visits agreed for `tickets`, whose engineer changed: one more step of each.

    `tickets` are as they are now, with somebody else or with nobody yet. So many statements whatever their
    number, one where nothing was agreed.
    """
    if not tickets:
        return {}
    agreed = await store.agreed_visits(tx, [ticket.id for ticket in tickets])
    visits = {ticket.id: (ticket, agreed[ticket.id]) for ticket in tickets if ticket.id in agreed}
    if not visits:
        return {}
    questions = await load_questions(tx, [ticket for ticket, _ in visits.values()])
    wanted = _wanted(visits, questions)
    await store.end_visits(tx, visits.keys(), "handed_on")
    made = await store.carry_visits(tx, list(wanted.values()))
    lapsed = [held.id for key, (_, held) in visits.items() if key not in wanted or wanted[key].id not in made]
    if lapsed:
        await store.mark_visits(tx, lapsed, "lapsed")
    return {
        key: _step(ticket, held, wanted[key] if held.id not in lapsed else None)
        for key, (ticket, held) in visits.items()
    }


def _wanted(
    visits: Mapping[UUID, tuple[Ticket, Visit]], questions: Mapping[UUID, Question]
) -> dict[UUID, Visit]:
    """The same times, of those who have the tickets now and can be there; the earliest first."""
    wanted: dict[UUID, Visit] = {}
    given: defaultdict[PersonId, list[Stop]] = defaultdict(list)
    for key, (ticket, held) in sorted(visits.items(), key=lambda each: (each[1][1].starts_at, each[0])):
        if (question := questions.get(key)) is None:
            continue
        others = given[ticket.given_to]
        asked = replace(question, stops=[*question.stops, *others])
        if asked.is_free(held.starts_at, held.ends_at):
            others.append(Stop(held.starts_at, held.ends_at, question.spot))
            wanted[key] = replace(held, id=uuid7(), engineer_id=ticket.given_to)
    return wanted


def _step(ticket: Ticket, held: Visit, carried: Visit | None) -> Step:
    if carried is None:
        cancelled = VisitCancelled(
            visit_id=held.id,
            engineer_id=held.engineer_id,
            starts_at=held.starts_at,
            ends_at=held.ends_at,
            reason=LAPSED,
        )
        [step] = rules.cancel_visit(ticket, cancelled)
        return step
    agreed = VisitAgreed(
        visit_id=carried.id,
        engineer_id=carried.engineer_id,
        starts_at=carried.starts_at,
        ends_at=carried.ends_at,
        at_customers_wish=carried.at_customers_wish,
    )
    return rules.choose_visit(ticket, agreed)[-1]
