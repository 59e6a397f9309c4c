"""Silence is an answer: who does not say whether they take a ticket, has it no more (R25, decision 3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from dispatch.assignment.rules import Job, Loads, Staff, decide, in_order
from dispatch.assignment.store import load_policy, lock_staff
from dispatch.offers.store import MOST, lock_unanswered
from dispatch.tickets import rules
from dispatch.tickets.jobs import load_jobs
from dispatch.tickets.record import Change, record
from dispatch.tickets.rules import Ticket
from shared.db import Tx


async def pass_on(tx: Tx, now: datetime) -> datetime | None:
    """Ask the next one where nobody answered; returns `now` when there is more to do."""
    policy = await load_policy(tx)
    minutes = {severity: most for severity, most in policy.answer_minutes.items() if most is not None}
    patience = {severity: timedelta(minutes=most) for severity, most in minutes.items()}
    tickets = await lock_unanswered(tx, now, patience) if patience else []
    if not tickets:
        return None
    staff, loads = await lock_staff(
        tx, {ticket.customer_id for ticket in tickets}, {ticket.device_id for ticket in tickets}
    )
    pressing = [tickets[index] for index in in_order([ticket.job for ticket in tickets])]
    jobs = await load_jobs(tx, tickets)
    changes = [
        _asked_next(ticket, jobs[ticket.id], minutes[ticket.severity], staff, loads)
        for ticket in pressing
        if ticket.severity == "urgent" or staff.is_on_duty(ticket.given_to)
    ]
    await record(tx, changes, None)
    return now if len(tickets) == MOST and changes else None


def _asked_next(ticket: Ticket, job: Job, minutes: int, staff: Staff, loads: Loads) -> Change:
    """Nobody is timed out who is not at work, except from urgent tickets."""
    steps = rules.decline(ticket, f"No answer within {minutes} minutes")
    loads.working[ticket.given_to] -= 1
    declined = steps[-1].ticket
    decision = decide(replace(job, declined=frozenset(declined.declined_ids)), staff, loads)
    loads.add(decision)
    return Change(ticket, (*steps, *rules.place(declined, decision)), decision)
