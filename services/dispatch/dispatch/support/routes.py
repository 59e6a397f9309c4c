"""The support policy over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, StringConstraints

from dispatch.access import OVERSEERS
from dispatch.assignment.routes import AUTHORS, ForTheWholeHouse
from dispatch.support import store
from dispatch.support.actions import publish_policy
from dispatch.support.policy import SHIPPED, Policy
from shared.http.auth import Caller, allow
from shared.http.cursor import Page, Paged
from shared.http.etag import IfMatch, show_version
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.sent import Sent

router: Final = APIRouter(route_class=ServiceRoute)


class SupportPolicyView(BaseModel):
    """A version of the policy; version 0 is what ships, made by nobody."""

    version: int
    note: str
    made_by: str | None
    made_at: datetime | None
    policy: Policy


class NextSupportPolicy(Sent):
    """What is to be in force from now on; `note` says why."""

    policy: Policy
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""


class PublishedSupportPolicy(BaseModel):
    """The version that was made."""

    version: int


def _view(row: store.Row) -> SupportPolicyView:
    facts = {name: row[name] for name in ("version", "note", "made_by", "made_at")}
    return SupportPolicyView(policy=row["body"], **facts)


@router.get("/support/policy", dependencies=[Depends(allow(*OVERSEERS))])
async def support_policy(tx: ReadTx, response: Response) -> SupportPolicyView:
    """Who the levels of support are, and what waits for a signature; its version is the ETag."""
    found = await store.list_policies(tx, None, 1)
    nothing = SupportPolicyView(version=0, note="", made_by=None, made_at=None, policy=SHIPPED)
    shown = _view(found[0]) if found else nothing
    show_version(response, shown.version)
    return shown


@router.put("/support/policy", dependencies=[Depends(allow(*AUTHORS))])
async def publish_support_policy(
    tx: WriteTx, caller: Caller, seen: IfMatch, response: Response, body: NextSupportPolicy
) -> PublishedSupportPolicy:
    """Publish the next version, for everything from now on; `If-Match: "0"` for the first one."""
    if any(limit is not None for limit in (caller.regions, caller.product_lines, caller.customer_levels)):
        raise ForTheWholeHouse
    version = await publish_policy(tx, body.policy, body.note, seen, caller.id)
    show_version(response, version)
    return PublishedSupportPolicy(version=version)


@router.get("/support/policies", dependencies=[Depends(allow(*OVERSEERS))])
async def support_policies(tx: ReadTx, paging: Paged) -> Page[SupportPolicyView]:
    """Every version there was, the newest first; without what shipped."""
    (before,) = paging.after or (None,)
    found = await store.list_policies(tx, int(str(before)) if before else None, paging.limit + 1)
    return paging.page([_view(row) for row in found], key=lambda each: (each.version,))
