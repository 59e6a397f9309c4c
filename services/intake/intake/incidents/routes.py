"""The pages of incidents: what is proposed, what goes on, who belongs to it, what was told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from intake.incidents import access, actions, rules, store
from intake.incidents.actions import Said
from intake.incidents.store import Incident
from intake.places.pages import names_of
from intake.places.store import load_catalogue
from intake.requests import access as requests
from intake.requests.numbers import number_in
from intake.requests.routes import person
from intake.requests.rules import UNKNOWN
from intake.requests.store import find_numbered
from shared.db import Tx
from shared.db.audit import record
from shared.events.terms import Code
from shared.http.auth import Caller, Principal, Role, allow
from shared.http.pages import page
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.i18n import ZONE
from shared.i18n.language import current_language
from shared.logs import redact

router = APIRouter(route_class=ServiceRoute, include_in_schema=False)

ROLES: Final[frozenset[Role]] = frozenset({"care", "dispatcher", "operations", "admin"})
SPEAKERS: Final[frozenset[Role]] = frozenset({"care", "operations", "admin"})
"""Who may tell customers of an incident."""
SHOWN: Final = 100
MOST_SUGGESTED: Final = 500

_DESK = [Depends(allow(*ROLES))]
_SPEAKERS = [Depends(allow(*SPEAKERS))]

Line = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)]
Words = Annotated[str, StringConstraints(max_length=1_000, strip_whitespace=True)]


def _empty(sent: Any) -> Any:
    """Browsers send fields that nobody filled in as empty text."""
    return None if sent == "" else sent


def _here(instant: datetime | None) -> datetime | None:
    """A browser's date field knows no zone: it means the time on the wall here."""
    return instant and instant.replace(tzinfo=instant.tzinfo or ZONE)


Moment = Annotated[datetime | None, BeforeValidator(_empty), AfterValidator(_here)]


class SaidForm(BaseModel):
    """What is told, on top of which revision, and the proof that our page sent it."""

    model_config = ConfigDict(extra="forbid")

    csrf: str = ""
    seen: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    title: Annotated[Line, StringConstraints(min_length=1)]
    cause: Words = ""
    recovery_at: Moment = None
    note: Words = ""

    @property
    def said(self) -> Said:
        return Said(self.title, self.cause, self.recovery_at, self.note)


class DeclareForm(SaidForm):
    """The same, with the requests it explains."""

    requests: Annotated[list[UUID], Field(max_length=MOST_SUGGESTED)] = []


class NewForm(DeclareForm):
    """The same for what nobody proposed."""

    product_line: Annotated[Code | None, BeforeValidator(_empty)] = None
    region: Code


class LinkForm(BaseModel):
    """Which requests."""

    model_config = ConfigDict(extra="forbid")

    csrf: str = ""
    requests: Annotated[list[UUID], Field(max_length=MOST_SUGGESTED)] = []
    number: Annotated[str, StringConstraints(max_length=40, strip_whitespace=True)] = ""
    """Of one more, as people say it."""


class Proof(BaseModel):
    """Nothing but the proof that our page sent it."""

    model_config = ConfigDict(extra="forbid")

    csrf: str = ""


@router.get("/incidents", dependencies=_DESK)
async def incidents(request: Request, tx: ReadTx, caller: Caller) -> HTMLResponse:
    """What goes on, then what went on."""
    found = [each for each in await store.load_all(tx, SHOWN) if access.sees(caller, each)]
    reached = await store.load_reach(tx, [each.id for each in found], last=True)
    return page(
        request,
        "incidents.html",
        incidents=found,
        reached={id: each for (id, _), each in reached.items()},
        regions=await _regions(tx, found),
        may_speak=_may_speak(caller),
    )


@router.get("/incidents/line", dependencies=_DESK)
async def line(request: Request, tx: ReadTx, caller: Caller) -> HTMLResponse:
    """One line for the service desk."""
    found = [each for each in await store.load_going_on(tx) if access.sees(caller, each)]
    return page(request, "incident_line_now.html", incidents=found, regions=await _regions(tx, found))


@router.get("/incidents/{id}", dependencies=_DESK)
async def one(id: UUID, request: Request, tx: ReadTx, caller: Caller) -> HTMLResponse:
    """One cause: what was said, who was told, and who else seems to suffer from it."""
    found = await access.load(tx, caller, id)
    suggested = []
    if found.state in ("proposed", "open"):
        since = found.proposed_at - rules.SHIPPED.window
        suggested = await store.load_suggested(tx, found, since, MOST_SUGGESTED)
    linked = await store.load_linked(tx, id)
    reached = await store.load_reach(tx, [id], last=False)
    seen = await requests.visible(tx, caller, {each.request_id for each in (*linked, *suggested)})
    return page(
        request,
        "incident.html",
        incident=found,
        linked=[each for each in linked if each.request_id in seen],
        suggested=[each for each in suggested if each.request_id in seen],
        revisions=await store.load_revisions(tx, id),
        reached={revision: each for (_, revision), each in reached.items()},
        regions=await _regions(tx, [found]),
        may_speak=_may_speak(caller),
        redact=redact,
        zone=ZONE,
    )


@router.post("/incidents", dependencies=_SPEAKERS)
async def declare_new(tx: WriteTx, caller: Caller, form: Annotated[NewForm, Form()]) -> RedirectResponse:
    """Declare what nobody proposed."""
    signature = rules.Signature(form.product_line, form.region)
    access.require_own(caller, signature)
    await requests.require(tx, caller, form.requests)
    found = await actions.declare_new(tx, signature, form.said, form.requests, person(caller))
    return await _done(tx, caller, found.id, "incident_declared")


@router.post("/incidents/{id}/declare", dependencies=_SPEAKERS)
async def declare(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[DeclareForm, Form()]
) -> RedirectResponse:
    """Declare a proposal and tell the customers of the requests that were left checked."""
    await _reach(tx, caller, id, form.requests)
    await actions.declare(tx, id, form.said, form.requests, person(caller))
    return await _done(tx, caller, id, "incident_declared")


@router.post("/incidents/{id}/dismiss", dependencies=_SPEAKERS)
async def dismiss(id: UUID, tx: WriteTx, caller: Caller, form: Annotated[Proof, Form()]) -> RedirectResponse:
    """It is none."""
    await _reach(tx, caller, id)
    await actions.dismiss(tx, id)
    return await _done(tx, caller, id, "incident_dismissed")


@router.post("/incidents/{id}/update", dependencies=_SPEAKERS)
async def revise(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[SaidForm, Form()]
) -> RedirectResponse:
    """Tell every linked customer what changed."""
    await _reach(tx, caller, id)
    await actions.revise(tx, id, form.said, person(caller), form.seen)
    return await _done(tx, caller, id, "incident_updated")


@router.post("/incidents/{id}/end", dependencies=_SPEAKERS)
async def end(id: UUID, tx: WriteTx, caller: Caller, form: Annotated[SaidForm, Form()]) -> RedirectResponse:
    """Tell every linked customer that it works again."""
    await _reach(tx, caller, id)
    await actions.end(tx, id, form.said, person(caller), form.seen)
    return await _done(tx, caller, id, "incident_ended")


@router.post("/incidents/{id}/links", dependencies=_SPEAKERS)
async def link(id: UUID, tx: WriteTx, caller: Caller, form: Annotated[LinkForm, Form()]) -> RedirectResponse:
    """These requests belong to it too; their customers are told how it stands."""
    chosen = await _chosen(tx, form)
    await _reach(tx, caller, id, chosen)
    await actions.link(tx, id, chosen, person(caller))
    return await _done(tx, caller, id, "incident_linked")


@router.post("/incidents/{id}/unlink", dependencies=_SPEAKERS)
async def unlink(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[LinkForm, Form()]
) -> RedirectResponse:
    """These have another cause."""
    chosen = await _chosen(tx, form)
    await _reach(tx, caller, id, chosen)
    await actions.unlink(tx, id, chosen, person(caller))
    return await _done(tx, caller, id, "incident_unlinked")


async def _chosen(tx: Tx, form: LinkForm) -> list[UUID]:
    """What was ticked, and the one whose number was typed; `UnknownRequest`."""
    if not form.number:
        return form.requests
    number = number_in(form.number)
    numbered = None if number is None else await find_numbered(tx, number)
    if numbered is None:
        raise store.UnknownRequest
    return [*form.requests, numbered]


async def _reach(tx: Tx, caller: Principal, id: UUID, asked: Sequence[UUID] = ()) -> None:
    """Raise what is not there for `caller`: the incident, or one of the requests."""
    await access.load(tx, caller, id)
    await requests.require(tx, caller, asked)


async def _done(tx: Tx, caller: Principal, id: UUID, action: str) -> RedirectResponse:
    await record(tx, caller.id, action, str(id), {})
    return RedirectResponse(f"/intake/incidents/{id}", status_code=303)


async def _regions(tx: Tx, found: Sequence[Incident]) -> dict[str, str | None]:
    """By code: the region's name in the reader's language, None where the region is not known."""
    catalogue = await load_catalogue(tx)
    one = 0 if current_language().tag.startswith("zh") else 1
    return {
        each.region: None if each.region == UNKNOWN else names_of(catalogue, "region", each.region)[one]
        for each in found
    }


def _may_speak(caller: Principal) -> bool:
    return bool(caller.roles & SPEAKERS)
