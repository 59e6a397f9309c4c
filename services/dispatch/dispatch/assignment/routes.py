"""The assignment policy over HTTP, and what customers wish."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field, StringConstraints

from dispatch.access import OVERSEERS, Viewer, require_customer
from dispatch.assignment import store
from dispatch.assignment.actions import note_preferences, publish_policy
from dispatch.assignment.policy import SHIPPED, Policy
from dispatch.assignment.staff import Preference
from shared.errors import AftercareError
from shared.events.terms import PersonId
from shared.http.auth import Caller, Role, allow
from shared.http.cursor import Page, Paged
from shared.http.etag import IfMatch, show_version
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.sent import Sent

router: Final = APIRouter(route_class=ServiceRoute)
AUTHORS: Final[tuple[Role, ...]] = ("operations", "admin")


class ForTheWholeHouse(AftercareError):
    """The policy is for every region and customer: who is limited to some of them cannot set it."""

    kind = "forbidden"


class PolicyView(BaseModel):
    """A version of the policy; version 0 is what ships, made by nobody."""

    version: int
    note: str
    made_by: str | None
    made_at: datetime | None
    policy: Policy


class NextPolicy(Sent):
    """What is to be in force from now on; `note` says why."""

    policy: Policy
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""


class PublishedPolicy(BaseModel):
    """The version that was made."""

    version: int


class Wish(Sent):
    """Whom a customer prefers, or asked not to be sent."""

    person_id: PersonId
    preference: Preference


class Wishes(Sent):
    wishes: Annotated[list[Wish], Field(max_length=50)]


_SHIPPED: Final = PolicyView(version=0, note="", made_by=None, made_at=None, policy=SHIPPED)


@router.get("/assignment/policy", dependencies=[Depends(allow(*OVERSEERS))])
async def policy(tx: ReadTx, response: Response) -> PolicyView:
    """The policy in force; its version is the ETag."""
    found = await store.list_policies(tx)
    shown = PolicyView(policy=found[0]["body"], **_facts(found[0])) if found else _SHIPPED
    show_version(response, shown.version)
    return shown


def _facts(row: store.Row) -> store.Row:
    return {name: row[name] for name in ("version", "note", "made_by", "made_at")}


@router.put("/assignment/policy", dependencies=[Depends(allow(*AUTHORS))])
async def publish(
    tx: WriteTx, caller: Caller, seen: IfMatch, response: Response, body: NextPolicy
) -> PublishedPolicy:
    """Publish the next version, for every decision from now on; `If-Match: "0"` for the first one."""
    if Viewer.of(caller).is_limited:
        raise ForTheWholeHouse
    version = await publish_policy(tx, body.policy, body.note, seen, caller.id)
    show_version(response, version)
    return PublishedPolicy(version=version)


@router.get("/assignment/policies", dependencies=[Depends(allow(*OVERSEERS))])
async def policies(tx: ReadTx, paging: Paged) -> Page[PolicyView]:
    """Every version there was, the newest first; without what shipped."""
    (before,) = paging.after or (None,)
    found = await store.list_policies(tx, int(str(before)) if before else None, paging.limit + 1)
    shown = [PolicyView(policy=row["body"], **_facts(row)) for row in found]
    return paging.page(shown, key=lambda each: (each.version,))


@router.get("/customers/{customer_id}/wishes", dependencies=[Depends(allow(*OVERSEERS))])
async def wishes(tx: ReadTx, caller: Caller, customer_id: UUID) -> Wishes:
    """Whom a customer prefers, and whom they asked not to be sent."""
    await require_customer(tx, Viewer.of(caller), customer_id)
    found = await store.list_preferences(tx, customer_id)
    return Wishes(wishes=[Wish(person_id=row["person_id"], preference=row["preference"]) for row in found])


@router.put("/customers/{customer_id}/wishes", dependencies=[Depends(allow(*OVERSEERS))])
async def put_wishes(tx: WriteTx, caller: Caller, customer_id: UUID, body: Wishes) -> Wishes:
    """Note them, instead of what was noted before; who is blocked is not sent by the rules any more."""
    await require_customer(tx, Viewer.of(caller), customer_id)
    noted = {each.person_id: each.preference for each in body.wishes}
    await note_preferences(tx, customer_id, noted, caller.id)
    return body
