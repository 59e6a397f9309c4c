"""The policy that ships: R50–R59 with the decisions on what the documents leave open."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Final

from sla_monitor.policies.rules import (
    AtCustomersWish,
    ByHours,
    Case,
    NextWorkingDay,
    Policy,
    Promise,
    Target,
    Waiting,
    Wall,
)

_ANSWERED: Final = "intake.call_answered"
_NOT_REACHED: Final = ("intake.call_busy", "intake.call_missed", "intake.call_ended")
_ASSIGNED: Final = "dispatch.ticket_assigned"
_CLOSED: Final = "dispatch.ticket_closed"

_NINE_O_CLOCK: Final = NextWorkingDay(by=time(9), at_least=timedelta(hours=1))  # R53, decisions 17 and 20

_WHILE_THE_CUSTOMER_TRIES: Final = Waiting(
    begins=("dispatch.ticket_resolved",), ends=("dispatch.result_rejected",), reason="awaiting_acceptance"
)


def _hours(hours: int) -> Wall:
    return Wall(length=timedelta(hours=hours))


def _minutes(minutes: int) -> Wall:
    return Wall(length=timedelta(minutes=minutes))


def _graded(severity: str, target: Target, requirement: str, **facts: bool) -> Case:
    when: dict[str, tuple[str | bool, ...]] = {"severity": (severity,)}
    return Case(
        when=when | {name: (value,) for name, value in facts.items()}, target=target, requirement=requirement
    )


ANSWER_CALL: Final = Promise(
    code="answer_call",
    about="call",
    per="subject",
    starts=("intake.call_rang",),
    stops=(_ANSWERED,),
    cancels=_NOT_REACHED,  # decision 19: the promise to call back takes its place
    cases=(Case(target=ByHours(in_hours=Wall(length=timedelta(seconds=60))), requirement="R50"),),
)
RETURN_CALL: Final = Promise(
    code="return_call",
    about="call",
    per="subject",
    starts=_NOT_REACHED,
    unless=(_ANSWERED,),
    stops=("intake.call_returned",),
    cases=(
        Case(
            target=ByHours(in_hours=Wall(length=timedelta(seconds=180)), out_of_hours=_NINE_O_CLOCK),
            requirement="R51",
        ),
    ),
)
FIRST_REPLY: Final = Promise(
    code="first_reply",
    about="request",
    per="subject",
    starts=("intake.request_registered",),
    stops=("intake.request_answered",),  # decision 12: by a person; an acknowledgement is no such event
    cases=(
        Case(
            when={"channel": ("email", "web_chat")},
            target=ByHours(in_hours=_hours(1), out_of_hours=_NINE_O_CLOCK),  # decision 1: by the wall clock
            requirement="R52",
        ),
        Case(
            when={"channel": ("web_form", "social", "sms", "webhook")},
            target=ByHours(in_hours=_hours(1), out_of_hours=_NINE_O_CLOCK),
            requirement="R59",
        ),
    ),
)
ACCEPT: Final = Promise(
    code="accept",
    about="ticket",
    per="start",  # every engineer who is asked
    starts=(_ASSIGNED,),
    stops=("dispatch.assignment_accepted",),
    cancels=("dispatch.assignment_declined", _ASSIGNED, _CLOSED),
    cases=(  # decision 3
        _graded("urgent", _minutes(5), "R61"),
        _graded("important", _minutes(30), "R61"),
        _graded("general", _hours(4), "R61"),
    ),
)
ON_SITE: Final = Promise(
    code="on_site",
    about="ticket",
    per="episode",  # decision 18: another engineer does not restart it
    starts=(_ASSIGNED,),
    stops=("dispatch.engineer_arrived",),
    cancels=(_CLOSED,),
    pauses=(AtCustomersWish(agreed="dispatch.visit_agreed"), _WHILE_THE_CUSTOMER_TRIES),
    cases=(
        _graded("urgent", _hours(2), "R54", same_city=True),
        _graded("urgent", _hours(24), "R55", same_city=False),
        _graded("important", _hours(24), "R56", same_city=True),
        _graded("important", _hours(48), "R57", same_city=False),
    ),
    regrades_past=True,
)
VISIT_AGREED: Final = Promise(
    code="visit_agreed",
    about="ticket",
    per="episode",
    starts=(_ASSIGNED,),
    stops=("dispatch.visit_agreed",),
    cancels=(_CLOSED,),
    pauses=(_WHILE_THE_CUSTOMER_TRIES,),
    cases=(_graded("general", _hours(48), "R58"),),
    regrades_past=True,
)

SHIPPED: Final = Policy(
    calendar="cn",
    promises=(ANSWER_CALL, RETURN_CALL, FIRST_REPLY, ACCEPT, ON_SITE, VISIT_AGREED),
)
