"""The page of replays: ask, watch, read."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from shared.db import Tx
from shared.errors import AftercareError
from shared.http.auth import Caller
from shared.http.pages import Link, page
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.i18n import N_
from shared.i18n.language import ZONE, explain
from sla_monitor.board import words as board_words
from sla_monitor.policies.rules import Policy
from sla_monitor.policies.store import load_rulebook
from sla_monitor.replay import actions, imports, outcomes, store, words
from sla_monitor.replay.answers import reasons_of
from sla_monitor.replay.routes import PLANNERS
from sla_monitor.replay.shades import cut, shade
from sla_monitor.replay.tally import heat

router = APIRouter(route_class=ServiceRoute)

LINK: Final = Link(
    "/sla/replays",
    N_("What if"),
    N_("What another policy or calendar would have made of the past."),
    frozenset({"operations", "admin"}),
)
LATEST: Final = 20  # replays
MOST_CHANGES: Final = 50  # on the page; the rest is in the file


class DraftUnreadable(AftercareError):
    """The draft is no policy: {fault}"""


class CalendarUnreadable(AftercareError):
    """Choose a calendar from the list."""


class Wanted(BaseModel):
    """The form as a browser sends it; `ends` is the last day, and counts."""

    model_config = ConfigDict(extra="ignore")

    policy: Annotated[str, StringConstraints(pattern=r"^(draft|[1-9][0-9]{0,8})$")] = "draft"
    draft: Annotated[str, StringConstraints(max_length=200_000)] = ""
    against: Annotated[str, StringConstraints(pattern=r"^([1-9][0-9]{0,8})?$")] = ""
    calendar: Annotated[str, StringConstraints(max_length=100)] = ""
    source: Annotated[str, StringConstraints(max_length=64)] = ""
    begins: date = Field(ge=date(1970, 1, 2), le=date(2199, 1, 1))
    ends: date = Field(ge=date(1970, 1, 2), le=date(2199, 1, 1))

    def wish(self) -> actions.Wish:
        """What is asked for; raises what is wrong with it."""
        drafted = self.policy == "draft"
        return actions.Wish(
            policy_version=None if drafted else int(self.policy),
            policy=_draft(self.draft) if drafted else None,
            against_version=int(self.against) if self.against else None,
            calendar=_calendar(self.calendar),
            source=self.source or None,
            begins=_midnight(self.begins),
            ends=_midnight(self.ends + timedelta(days=1)),
        )


def _draft(text: str) -> Policy:
    try:
        return Policy.model_validate_json(text)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)[:3]
        faults = ("/".join(map(str, each["loc"])) + ": " + each["msg"] for each in found)
        raise DraftUnreadable(fault="; ".join(faults)) from None


def _calendar(written: str) -> tuple[str, int] | None:
    name, _, version = written.rpartition(" ")
    if not written:
        return None
    if not name or not version.isdecimal() or len(version) > 9:
        raise CalendarUnreadable
    return name, int(version)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, ZONE)


@router.get("/replays", dependencies=PLANNERS, include_in_schema=False)
async def replays(request: Request, tx: ReadTx) -> Response:
    """The form, and what was asked last."""
    today = tx.now.astimezone(ZONE).date()
    form = Wanted.model_construct(policy="", begins=today - timedelta(days=30), ends=today)
    return await _asking(request, tx, form)


@router.post("/replays/new", dependencies=PLANNERS, include_in_schema=False)
async def ask(request: Request, tx: WriteTx, caller: Caller, form: Annotated[Wanted, Form()]) -> Response:
    """Ask from the page, and go to where it is watched."""
    try:
        asked = await actions.ask(tx, caller.id, form.wish())
    except AftercareError as error:
        return await _asking(request, tx, form, error)
    return RedirectResponse(f"/sla/replays/{asked.id}/report", status_code=303)


async def _asking(request: Request, tx: Tx, filled: Wanted, error: AftercareError | None = None) -> Response:
    rulebook = await load_rulebook(tx)
    choices = [f"{name} {each.version}" for name, all in sorted(rulebook.calendars.items()) for each in all]
    versions = [each.version for each in rulebook.policies]
    return page(
        request,
        "replays.html",
        status_code=422 if error else 200,
        policies=versions,
        draft=filled.draft or rulebook.policy(versions[-1]).model_dump_json(indent=1),
        calendars=choices,
        sources=await imports.list_sources(tx),
        latest=await store.list_latest(tx, LATEST),
        on_board={each.id for each in await outcomes.list_kept(tx)},
        filled=filled,
        error=explain(error) if error else None,
        words=words,
    )


@router.get("/replays/{id}/report", dependencies=PLANNERS, include_in_schema=False)
async def report(request: Request, tx: ReadTx, id: UUID) -> Response:
    """What was found so far; the page asks again until it is done."""
    found = await store.load(tx, id)
    rows = await store.foremost_changes(tx, id, MOST_CHANGES)
    return page(
        request,
        "replay.html",
        replay=found,
        last_day=found.ends - timedelta(microseconds=1),
        tally=found.tally,
        changes=[(row, [words.told(each, ZONE) for each in reasons_of(row)]) for row in rows],
        heats=[
            (name, cut(heat(counted)))
            for name, counted in ((N_("Team"), found.tally.teams), (N_("Region"), found.tally.regions))
        ],
        shade=shade,
        on_board=id in {each.id for each in await outcomes.list_kept(tx)},
        words=words,
        board_words=board_words,
    )
