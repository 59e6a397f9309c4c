"""The engineer's phone: what was done without a network, sent later; what it needs to work without one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import AwareDatetime, Field, model_validator
from pydantic_core import PydanticCustomError

from dispatch.access import WORKERS, Viewer
from dispatch.phone import store
from dispatch.phone.actions import Deed, take
from dispatch.phone.rules import Outcome
from dispatch.tickets.commands import Command
from dispatch.tickets.pages import MAKE, Filled, checked, command_of
from shared.errors import AftercareError
from shared.http.auth import Caller, allow, public
from shared.http.pages import pages_of
from shared.http.scope import service_of, settings_of
from shared.http.transaction import ServiceRoute, WriteTx
from shared.i18n import N_
from shared.sent import Sent

router: Final = APIRouter(route_class=ServiceRoute)

MOST_DEEDS: Final = 50


class NothingOpen(AftercareError):
    """There is no such conflict of yours, or it is settled already."""

    kind = "not_found"


_Text = Annotated[str, Field(max_length=4000)]
_Texts = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=100)]
"""What was ticked in a list of boxes."""


class SentDeed(Sent):
    """One command as it was given on a phone.

    Either `name` with the command's `fields`, as its own route takes them, or `form`: the fields of the
    ticket's page as text. Either the `base_version` it was decided on, or `after`: the id of the command of
    the same phone that it follows.
    """

    id: UUID
    """Chosen by the phone; the same again is the same command."""
    ticket_id: UUID
    done_at: AwareDatetime
    """By the phone's clock."""
    base_version: Annotated[int, Field(ge=1, le=2**53)] | None = None
    after: UUID | None = None
    name: Annotated[str, Field(max_length=40)] | None = None
    fields: Annotated[dict[str, Any], Field(default_factory=dict)]
    form: Annotated[dict[str, _Text | _Texts], Field(max_length=40)] | None = None

    @model_validator(mode="after")
    def _says_what(self) -> SentDeed:
        if (self.name is None) == (self.form is None):
            raise PydanticCustomError("one_of", N_("give either a name with fields, or a form"))
        if (self.base_version is None) == (self.after is None):
            raise PydanticCustomError("one_of", N_("give either base_version or after"))
        if self.name is not None and self.name not in MAKE:
            raise PydanticCustomError("unknown_command", N_("there is no such command"))
        return self

    def make(self) -> Command:
        """The command; raises `RequestValidationError`."""
        if self.form is not None:
            return command_of(checked(Filled, {"base_version": "1", **self.form}))
        return checked(MAKE[self.name or ""], self.fields)

    def deed(self) -> Deed:
        return Deed(
            id=self.id,
            ticket_id=self.ticket_id,
            name=self.name or str((self.form or {}).get("command", "")),
            make=self.make,
            base_version=self.base_version,
            after=self.after,
            sent=self.model_dump(mode="json", exclude_defaults=True),
            done_at=self.done_at,
        )


class Batch(Sent):
    """What a phone did since it sent last, in the order in which it was done."""

    sent_at: AwareDatetime
    """By the phone's clock, now: how wrong that is, is how wrong `done_at` is."""
    commands: Annotated[list[SentDeed], Field(min_length=1, max_length=MOST_DEEDS)]


class TakenView(Sent):
    """What became of one command."""

    id: UUID
    outcome: Outcome
    """`applied`; `already` done by the same person; `conflict`: kept, and shown on their page; `refused`."""
    version: int | None
    """Of the ticket afterwards; null where nothing was done."""
    problem: dict[str, Any] | None
    """Why it was not carried out."""


class Answer(Sent):
    results: list[TakenView]


@router.post("/app/commands", dependencies=[Depends(allow(*WORKERS))])
async def bring(request: Request, caller: Caller, batch: Batch) -> Answer:
    """Carry out what was done on a phone, each command once, however often it is sent.

    What only adds to a ticket is done whatever happened since; what moves it is done unless somebody else
    moved it since. What cannot be done any more is kept as a conflict until its person settles it. The order
    of `commands` is kept; a failure of one leaves the others as they are.
    """
    viewer, database = Viewer.of(caller), service_of(request).database
    public_url = settings_of(request).public_url
    results = [
        await take(database, each.deed(), viewer, batch.sent_at, public_url) for each in batch.commands
    ]
    return Answer(results=[TakenView(**asdict(each)) for each in results])


@router.post("/app/settled/{id}", dependencies=[Depends(allow(*WORKERS))], include_in_schema=False)
async def settle(tx: WriteTx, caller: Caller, id: UUID) -> Response:
    """Its person has seen that something was not carried out."""
    if not await store.dismiss(tx, caller.id, id, tx.now):
        raise NothingOpen
    return RedirectResponse("/dispatch/app", 303)


@router.get("/sw.js", dependencies=[Depends(public())], include_in_schema=False)
async def worker(request: Request) -> Response:
    """What keeps the app alive without a network; at this path, because its reach is its folder."""
    return _plain(request, "sw.js")


@router.get("/app.webmanifest", dependencies=[Depends(public())], include_in_schema=False)
async def manifest(request: Request) -> Response:
    """What a phone needs to know to install the app."""
    return _plain(request, "app.webmanifest")


def _plain(request: Request, name: str) -> Response:
    return pages_of(request).assets["dispatch"].answer(name, request.headers.get("if-none-match"))
