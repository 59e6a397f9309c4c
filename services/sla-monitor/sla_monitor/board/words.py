"""What codes are called where people read them."""

from __future__ import annotations

from typing import Final

from shared.i18n import N_

PROMISES: Final = {
    "answer_call": N_("Answer the call"),
    "return_call": N_("Call back"),
    "first_reply": N_("First reply"),
    "accept": N_("Accept the task"),
    "on_site": N_("Arrive on site"),
    "visit_agreed": N_("Agree on a visit"),
}
SUBJECTS: Final = {
    "ticket": N_("Ticket"),
    "request": N_("Request"),
    "call": N_("Phone call"),
}
OUTCOMES: Final = {
    "running": N_("running"),
    "met": N_("kept"),
    "breached": N_("missed"),
    "cancelled": N_("cancelled"),
}
RULES: Final = {
    "wall": N_("{} by the wall clock"),
    "working": N_("{} of working time"),
    "next_working_day": N_("By a set time of the next working day, {} in all"),
}
REASONS: Final = {
    "customers_wish": N_("a later visit at the customer's wish"),
    "awaiting_acceptance": N_("the customer tries the result"),
    "wall_clock": N_("counts, by the wall clock"),
    "working_time": N_("counts, working time"),
    "outside_working_hours": N_("does not count, outside working hours"),
}
EVENTS: Final = {
    "intake.call_answered": N_("call answered"),
    "intake.call_busy": N_("caller got the busy signal"),
    "intake.call_missed": N_("call missed"),
    "intake.call_ended": N_("caller hung up"),
    "intake.call_returned": N_("customer called back"),
    "intake.request_answered": N_("customer answered"),
    "dispatch.ticket_assigned": N_("given to another engineer"),
    "dispatch.assignment_accepted": N_("task accepted"),
    "dispatch.assignment_declined": N_("task declined"),
    "dispatch.visit_agreed": N_("visit agreed"),
    "dispatch.engineer_arrived": N_("engineer on site"),
    "dispatch.ticket_closed": N_("ticket closed"),
    "regraded": N_("another severity, another promise"),
}


def promise(code: str) -> str:
    """The name of a promise, to be translated; one that the house made up itself is called by its code."""
    return PROMISES.get(code, code)
