"""The pages on which policies are read, tried out, changed and published."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from shared.events.terms import Code
from shared.http.auth import Caller, Principal, allow
from shared.http.pages import page
from shared.http.strict import pointer
from shared.http.transaction import ReadTx, ServiceRoute
from shared.sent import Sent
from sla_monitor.board import words as named
from sla_monitor.policies import words
from sla_monitor.policies.actions import WORDS, calendar_for, check, policy_of
from sla_monitor.policies.answers import Countable
from sla_monitor.policies.comparison import compare
from sla_monitor.policies.lint import say
from sla_monitor.policies.preview import foresee
from sla_monitor.policies.rules import About, Policy, instant_in
from sla_monitor.policies.store import Rulebook, Version, list_uncovered, list_versions, load_rulebook
from sla_monitor.scope import is_limited

router = APIRouter(route_class=ServiceRoute)
MOST: Final = 200  # versions on one page
EVENTS: Final = {
    about: sorted(kind for kind, its in WORDS.heard.items() if its == about) for about in words.ABOUT
}


async def list_page(request: Request, tx: ReadTx, viewer: Principal) -> Response:
    """The versions, and what nothing is promised to."""
    rulebook = await load_rulebook(tx)
    (in_force, _) = rulebook.at(tx.now).versions
    return page(
        request,
        "policies.html",
        versions=await list_versions(tx, limit=MOST),
        in_force=in_force,
        states={
            each.version: _state(each.valid_from, each.version, in_force, tx) for each in rulebook.policies
        },
        uncovered=await list_uncovered(tx, viewer),
        named=named,
        words=words,
    )


def _state(valid_from: datetime, version: int, in_force: int, tx: ReadTx) -> str:
    if version == in_force:
        return "in_force"
    return "coming" if valid_from > tx.now else "past"


async def edit(request: Request, tx: ReadTx, viewer: Principal, version: Version, policy: Policy) -> Response:
    """One version as a form that the next one can be made of."""
    rulebook = await load_rulebook(tx)
    (in_force, _) = rulebook.at(tx.now).versions
    return page(
        request,
        "policy.html",
        version=version,
        state=words.STATES[_state(version.valid_from, version.version, in_force, tx)],
        in_force=in_force,
        newest=max(each.version for each in rulebook.policies),
        body=json.dumps(policy.model_dump(mode="json"), indent=2, ensure_ascii=False),
        may_publish=bool(viewer.roles & {"operations", "admin"}) and not is_limited(viewer),
        regions=sorted(policy.regional),
        start=rulebook.at(tx.now).calendar.local(tx.now),
        **_form(policy, rulebook),
    )


def _form(policy: Policy, rulebook: Rulebook) -> Mapping[str, Any]:
    """What the form of a policy is made with."""
    return {
        "policy": policy,
        "calendars": sorted({*rulebook.calendars, policy.calendar}),
        "events": EVENTS,
        "named": named,
        "words": words,
        "split": words.split,
    }


class Drafted(Sent):
    """A draft as the editor has it, and whom it is tried on; `start` by the clocks of the calendar."""

    policy: Policy
    against: int = Field(ge=1, le=2**31 - 1)
    start: Countable
    about: About
    facts: dict[Code, str | bool] = Field(default={}, max_length=50)
    with_form: bool = False


@router.post(
    "/policies/draft",
    dependencies=[Depends(allow("operations", "dispatcher", "admin"))],
    include_in_schema=False,
)
async def draft(request: Request, tx: ReadTx, viewer: Caller, body: Drafted) -> Response:
    """What the linter says of a draft, what it changes, what it would promise: parts of the page."""
    rulebook = await load_rulebook(tx)
    findings = await check(tx, body.policy)
    _, calendar = calendar_for(rulebook, body.policy, tx.now, body.facts)
    start = body.start if body.start.tzinfo else body.start.replace(tzinfo=calendar.tz)
    agreed = instant_in(body.facts, "starts_at")
    facts = body.facts
    if agreed is not None:  # by the clocks of the calendar, too
        facts = {**facts, "starts_at": agreed.replace(tzinfo=calendar.tz).isoformat()}
    return page(
        request,
        "policy_draft.html",
        findings=[(each.level, pointer(each.path), *say(each)) for each in findings],
        alterations=compare(policy_of(rulebook, body.against), body.policy),
        foreseen=foresee(body.policy, calendar, body.about, start, facts),
        covered=body.policy.covers(body.about, body.facts),
        zone=calendar.zone,
        with_form=body.with_form,
        **_form(body.policy, rulebook),
    )
