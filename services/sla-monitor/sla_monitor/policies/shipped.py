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

_WHILE_THE_CUSTOMER_TRIES: Final = Waiting(
    begins=("dispatch.ticket_resolved",), ends=("dispatch.result_rejected",), reason="awaiting_acceptance"
)


def _within(requirement: str, *, hours: int = 0, minutes: int = 0, seconds: int = 0) -> Wall:
    return Wall(length=timedelta(hours=hours, minutes=minutes, seconds=seconds), requirement=requirement)


def _by_nine(requirement: str) -> NextWorkingDay:
    return NextWorkingDay(
        by=time(9), at_least=timedelta(hours=1), requirement=requirement
    )  # decisions 17, 20


def _graded(severity: str, target: Target, **facts: bool) -> Case:
    named: dict[str, str | bool] = {"severity": severity, **facts}
    return Case(when={name: (value,) for name, value in named.items()}, target=target)


ANSWER_CALL: Final = Promise(
    code="answer_call",
    about="call",
    per="subject",
    starts=("intake.call_rang",),
    stops=(_ANSWERED,),
    cancels=_NOT_REACHED,  # decision 19: the promise to call back takes its place
    cases=(Case(target=ByHours(in_hours=_within("R50", seconds=60))),),
)
RETURN_CALL: Final = Promise(
    code="return_call",
    about="call",
    per="subject",
    starts=_NOT_REACHED,
    unless=(_ANSWERED,),
    stops=("intake.call_returned",),
    cases=(Case(target=ByHours(in_hours=_within("R51", seconds=180), out_of_hours=_by_nine("R51"))),),
)
FIRST_REPLY: Final = Promise(
    code="first_reply",
    about="request",
    per="subject",
    starts=("intake.request_registered",),
    stops=("intake.request_answered",),  # decision 12: by a person; an acknowledgement is no such event
    cases=(
        Case(  # decision 1: an hour by the wall clock, also when the office closes in between
            when={"channel": ("email", "web_chat")},
            target=ByHours(in_hours=_within("R52", hours=1), out_of_hours=_by_nine("R53")),
        ),
        Case(  # decision 13
            when={"channel": ("web_form", "social", "sms", "webhook")},
            target=ByHours(in_hours=_within("R59", hours=1), out_of_hours=_by_nine("R59")),
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
        _graded("urgent", _within("R61", minutes=5)),
        _graded("important", _within("R61", minutes=30)),
        _graded("general", _within("R61", hours=4)),
    ),
    is_response=False,  # decision 7: R50–R58 are
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
        _graded("urgent", _within("R54", hours=2), same_city=True),
        _graded("urgent", _within("R55", hours=24), same_city=False),
        _graded("important", _within("R56", hours=24), same_city=True),
        _graded("important", _within("R57", hours=48), same_city=False),
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
    cases=(_graded("general", _within("R58", hours=48)),),
    regrades_past=True,
)

SHIPPED: Final = Policy(
    calendar="cn",
    promises=(ANSWER_CALL, RETURN_CALL, FIRST_REPLY, ACCEPT, ON_SITE, VISIT_AGREED),
)
