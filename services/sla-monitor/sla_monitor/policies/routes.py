"""Policies over HTTP: versions, what the linter says, what would be promised, and publishing."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from shared.http.auth import Caller, Role, allow
from shared.http.cursor import Page, Paged
from shared.http.etag import IfMatch, show_version
from shared.http.idempotency import idempotent
from shared.http.readers import wants_page
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from sla_monitor.policies import store
from sla_monitor.policies.actions import calendar_for, check, policy_of, publish
from sla_monitor.policies.answers import (
    Draft,
    Findings,
    FindingShown,
    ForeseenShown,
    PolicyShown,
    Preview,
    Publication,
    Trial,
    VersionShown,
)
from sla_monitor.policies.editor import edit, list_page
from sla_monitor.policies.preview import foresee
from sla_monitor.policies.store import load_rulebook

READERS: Final[tuple[Role, ...]] = ("operations", "dispatcher", "admin")
AUTHORS: Final[tuple[Role, ...]] = ("operations", "admin")
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]

router = APIRouter(route_class=ServiceRoute)


@router.get("/policies", dependencies=[Depends(allow(*READERS))], response_model=Page[VersionShown])
async def policies(
    request: Request, tx: ReadTx, viewer: Caller, paging: Paged, response: Response
) -> Page[VersionShown] | Response:
    """The versions, the newest first; their ETag is what publishing the next one asks for.

    A browser gets the page.
    """
    if wants_page(request):
        return await list_page(request, tx, viewer)
    (before,) = paging.after or (None,)
    rows = await store.list_versions(tx, int(str(before)) if before else None, paging.limit + 1)
    newest, *_ = await store.list_versions(tx, limit=1)
    show_version(response, newest.version)
    shown = [VersionShown.of(row) for row in rows]
    return paging.page(shown, key=lambda version: (version.version,))


@router.get("/policies/{version}", dependencies=[Depends(allow(*READERS))], response_model=PolicyShown)
async def policy(
    request: Request, tx: ReadTx, viewer: Caller, version: Number, response: Response
) -> PolicyShown | Response:
    """One version with all its promises. A browser gets the editor, which begins from it."""
    found = policy_of(await load_rulebook(tx), version)
    about = await store.load_version(tx, version)
    if wants_page(request):
        return await edit(request, tx, viewer, about, found)
    show_version(response, version)
    return PolicyShown.with_policy(about, found)


@router.post(
    "/policies", status_code=201, dependencies=[Depends(allow(*AUTHORS)), Depends(idempotent(required=True))]
)
async def publication(
    tx: WriteTx, viewer: Caller, seen: IfMatch, body: Publication, response: Response
) -> VersionShown:
    """Publish the next version; what has begun by then goes on by the version it began with."""
    version = await publish(
        tx, viewer, body.policy, body.valid_from, body.note, body.accept_warnings, seen.require
    )
    show_version(response, version.version)
    response.headers["Location"] = f"/sla/policies/{version.version}"
    return VersionShown.of(version)


@router.post("/policies/lint", dependencies=[Depends(allow(*READERS))])
async def linting(tx: ReadTx, body: Draft) -> Findings:
    """What is wrong with a policy, before it is promised to anybody."""
    return Findings(findings=[FindingShown.of(each) for each in await check(tx, body.policy)])


@router.post("/policies/preview", dependencies=[Depends(allow(*READERS))])
async def preview(tx: ReadTx, body: Trial) -> Preview:
    """What somebody would be promised: each deadline with its arithmetic, and whom the ladder would tell."""
    rulebook = await load_rulebook(tx)
    tried = body.policy or rulebook.policy(max(each.version for each in rulebook.policies))
    name, calendar = calendar_for(rulebook, tried, body.start, body.facts)
    foreseen = foresee(tried, calendar, body.about, body.start, body.facts)
    return Preview(
        calendar=name,
        covered=tried.covers(body.about, body.facts),
        clocks=[ForeseenShown.of(each) for each in foreseen],
    )
