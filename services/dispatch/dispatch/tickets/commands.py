"""What engineers and dispatchers ask for, as values; the same from a program, a phone and a page."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from dispatch.tickets.rules import Command as Name
from shared.events.dispatch import JobKind, WaitingFor
from shared.events.terms import Code, PartLine, PersonId
from shared.i18n import N_
from shared.logs import redact
from shared.sent import Sent

Why = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
"""Without names, numbers or addresses: it travels in events."""

WorkNote = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]


class _Command(Sent):
    model_config = ConfigDict(frozen=True)

    name: ClassVar[Name]
    base_version: Annotated[int, Field(ge=1, le=2**53)] | None = None
    """The version of the ticket this was decided on; instead of If-Match."""


class Accept(_Command):
    """接单."""

    name: ClassVar[Name] = "accept"


class Decline(_Command):
    """The engineer cannot take it; the next one is asked."""

    name: ClassVar[Name] = "decline"
    reason: Why


class AgreeVisit(_Command):
    """A time that the customer agreed to (R58)."""

    name: ClassVar[Name] = "agree_visit"
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    at_customers_wish: bool = False
    reason: Why | None = None
    """Why another time than the one that was agreed: the customer reads it."""
    customer_absent: bool = False
    """Nobody was there at the time that was agreed."""


class OfferVisit(_Command):
    """The customer gets a link by which to choose a time of the engineer's."""

    name: ClassVar[Name] = "offer_visit"


class CancelVisit(_Command):
    """The visit does not take place, and no other time is agreed yet; the customer reads why."""

    name: ClassVar[Name] = "cancel_visit"
    reason: Why
    customer_absent: bool = False
    """The engineer came, and nobody was there."""


class Depart(_Command):
    """出发."""

    name: ClassVar[Name] = "depart"


class Arrive(_Command):
    """到达; `device_time` is what the phone says, kept beside ours."""

    name: ClassVar[Name] = "arrive"
    device_time: AwareDatetime | None = None


class BeginWork(_Command):
    """The work itself begins, at the site or from afar (R26)."""

    name: ClassVar[Name] = "begin_work"


Written = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
"""The same as `Why`, where nothing has to be said."""


class Pause(_Command):
    """Nothing can be done until somebody else has done something."""

    name: ClassVar[Name] = "pause"
    waiting_for: WaitingFor
    note: Written = ""
    expected_at: AwareDatetime | None = None
    """When it is likely to go on."""


class Resume(_Command):
    """It goes on where it was."""

    name: ClassVar[Name] = "resume"


class Cancel(_Command):
    """There is nothing to be done after all; what the desk solves or merges is cancelled by itself."""

    name: ClassVar[Name] = "cancel"
    reason: Literal["duplicate", "solved_at_desk", "withdrawn", "by_mistake", "other"]
    note: Why


class Reopen(_Command):
    """Another episode begins (decision 14)."""

    name: ClassVar[Name] = "reopen"
    reason: Why


class Line(Sent):
    """So many pieces of one part."""

    model_config = ConfigDict(frozen=True)

    part_number: Code
    quantity: Annotated[int, Field(ge=1, le=1000, strict=True)]

    def told(self) -> PartLine:
        return PartLine(part_number=self.part_number, quantity=self.quantity)


class RequestParts(_Command):
    """What the repair needs (R73)."""

    name: ClassVar[Name] = "request_parts"
    lines: Annotated[tuple[Line, ...], Field(min_length=1, max_length=50)]

    @field_validator("lines")
    @classmethod
    def _merged(cls, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        """One line per part."""
        wanted: dict[str, int] = {}
        for line in lines:
            wanted[line.part_number] = wanted.get(line.part_number, 0) + line.quantity
        return tuple(Line(part_number=number, quantity=count) for number, count in sorted(wanted.items()))


Ticked = Annotated[tuple[Code, ...], Field(max_length=100)]
"""Codes of items of the checklist."""


class Tick(_Command):
    """So much of the checklist is done (R26)."""

    name: ClassVar[Name] = "tick"
    items: Annotated[Ticked, Field(min_length=1)]


class LogWork(_Command):
    """What was done, from when to when (R28, R33)."""

    name: ClassVar[Name] = "log_work"
    began_at: AwareDatetime
    ended_at: AwareDatetime
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
    visit_id: UUID | None = None
    """The visit it belongs to; without it the one at that time, if there was one."""


class PlanWork(_Command):
    """Another kind of job, or another estimate."""

    name: ClassVar[Name] = "plan_work"
    job_kind: JobKind
    planned_minutes: Annotated[int, Field(ge=1, le=60 * 24 * 30)] | None = None
    """None leaves the estimate as it is."""


def without_contact_data(text: str) -> str:
    """Events are kept for ever, and people of other departments have nothing to do with the customer."""
    if redact(text) != text:
        raise PydanticCustomError(
            "contact_data", N_("write it without telephone numbers, mail addresses and long numbers")
        )
    return text


class InformCustomer(_Command):
    """Tell the customer how it goes (R62); intake sends it, so the text travels in an event."""

    name: ClassVar[Name] = "inform_customer"
    text: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=1000),
        AfterValidator(without_contact_data),
    ]


Asked = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=2000),
    AfterValidator(without_contact_data),
]
"""What somebody else is asked for, or tells who asked."""


class AskDepartment(_Command):
    """Another department is to do something for it (R37)."""

    name: ClassVar[Name] = "ask_department"
    department: Code
    what: Asked
    needed_by: AwareDatetime
    blocking: bool = False
    """Whether the work waits for it, and nothing is finished before."""


Told = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=2000), AfterValidator(without_contact_data)
]
"""The same as `Asked`, where nothing has to be said."""


class Escalate(_Command):
    """A higher level of support is needed: an expert, or R&D (R25)."""

    name: ClassVar[Name] = "escalate"
    to: Literal["l2", "rnd"]
    how: Literal["supports", "takes_over"] = "supports"
    """Of an expert: `supports` leaves engineer and owner as they are, `takes_over` gives them the ticket."""
    reason: Asked
    tried: Asked
    """What was tried already."""
    blocking: bool = False
    """Of R&D: whether the work waits for it."""
    needed_by: AwareDatetime | None = None
    """Of R&D; what the policy says where it is left out."""


class Deescalate(_Command):
    """The higher level is not needed any more."""

    name: ClassVar[Name] = "deescalate"
    to: Literal["l1", "l2"]
    reason: Asked


PlanLine = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=300),
    AfterValidator(without_contact_data),
]


class ProposePlan(_Command):
    """How it is to be repaired, for whoever guides it to sign off (R21)."""

    name: ClassVar[Name] = "propose_plan"
    steps: Annotated[tuple[PlanLine, ...], Field(min_length=1, max_length=30)]
    minutes: Annotated[int, Field(ge=1, le=60 * 24 * 30)]
    parts: Annotated[tuple[Line, ...], Field(max_length=50)] = ()


class SignPlan(_Command):
    """Whoever guides it signs the plan off, or sends it back with a reason."""

    name: ClassVar[Name] = "sign_plan"
    number: Annotated[int, Field(ge=1, le=10_000)]
    signed: bool
    reason: Told = ""

    @model_validator(mode="after")
    def _says_why(self) -> SignPlan:
        if not (self.signed or self.reason):
            raise PydanticCustomError("reason_missing", N_("say why it is sent back"))
        return self


class Resolve(_Command):
    """完成; the work note is for the customer too."""

    name: ClassVar[Name] = "resolve"
    work_note: WorkNote
    fault_code: Code | None = None
    cause_code: Code | None = None
    """Both of the catalogue of jobs."""
    first_visit: bool = True
    items: Ticked = ()
    """What of the checklist is ticked at the same time."""


class Assign(_Command):
    """A dispatcher chooses by hand."""

    name: ClassVar[Name] = "assign"
    person_id: PersonId
    reason: Why
    despite: Annotated[tuple[Code, ...], Field(max_length=50)] = ()
    """The codes of the objections to this person that are known and overruled; without them it is refused."""


Command: TypeAlias = (
    Accept
    | Decline
    | AgreeVisit
    | OfferVisit
    | CancelVisit
    | Depart
    | Arrive
    | BeginWork
    | Pause
    | Resume
    | RequestParts
    | Tick
    | LogWork
    | PlanWork
    | InformCustomer
    | AskDepartment
    | Escalate
    | Deescalate
    | ProposePlan
    | SignPlan
    | Resolve
    | Assign
    | Cancel
    | Reopen
)
