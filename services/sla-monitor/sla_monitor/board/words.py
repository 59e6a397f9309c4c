"""What codes are called where people read them."""

from __future__ import annotations

from typing import Final

from shared.i18n import N_

PROMISES: Final = {
    "answer_call": N_("Answer the call"),
    "return_call": N_("Call back"),
    "first_reply": N_("Reply to the customer"),
    "accept": N_("Accept the task"),
    "on_site": N_("Arrive on site"),
    "visit_agreed": N_("Agree on a visit"),
}
SUBJECTS: Final = {
    "ticket": N_("Ticket"),
    "request": N_("Request"),
    "call": N_("Phone call"),
}
PAUSES: Final = {
    "customers_wish": N_("a later visit at the customer's wish"),
    "awaiting_acceptance": N_("the customer tries the result"),
}


def promise(code: str) -> str:
    """The name of a promise, to be translated; one the house made up itself is called by its code."""
    return PROMISES.get(code, code)
