"""The page of a ticket, and the forms on it; what they send becomes the same commands that programs send."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dispatch.access import ASSIGNERS, HELP, READERS, WORKERS, Viewer, find_ticket, may
from dispatch.assignment.objections import SpeaksAgainst
from dispatch.evidence.store import list_photos, list_signatures
from dispatch.incidents.store import load_incidents
from dispatch.leadership.rules import Notice, is_awaited, may_acknowledge
from dispatch.organisation.store import list_people, load_names
from dispatch.phone.rules import LEADS_TO
from dispatch.phone.store import list_of_ticket
from dispatch.remote.parts import remote_part
from dispatch.remote.store import list_sessions
from dispatch.solutions.parts import load_part
from dispatch.support.actions import may_hand_over, may_sign
from dispatch.tickets import commands
from dispatch.tickets.dossier import Dossier, load_dossier, words
from dispatch.tickets.rules import MOVES, Command, Ticket
from dispatch.tickets.work import Asked, perform
from dispatch.urgent.store import load_policy
from shared.db import Tx
from shared.http.auth import Caller, NotAllowed, allow
from shared.http.etag import Precondition
from shared.http.pages import page
from shared.http.scope import settings_of
from shared.http.sign_in import local_path
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.i18n import ZONE
from shared.i18n.language import current_language

router: Final = APIRouter(route_class=ServiceRoute, include_in_schema=False)

Made = TypeVar("Made", bound=BaseModel)

LATER: Final = frozenset[Command](
    {
        "decline",
        "agree_visit",
        "pause",
        "request_parts",
        "inform_customer",
        "ask_department",
        "escalate",
        "propose_plan",
        "resolve",
    }
)
"""The forms that a phone may need before it is back."""
MOST_PEOPLE: Final = 200  # to pick from by hand; more than that need the search of a later page


class Filled(BaseModel):
    """A form of the ticket's page as it was filled in; which fields matter depends on the command."""

    model_config = ConfigDict(extra="forbid")

    command: Literal[
        "accept",
        "decline",
        "agree_visit",
        "offer_visit",
        "cancel_visit",
        "depart",
        "arrive",
        "begin_work",
        "pause",
        "resume",
        "request_parts",
        "tick",
        "log_work",
        "plan_work",
        "inform_customer",
        "ask_department",
        "escalate",
        "deescalate",
        "propose_plan",
        "sign_plan",
        "resolve",
        "assign",
        "cancel",
        "reopen",
    ]
    base_version: Annotated[int, Field(ge=1, le=2**53)]
    csrf: str = ""
    back: Annotated[str, Field(max_length=500)] = ""
    reason: str = ""
    starts_at: datetime | None = None
    minutes: Annotated[int, Field(ge=5, le=24 * 60)] = 120
    at_customers_wish: bool = False
    customer_absent: bool = False
    part_number: str = ""
    quantity: int = 1
    text: str = ""
    work_note: str = ""
    fault_code: str = ""
    first_visit: bool = False
    person_id: str = ""
    despite: list[str] = []
    waiting_for: str = ""
    note: str = ""
    expected_at: datetime | None = None
    items: list[str] = []
    began_at: datetime | None = None
    cause_code: str = ""
    job_kind: str = ""
    planned_minutes: int | None = None
    department: str = ""
    what: str = ""
    needed_by: datetime | None = None
    blocking: bool = False
    to: str = ""
    how: str = "supports"
    tried: str = ""
    steps: str = ""
    plan_parts: str = ""
    number: int = 1
    signed: bool = False


def command_of(filled: Filled) -> commands.Command:
    """The command that a form asks for; raises what is wrong with it as if a program had sent it."""
    return checked(MAKE[filled.command], _fields(filled))


def checked(kind: type[Made], fields: Mapping[str, Any]) -> Made:
    """`fields` as a `kind`; raises `RequestValidationError`, as if they were the body of a request."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        wrong = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(wrong) from None


MAKE: Final[dict[str, type[commands.Command]]] = {
    "accept": commands.Accept,
    "decline": commands.Decline,
    "agree_visit": commands.AgreeVisit,
    "offer_visit": commands.OfferVisit,
    "cancel_visit": commands.CancelVisit,
    "depart": commands.Depart,
    "arrive": commands.Arrive,
    "begin_work": commands.BeginWork,
    "pause": commands.Pause,
    "resume": commands.Resume,
    "request_parts": commands.RequestParts,
    "tick": commands.Tick,
    "log_work": commands.LogWork,
    "plan_work": commands.PlanWork,
    "inform_customer": commands.InformCustomer,
    "ask_department": commands.AskDepartment,
    "escalate": commands.Escalate,
    "deescalate": commands.Deescalate,
    "propose_plan": commands.ProposePlan,
    "sign_plan": commands.SignPlan,
    "resolve": commands.Resolve,
    "assign": commands.Assign,
    "cancel": commands.Cancel,
    "reopen": commands.Reopen,
}


# What a form calls as the command does; the other commands are put together below.
_PLAIN: Final[dict[str, tuple[str, ...]]] = {
    "decline": ("reason",),
    "deescalate": ("to", "reason"),
    "sign_plan": ("number", "signed", "reason"),
    "cancel_visit": ("reason", "customer_absent"),
    "tick": ("items",),
    "plan_work": ("job_kind", "planned_minutes"),
    "inform_customer": ("text",),
    "assign": ("person_id", "reason", "despite"),
    "cancel": ("reason", "note"),
    "reopen": ("reason",),
}


def _fields(filled: Filled) -> dict[str, Any]:
    match filled.command:
        case "agree_visit":
            begins, ends = _span(filled.starts_at, filled.minutes)
            said = {"reason": filled.reason or None, "customer_absent": filled.customer_absent}
            wish = {"at_customers_wish": filled.at_customers_wish}
            return {"starts_at": begins, "ends_at": ends, **wish, **said}
        case "pause":
            expected_at = _here(filled.expected_at)
            return {"waiting_for": filled.waiting_for, "note": filled.note, "expected_at": expected_at}
        case "request_parts":
            return {"lines": [{"part_number": filled.part_number, "quantity": filled.quantity}]}
        case "log_work":
            begins, ends = _span(filled.began_at, filled.minutes)
            return {"began_at": begins, "ended_at": ends, "text": filled.text}
        case "ask_department":
            asked = {"department": filled.department, "what": filled.what, "blocking": filled.blocking}
            return {**asked, "needed_by": _here(filled.needed_by)}
        case "escalate":
            plain = {name: getattr(filled, name) for name in ("to", "how", "reason", "tried", "blocking")}
            return {**plain, "needed_by": _here(filled.needed_by)}
        case "propose_plan":
            steps = [each for each in filled.steps.splitlines() if each.strip()]
            return {"steps": steps, "minutes": filled.minutes, "parts": _parts(filled.plan_parts)}
        case "resolve":
            codes = {"fault_code": filled.fault_code or None, "cause_code": filled.cause_code or None}
            done = {"work_note": filled.work_note, "first_visit": filled.first_visit, "items": filled.items}
            return {**done, **codes}
        case plain:
            return {name: getattr(filled, name) for name in _PLAIN.get(plain, ())}


def _span(begins: datetime | None, minutes: int) -> tuple[datetime | None, datetime | None]:
    begins = _here(begins)
    return begins, begins and begins + timedelta(minutes=minutes)


def _parts(told: str) -> list[dict[str, Any]]:
    """One part a line, its number and how many; one where no number of pieces follows."""
    lines = [each.split() for each in told.splitlines() if each.strip()]
    return [
        {"part_number": each[0], "quantity": int(each[-1]) if len(each) > 1 and each[-1].isdigit() else 1}
        for each in lines
    ]


def _here(told: datetime | None) -> datetime | None:
    """A browser's date field knows no zone: it means the time on the wall here."""
    return told and told.replace(tzinfo=told.tzinfo or ZONE)


@router.get("/tickets/{ticket_id}/page", dependencies=[Depends(allow(*READERS))])
async def show(request: Request, tx: ReadTx, caller: Caller, ticket_id: UUID) -> Response:
    """A ticket for people: what to do next, what became of it, and why this person has it."""
    viewer = Viewer.of(caller)
    ticket = await find_ticket(tx, viewer, ticket_id)
    possible = {each for each in ticket.allowed if may(viewer, ticket, each)}
    if not caller.roles.intersection(WORKERS):
        possible &= {"assign", *HELP}
    engineers = []
    if "assign" in possible:
        engineers = await list_people(tx, region=None, role="engineer", after=None, limit=MOST_PEOPLE)
    dossier = await load_dossier(tx, ticket)
    incidents = await load_incidents(tx, [ticket.request_id])
    urgent, _ = await load_policy(tx)
    return page(
        request,
        "ticket.html",
        dossier=dossier,
        ticket=ticket,
        possible=possible,
        help=HELP,
        **await _phone(tx, viewer, ticket),
        **_leadership(viewer, ticket, dossier.notice),
        has_room=bool(incidents) or ticket.severity == "urgent",
        urgent=urgent,
        remote=remote_part(caller, ticket, urgent, await list_sessions(tx, ticket.id)),
        remote_back=f"/dispatch/tickets/{ticket.id}/page#remote",
        **_support(viewer, dossier),
        solution_part=await load_part(tx, ticket, caller),
        solution_back=f"/dispatch/tickets/{ticket.id}/page#solution",
        photos=await list_photos(tx, ticket.id),
        signatures=await list_signatures(tx, ticket.id),
        engineers=[each for each in engineers if each.id != ticket.engineer_id],
        tell=words,
        spoken=current_language().locale.language,
        instant=datetime.fromisoformat,
    )


async def _phone(tx: Tx, viewer: Viewer, ticket: Ticket) -> dict[str, Any]:
    """What the engineer's phone needs to go on without a network, and what it brought too late."""
    is_engineers = viewer.person_id == ticket.engineer_id and ticket.is_open
    return {
        "later": LATER if is_engineers else frozenset(),
        "within": {name: sorted(MOVES[name].within) for name in LATER},
        "person": viewer.id,
        "moves": json.dumps(LEADS_TO),
        "conflicts": await list_of_ticket(tx, ticket.id),
    }


def _support(viewer: Viewer, dossier: Dossier) -> dict[str, Any]:
    """Whether the plan waits for this viewer's word, and whether they may let an expert take over."""
    ticket, plan = dossier.ticket, next(iter(dossier.plans), None)
    signer = dossier.signer_id if "sign_plan" in ticket.allowed else None
    signs = plan is not None and signer is not None and may_sign(ticket, plan, signer, viewer)
    return {"may_sign": signs, "may_hand_over": may_hand_over(ticket, viewer)}


def _leadership(viewer: Viewer, ticket: Ticket, notice: Notice | None) -> dict[str, Any]:
    """Whether leadership still has to acknowledge the ticket, and whether this is who can."""
    awaited = notice is not None and is_awaited(ticket, notice)
    may_tap = notice is not None and may_acknowledge(notice, viewer.person_id, is_admin=viewer.is_admin)
    return {"notice": notice, "awaited": awaited, "may_tap": awaited and may_tap}


@router.post("/tickets/{ticket_id}/page", dependencies=[Depends(allow(*READERS))])
async def change(
    request: Request, tx: WriteTx, caller: Caller, ticket_id: UUID, filled: Annotated[Filled, Form()]
) -> Response:
    """Do what a form asks for, then show where it came from."""
    roles = READERS if filled.command in HELP else ASSIGNERS if filled.command == "assign" else WORKERS
    if not caller.roles.intersection(roles):
        raise NotAllowed(roles=", ".join(roles))
    seen = Precondition(frozenset({str(filled.base_version)}))
    asked = Asked(Viewer.of(caller), seen, settings_of(request).public_url)
    command = command_of(filled)
    try:
        await perform(tx, ticket_id, command, asked)
    except SpeaksAgainst as refused:
        assert isinstance(command, commands.Assign)
        return await _ask_again(request, tx, ticket_id, command, filled, refused)
    here = "/dispatch/app" if filled.command == "decline" else f"/dispatch/tickets/{ticket_id}/page"
    return RedirectResponse(local_path(filled.back) if filled.back else here, 303)


async def _ask_again(
    request: Request,
    tx: Tx,
    ticket_id: UUID,
    command: commands.Assign,
    filled: Filled,
    refused: SpeaksAgainst,
) -> Response:
    """What speaks against whom they chose, and a button to choose them all the same; nothing has changed."""
    names = await load_names(tx, [command.person_id])
    # Scripts put in place what succeeded alone; to everybody else it is the conflict that it is.
    status_code = 200 if "hx-request" in request.headers else 409
    return page(
        request,
        "ticket_despite.html",
        status_code=status_code,
        ticket={"id": ticket_id, "version": filled.base_version},
        chosen=command,
        name=names[command.person_id],
        objections=refused.data["objections"],
        back=filled.back,
    )
