"""Triage over HTTP: the rules as data, what others would change, and what became of what they decided."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import Field

from intake.requests import access
from intake.requests import actions as requests
from intake.requests.routes import Reclassification, person
from intake.triage import actions, store
from intake.triage.answers import ChangeShown, Report, RulesShown, Trial, TrialShown, VersionShown
from intake.triage.ruleset import Draft, RuleSet
from shared.db import Tx
from shared.db.audit import record
from shared.http.auth import Caller, Role, allow
from shared.http.etag import IfMatch, Precondition, show_version
from shared.http.idempotency import idempotent
from shared.http.pages import page
from shared.http.readers import wants_page
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx

READERS: Final[tuple[Role, ...]] = ("operations", "admin")
Days = Annotated[int, Query(ge=1, le=366)]
Number = Annotated[int, Field(ge=1, le=1_000_000)]

router = APIRouter(route_class=ServiceRoute)


class OverruleForm(Reclassification):
    """What a person judges instead, on top of which version, and the proof that our page sent it."""

    seen: Annotated[int, Field(ge=1, le=2**31 - 1, strict=False)]  # what a form sends is text
    csrf: str = ""


@router.get("/triage/rules", dependencies=[Depends(allow(*READERS))])
async def rules_in_force(tx: ReadTx, response: Response) -> RulesShown:
    """The rules that judge what comes in; their ETag is what publishing the next version asks for."""
    return await _shown(tx, await store.load_rules(tx), response)


@router.get("/triage/rules/{version}", dependencies=[Depends(allow(*READERS))])
async def rules_of(version: Number, tx: ReadTx, response: Response) -> RulesShown:
    """One version, shipped or published."""
    return await _shown(tx, await store.load_rules(tx, version), response)


@router.post(
    "/triage/rules",
    status_code=201,
    dependencies=[Depends(allow("admin")), Depends(idempotent(required=True))],
)
async def publish(tx: WriteTx, caller: Caller, seen: IfMatch, draft: Draft, response: Response) -> RulesShown:
    """Publish the next version: it judges what comes in from now on, on every process."""
    rules = await actions.publish(tx, draft, caller.id, seen.require)
    response.headers["Location"] = f"/intake/triage/rules/{rules.version}"
    return await _shown(tx, rules, response)


@router.post("/triage/rules/trial", dependencies=[Depends(allow(*READERS))])
async def trial(tx: ReadTx, caller: Caller, body: Trial) -> TrialShown:
    """Which of the newest requests these rules would judge otherwise than the rules of their time did.

    All are judged, those of them are named that the caller may see.
    """
    judged, changes = await actions.try_out(tx, body.rules, body.recent)
    seen = await access.visible(tx, caller, {each.told.request_id for each in changes})
    return TrialShown(
        judged=judged, changes=[ChangeShown.of(each) for each in changes if each.told.request_id in seen]
    )


@router.get("/triage/report", dependencies=[Depends(allow(*READERS))], response_model=Report)
async def report(request: Request, tx: ReadTx, days: Days = 30) -> Report | HTMLResponse:
    """How often each rule hit, and how often persons overruled it. A browser gets the page."""
    since = tx.now - timedelta(days=days)
    told = Report.of(since, await store.load_tallies(tx, since))
    if not wants_page(request):
        return told
    in_force = await store.load_rules(tx)
    return page(request, "triage.html", report=told, days=days, in_force=in_force)


@router.post(
    "/desk/{id}/judgement",
    dependencies=[Depends(allow("care", "dispatcher", "admin"))],
    include_in_schema=False,
)
async def overrule(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[OverruleForm, Form()]
) -> RedirectResponse:
    """Overrule the triage from the page; both judgements are kept (R06)."""
    request = await access.lock(tx, caller, id)
    Precondition(frozenset([str(form.seen)])).require(request.version)
    await requests.reclassify(tx, request, form.kind, form.severity, person(caller), form.reason)
    await record(tx, caller.id, "triage_overruled", str(id), {"severity": form.severity})
    return RedirectResponse(f"/intake/desk/{id}", status_code=303)


async def _shown(tx: Tx, rules: RuleSet, response: Response) -> RulesShown:
    published = [
        VersionShown.model_validate(each, from_attributes=True) for each in await store.load_versions(tx)
    ]
    show_version(response, rules.version)
    fields = {name: getattr(rules, name) for name in RuleSet.model_fields}
    return RulesShown(**fields, published=published)
