"""Whoever chooses by hand is told what speaks against it, and what they overrule is kept (R20–R22, R38)."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.dispatching import (
    DUTY_LEAD_G,
    JUNIOR_A,
    JUNIOR_B,
    NORTH_DUTY_LEAD,
    SAMPLE,
    SENIOR_C,
    Desk,
    dispatching,
    person,
    post,
)
from dispatch.organisation.rules import Organisation

CRANE: Any = {"code": "crane", "certified": True}


def with_crane(document: Organisation) -> Organisation:
    """B has the skill for the crane and no certificate for it."""
    changed = {JUNIOR_B: ("electrical", "cooling", "crane")}
    told = document.model_dump(mode="json")
    for each in told["people"]:
        each["skills"] = changed.get(UUID(each["id"]), each["skills"])
    skills = [{"code": code} for code in ("electrical", "cooling", "hydraulics")]
    return Organisation.model_validate_json(json.dumps({**told, "skills": [*skills, CRANE]}))


@pytest_asyncio.fixture(scope="module")
async def served(postgres_url: str) -> AsyncIterator[Desk]:
    async with dispatching(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(served: Desk) -> AsyncIterator[Desk]:
    await served.clear()
    await served.put(with_crane(SAMPLE), 0)
    yield served
    assert await served.violations() == {}


@pytest.mark.parametrize(
    ("severity", "skills", "who", "codes"),
    [
        ("important", (), JUNIOR_A, ["below_tier"]),
        ("urgent", (), JUNIOR_A, ["below_tier"]),
        ("urgent", (), SENIOR_C, ["below_tier"]),
        ("general", ("crane",), JUNIOR_B, ["lacks_certificate"]),
        ("general", ("crane",), JUNIOR_A, ["lacks_skills", "lacks_certificate"]),
        ("general", (), person(11), ["other_region"]),
    ],
)
async def test_what_speaks_against_somebody_is_named_before_they_are_chosen(
    desk: Desk, severity: str, skills: tuple[str, ...], who: Any, codes: list[str]
) -> None:
    ticket = await desk.ticket(await desk.ask(severity, skills=skills))
    order = {"base_version": ticket.version, "person_id": str(who), "reason": "Is there anyway"}
    path = f"/dispatch/tickets/{ticket.id}/assign"
    async with desk.acting(DUTY_LEAD_G, "dispatcher") as dispatcher:
        for known in ([], codes[1:], ["full"]):
            refused = await dispatcher.post(path, json={**order, "despite": known})
            told = refused.json()
            assert (refused.status_code, told["type"]) == (409, "/problems/speaks-against")
            assert ([each["code"] for each in told["objections"]], told["version"]) == (codes, ticket.version)
            assert all(each["detail"] in told["detail"] for each in told["objections"])
        assert (await desk.ticket(ticket.request_id)).version == ticket.version
        given = await dispatcher.post(path, json={**order, "despite": codes})
        assert (given.status_code, given.json()["engineer_id"]) == (200, str(who))
        detail = (await dispatcher.get(f"/dispatch/tickets/{ticket.id}")).json()
    overruled = [f"despite_{code}" for code in codes]
    [*_, (_, _, event)] = [each for each in await desk.told(ticket.id) if each[0] == "ticket_assigned"]
    assert [each["rule"] for each in event["reasons"]][-len(codes) :] == overruled
    said = detail["decisions"][0]["because"][-len(codes) :]
    assert all(each.startswith("Chosen in spite of this: ") for each in said)
    [step] = [each for each in detail["history"] if each["version"] == given.json()["version"]]
    assert [each["rule"] for each in step["facts"]["reasons"]][-len(codes) :] == overruled


async def test_whom_nothing_speaks_against_is_chosen_as_ever(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("important"))
    async with desk.acting(DUTY_LEAD_G, "dispatcher") as dispatcher:
        order = {"person_id": str(person(4)), "reason": "Is near"}
        given = await post(dispatcher, ticket.id, "assign", ticket.version, **order)
        again = {"person_id": str(SENIOR_C), "reason": "Is nearer", "despite": ["full", "anything"]}
        given = await post(dispatcher, ticket.id, "assign", given["version"], **again)
    [*_, (_, _, event)] = [each for each in await desk.told(ticket.id) if each[0] == "ticket_assigned"]
    assert [each["rule"] for each in event["reasons"]] == ["important", "by_hand"]


@pytest.mark.parametrize(("scripted", "status"), [(False, 409), (True, 200)])
async def test_the_form_asks_once_more(desk: Desk, scripted: bool, status: int) -> None:
    """With scripts and without: the page says what speaks against them, its button that one knows."""
    ticket = await desk.ticket(await desk.ask("important"))
    browser = await desk.browser(NORTH_DUTY_LEAD, "dispatcher")
    address = f"/dispatch/tickets/{ticket.id}/page"
    csrf = re.findall(r'name="csrf" value="([^"]+)"', (await browser.get(address)).text)[0]
    form = {"csrf": csrf, "command": "assign", "base_version": str(ticket.version), "back": "/dispatch/board"}
    chosen = {"person_id": str(JUNIOR_A), "reason": "Knows the <site>"}
    headers = {"hx-request": "true"} if scripted else {}
    asked = await browser.post(address, data={**form, **chosen}, headers=headers)
    assert asked.status_code == status
    assert "Below the tier that is needed" in asked.text
    assert (await desk.ticket(ticket.request_id)).version == ticket.version
    form_again = asked.text.split('id="despite"')[1]
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form_again))
    assert (fields["despite"], fields["reason"]) == ("below_tier", "Knows the &lt;site&gt;")
    sent = await browser.post(address, data={**fields, "reason": chosen["reason"]}, headers=headers)
    assert (sent.status_code, sent.headers["location"]) == (303, "/dispatch/board")
    assert (await desk.ticket(ticket.request_id)).engineer_id == JUNIOR_A
    assert "in spite of this: Below the tier" in (await browser.get(address)).text.split("timeline")[1]
