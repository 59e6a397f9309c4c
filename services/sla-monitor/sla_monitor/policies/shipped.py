"""The policy that ships: R23 and R50–R62 with the decisions on what the documents leave open."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Final

from sla_monitor.policies.rules import (
    BREACHED,
    Appointed,
    AtCustomersWish,
    ByHours,
    Case,
    NextWorkingDay,
    Policy,
    Promise,
    Step,
    Target,
    Waiting,
    Wall,
)

_ANSWERED: Final = "intake.call_answered"
_NOT_REACHED: Final = ("intake.call_busy", "intake.call_missed", "intake.call_ended")
_MERGED: Final = "intake.request_merged"
_REQUEST_CLOSED: Final = "intake.request_closed"
_ASSIGNED: Final = "dispatch.ticket_assigned"
_AGREED: Final = "dispatch.visit_agreed"
_ARRIVED: Final = "dispatch.engineer_arrived"
_RESOLVED: Final = "dispatch.ticket_resolved"
_REJECTED: Final = "dispatch.result_rejected"
_CLOSED: Final = "dispatch.ticket_closed"
_CANCELLED: Final = "dispatch.ticket_cancelled"
_REOPENED: Final = "dispatch.ticket_reopened"
_OVER: Final = (_CLOSED, _CANCELLED)
_INFORMED: Final = "dispatch.leadership_informed"
_CUSTOMER_INFORMED: Final = "dispatch.customer_informed"

# A ticket's promises last long enough for each step to change something.
_TICKETS_LADDER: Final = (
    Step(at=50, tell=("owner",)),
    Step(at=75, tell=("owner",)),
    Step(at=90, tell=("owner", "supervisor")),
    Step(at=BREACHED, tell=("owner", "supervisor", "team_lead")),
    Step(at=BREACHED, minutes_after=60, tell=("team_lead", "leadership")),
)

# A quarter of an hour is soon over: leaders are reminded once, and then somebody rings them up.
_LEADERS_LADDER: Final = (
    Step(at=50, tell=("leadership",)),
    Step(at=BREACHED, tell=("owner", "leadership")),
    Step(at=BREACHED, minutes_after=15, tell=("owner", "team_lead", "leadership")),
)

_WHILE_THE_CUSTOMER_TRIES: Final = Waiting(
    begins=(_RESOLVED,), ends=(_REJECTED,), reason="awaiting_acceptance"
)

# Nobody here can hurry the customer; parts, vendors and other departments are ours to hurry.
_FOR_THE_CUSTOMER: Final = Waiting(
    begins=("dispatch.ticket_paused",),
    ends=("dispatch.ticket_resumed",),
    reason="waiting_for_customer",
    when={"waiting_for": ("customer",)},
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
    # Nobody waits for a reply any more: the promise to the other request holds for both, or the work is done.
    cancels=(_MERGED, _REQUEST_CLOSED),
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
    cancels=("dispatch.assignment_declined", "dispatch.assignment_withdrawn", _ASSIGNED, *_OVER),
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
    stops=(_ARRIVED,),
    cancels=_OVER,
    pauses=(AtCustomersWish(agreed=_AGREED), _WHILE_THE_CUSTOMER_TRIES, _FOR_THE_CUSTOMER),
    cases=(
        _graded("urgent", _within("R54", hours=2), same_city=True),
        _graded("urgent", _within("R55", hours=24), same_city=False),
        _graded("important", _within("R56", hours=24), same_city=True),
        _graded("important", _within("R57", hours=48), same_city=False),
    ),
    regrades_past=True,
    ladder=_TICKETS_LADDER,
)
VISIT_AGREED: Final = Promise(
    code="visit_agreed",
    about="ticket",
    per="episode",
    starts=(_ASSIGNED,),
    stops=(_AGREED,),
    cancels=_OVER,
    pauses=(_WHILE_THE_CUSTOMER_TRIES, _FOR_THE_CUSTOMER),
    cases=(_graded("general", _within("R58", hours=48)),),
    regrades_past=True,
    ladder=_TICKETS_LADDER,
)

APPOINTMENT_KEPT: Final = Promise(
    code="appointment_kept",
    about="ticket",
    per="start",  # every time that is agreed on, a moved visit's too
    starts=(_AGREED,),
    stops=(_ARRIVED, "dispatch.ticket_progressed"),  # work from afar begins at the time that was agreed, too
    cancels=(_AGREED, _RESOLVED, *_OVER),
    cases=(Case(target=Appointed(fact="starts_at", requirement="R58")),),  # decision 6
    ladder=(
        Step(at=90, tell=("owner",)),
        Step(at=BREACHED, tell=("owner", "supervisor", "team_lead")),
    ),
    is_response=False,
)
RESOLUTION: Final = Promise(
    code="resolution",
    about="ticket",
    per="episode",
    starts=("dispatch.ticket_opened", _REOPENED, _ASSIGNED),
    stops=(_CLOSED,),  # R29: not before the customer had the last word, or kept silent
    cancels=(_CANCELLED,),
    pauses=(_WHILE_THE_CUSTOMER_TRIES, _FOR_THE_CUSTOMER),
    cases=(  # decision 13
        _graded("urgent", _within("R60", hours=24)),
        _graded("important", _within("R60", hours=72)),
        _graded("general", _within("R60", hours=7 * 24)),
    ),
    ladder=_TICKETS_LADDER,
    is_response=False,
)
LEADERSHIP_ACKNOWLEDGED: Final = Promise(
    code="leadership_acknowledged",
    about="ticket",
    per="start",  # every time leadership is informed: of another group, of a ticket that is urgent again
    starts=(_INFORMED,),
    stops=("dispatch.leadership_acknowledged",),
    cancels=(_INFORMED, *_OVER),
    cases=(_graded("urgent", _within("R23", minutes=15)),),  # by the wall clock: urgent is day and night
    ladder=_LEADERS_LADDER,
    is_response=False,  # decision 7: R50–R58 are
)
PROGRESS: Final = Promise(
    code="progress",
    about="ticket",
    per="start",  # whenever the customer heard from us, the next time is due
    starts=("dispatch.ticket_opened", _REOPENED, _CUSTOMER_INFORMED, _AGREED, _ARRIVED, _REJECTED),
    stops=(_CUSTOMER_INFORMED, _AGREED, _ARRIVED, _RESOLVED),
    cancels=(_REJECTED, *_OVER),
    cases=(  # decision 13
        _graded("urgent", _within("R62", hours=2)),
        _graded("important", _within("R62", hours=8)),
        _graded("general", _within("R62", hours=24)),
    ),
    is_response=False,  # decision 7: R50–R58 are
)

SHIPPED: Final = Policy(
    calendar="cn",
    promises=(
        ANSWER_CALL,
        RETURN_CALL,
        FIRST_REPLY,
        ACCEPT,
        ON_SITE,
        VISIT_AGREED,
        APPOINTMENT_KEPT,
        RESOLUTION,
        LEADERSHIP_ACKNOWLEDGED,
        PROGRESS,
    ),
)
