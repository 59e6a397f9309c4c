"""The life of a ticket, pure: in every state somebody owns it (R24); each change is a version and an event.

states     the table: what may be done in which state, and where it leads
ticket     a ticket, and one version of it
assigning  who has it and who is accountable
steps      what those who work on it do, and the customer's word
ends       cancelled, and reopened as another episode
"""

from dispatch.tickets.rules.assigning import (
    acknowledge,
    adopt,
    amend,
    change_owner,
    change_supervisor,
    decline,
    open_ticket,
    place,
    regrade,
    take_away,
)
from dispatch.tickets.rules.ends import accept_result, cancel, close_unconfirmed, reject_result, reopen
from dispatch.tickets.rules.states import (
    ALLOWED,
    AT_WORK,
    BEFORE_WORK,
    ENDED,
    MOVES,
    STATES,
    UNRESOLVED,
    WORKING,
    Command,
    State,
)
from dispatch.tickets.rules.steps import (
    accept,
    agree_visit,
    arrive,
    begin_work,
    cancel_visit,
    choose_visit,
    depart,
    inform_customer,
    note_work,
    offer_visit,
    pause,
    request_parts,
    resolve,
    resume,
)
from dispatch.tickets.rules.ticket import AlreadyWithThem, Step, Steps, Ticket, TicketNotReady, require

__all__ = [
    "ALLOWED",
    "AT_WORK",
    "BEFORE_WORK",
    "ENDED",
    "MOVES",
    "STATES",
    "UNRESOLVED",
    "WORKING",
    "AlreadyWithThem",
    "Command",
    "State",
    "Step",
    "Steps",
    "Ticket",
    "TicketNotReady",
    "accept",
    "accept_result",
    "acknowledge",
    "adopt",
    "agree_visit",
    "amend",
    "arrive",
    "begin_work",
    "cancel",
    "cancel_visit",
    "change_owner",
    "change_supervisor",
    "choose_visit",
    "close_unconfirmed",
    "decline",
    "depart",
    "inform_customer",
    "note_work",
    "offer_visit",
    "open_ticket",
    "pause",
    "place",
    "regrade",
    "reject_result",
    "reopen",
    "request_parts",
    "require",
    "resolve",
    "resume",
    "take_away",
]
