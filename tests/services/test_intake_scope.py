"""Whoever may see only a part finds the rest nowhere (R125): every door that leads to a request, tried."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from contracts.authorization import doors_of
from contracts.hearing import Hearing, hearing
from contracts.intake_calls import MAIL, REQUEST
from intake.app import service
from intake.triage.ruleset import shipped
from shared.clock import uuid7
from shared.http.auth import ROLES

FORM = {"content-type": "application/x-www-form-urlencoded"}
OTHERS: dict[str, dict[str, Any]] = {
    "region": {"regions": frozenset({"north"})},
    "product line": {"product_lines": frozenset({"heating"})},
    "customer level": {"customer_levels": frozenset({"vip"})},
}
OWN: dict[str, Any] = {
    "regions": frozenset({"east"}),
    "product_lines": frozenset({"cooling"}),
    "customer_levels": frozenset({"standard"}),
}


@dataclass(frozen=True)
class Known:
    """What lies in the region `east`."""

    request: str
    other: str
    message: str
    attachment: str
    call: str
    article: str
    template: str
    device: str
    incident: str


@dataclass(frozen=True)
class Way:
    """How a door is used so that it would open: `{…}` stands for what is known."""

    json: dict[str, Any] | None = None
    form: dict[str, str] | None = None
    at: str | None = None
    of: str = "request"
    headers: dict[str, str] = field(default_factory=dict)


JUDGED = {"kind": "complaint", "severity": "urgent", "reason": "It burns."}
SAID = {"title": "Power cut", "region": "east", "product_line": "cooling"}
# Every door whose address names a request, and every other door that leads to one.
WAYS: dict[str, Way] = {
    "GET /intake/requests/{id}": Way(),
    "GET /intake/requests/{id}/calls": Way(),
    "GET /intake/requests/{id}/customer": Way(),
    "GET /intake/requests/{id}/messages": Way(),
    "GET /intake/desk/{id}": Way(),
    "GET /intake/desk/{id}/duplicates": Way(),
    "GET /intake/attachments/{id}": Way(of="attachment"),
    "GET /intake/calls/{id}/recordings": Way(of="call"),
    "GET /intake/desk/calls/{id}/recordings": Way(of="call"),
    "GET /intake/desk/{id}/template": Way(at="/intake/desk/{request}/template?template={template}"),
    "GET /intake/devices/{id}/label.svg": Way(of="device"),
    "GET /intake/requests/{id}/notes": Way(),
    "GET /intake/incidents/{id}": Way(of="incident"),
    "GET /intake/knowledge/suggestions": Way(at="/intake/knowledge/suggestions?request={request}"),
    "POST /intake/requests/{id}/answers": Way(json={"text": "We come.", "spoken": True}),
    "PUT /intake/requests/{id}/judgement": Way(json=JUDGED, headers={"if-match": '"{version}"'}),
    "PUT /intake/requests/{id}/place": Way(json={"city": "suzhou"}, headers={"if-match": '"{version}"'}),
    "POST /intake/requests/{id}/notes": Way(json={"text": "Call before noon."}),
    "POST /intake/desk/{id}/notes": Way(form={"text": "Call before noon."}),
    "POST /intake/desk/{id}/product": Way(form={"serial": "SN-1"}),
    "POST /intake/desk/{id}/answers": Way(form={"text": "We come.", "spoken": "true"}),
    "POST /intake/desk/{id}/judgement": Way(form={**JUDGED, "severity": "important", "seen": "{version}"}),
    "POST /intake/desk/{id}/place": Way(form={"city": "shanghai"}),
    "POST /intake/desk/{id}/apart": Way(form={"other": "{other}"}),
    "POST /intake/desk/{id}/merge": Way(form={"other": "{other}"}),
    "POST /intake/desk/{id}/split": Way(form={"other": "{other}"}),
    "POST /intake/desk/messages/{id}/retry": Way(form={}, of="message"),
    "POST /intake/messages/{id}/retry": Way(json={}, of="message"),
    "POST /intake/knowledge/{id}/uses": Way(form={"request": "{request}", "what": "used"}, of="article"),
    "POST /intake/incidents/{id}/links": Way(form={"requests": "{request}"}, of="incident"),
    "POST /intake/incidents/{id}/unlink": Way(form={"requests": "{request}"}, of="incident"),
    "POST /intake/incidents/{id}/update": Way(form={"title": "Still", "seen": "1"}, of="incident"),
    "POST /intake/incidents/{id}/end": Way(form={"title": "Over", "seen": "2"}, of="incident"),
}
# They take a proposal, which only a burst of requests makes; they begin as the other doors of incidents do.
OF_PROPOSALS = {"POST /intake/incidents/{id}/declare", "POST /intake/incidents/{id}/dismiss"}
LEADING = tuple(
    f"/{each}/{{" for each in ("requests", "desk", "messages", "attachments", "calls", "incidents", "devices")
)


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def known(desk: Hearing) -> Known:
    async with desk.client(*ROLES, **OWN) as client:
        first, second = [await ask(client) for _ in range(2)]
        answer = await client.post(
            f"/intake/requests/{first}/answers", json={"text": "Soon.", "spoken": True}
        )
        mail = {"content-type": "message/rfc822"}
        where = {"region": "east", "product_line": "cooling"}
        content = MAIL % uuid7().hex.encode()
        await client.post("/intake/channels/email", params=where, content=content, headers=mail)
        told = {"call_id": "one", "event": "rang", "region": "east", "caller": "13800000000"}
        await client.post("/intake/channels/phone", json=told, headers={"idempotency-key": "one"})
        article = {
            "title": "Pump", "body": "Turn it off.", "kind": "faq", "language": "en", "audience": "internal",
            "owner": "desk.one", "review_on": "2199-01-01", "product_line": "", "note": "",
        }  # fmt: skip
        written = await client.post("/intake/knowledge", data=article)
        told = {"language": "en", "title": "Soon", "body": "We come.", "owner": "desk.one"}
        await client.post("/intake/templates", data=told)
        sold = {
            "serial": "SN-1",
            "model": "KFR-35",
            "product_line": "cooling",
            "customer": REQUEST["customer"],
        }
        await client.post("/intake/purchases", json={"lines": [sold]})
        declared = await client.post("/intake/incidents", data=SAID)
    return Known(
        request=first,
        other=second,
        message=answer.json()["message_id"],
        attachment=str(await desk.admin.fetchval("SELECT id FROM attachment")),
        call=str(await desk.admin.fetchval("UPDATE call SET request_id = $1 RETURNING id", UUID(first))),
        template=str(await desk.admin.fetchval("SELECT id FROM answer_template")),
        device=str(await desk.admin.fetchval("SELECT id FROM device")),
        article=written.headers["location"].split("/")[-1],
        incident=declared.headers["location"].split("/")[-1],
    )


async def ask(client: httpx.AsyncClient) -> str:
    wanted = {**REQUEST, "product_line": "cooling"}
    answer = await client.post("/intake/requests", json=wanted, headers={"idempotency-key": str(uuid7())})
    return str(answer.json()["request_id"])


async def go(desk: Hearing, known: Known, door: str, **limits: Any) -> httpx.Response:
    """Use one door as it would open for whoever may."""
    way, names = WAYS[door], dict(vars(known))
    version = "SELECT version FROM request WHERE id = $1"
    names["version"] = str(await desk.admin.fetchval(version, UUID(known.request)))
    method, address = door.split()
    address = (way.at or address.replace("{id}", names[way.of])).format(**names)
    form = way.form and {name: text.format(**names) for name, text in way.form.items()}
    headers = {name: text.format(**names) for name, text in way.headers.items()}
    async with desk.client(*ROLES, **limits) as client:
        if way.form is None:
            return await client.request(method, address, json=way.json, headers=headers)
        return await client.request(method, address, data=form or {}, headers={**headers, **FORM})


async def kept(desk: Hearing) -> tuple[Any, ...]:
    """What is there, and how often somebody looked."""
    counted = ("message", "triage", "audit", "incident_revision", "incident_link", "event_log")
    versions = await desk.admin.fetch("SELECT id, version FROM request ORDER BY id")
    return (versions, *[await desk.admin.fetchval(f"SELECT count(*) FROM {each}") for each in counted])


def test_every_door_that_leads_to_a_request_is_tried(desk: Hearing) -> None:
    leading = {door.name for door in doors_of(desk.served.app) if any(each in door.name for each in LEADING)}
    assert leading - set(WAYS) == OF_PROPOSALS


@pytest.mark.parametrize("limit", OTHERS)
async def test_what_is_not_theirs_does_not_exist_for_them(desk: Hearing, known: Known, limit: str) -> None:
    before = await kept(desk)
    # An incident knows no customer's level: of the requests in it each sees their own.
    doors = [door for door in WAYS if "incidents" not in door or limit != "customer level"]
    found = {door: await go(desk, known, door, **OTHERS[limit]) for door in doors}
    assert {door: answer.status_code for door, answer in found.items()} == dict.fromkeys(doors, 404)
    assert all(answer.headers["content-type"] == "application/problem+json" for answer in found.values())
    assert await kept(desk) == before


@pytest.mark.parametrize("limit", OTHERS)
async def test_no_list_names_it(desk: Hearing, known: Known, limit: str) -> None:
    async with desk.client(*ROLES, **OTHERS[limit]) as client:
        assert (await client.get("/intake/requests")).json()["items"] == []
        assert known.request not in (await client.get("/intake/desk")).text
        changed = await client.post("/intake/triage/rules/trial", json={"rules": other_rules()})
        assert changed.json()["changes"] == []
        if limit != "customer level":
            assert "Power cut" not in (await client.get("/intake/incidents")).text
            assert "Power cut" not in (await client.get("/intake/incidents/line")).text
            assert (await client.post("/intake/incidents", data=SAID)).status_code == 403
    async with desk.client(*ROLES, **OWN) as client:
        listed = [each["id"] for each in (await client.get("/intake/requests")).json()["items"]]
        assert {known.request, known.other} < set(listed)
        assert "Power cut" in (await client.get("/intake/incidents")).text
        changed = await client.post("/intake/triage/rules/trial", json={"rules": other_rules()})
        assert known.request in {each["request_id"] for each in changed.json()["changes"]}


def other_rules() -> dict[str, Any]:
    """Rules by which what is asked for in `REQUEST` is urgent."""
    known: dict[str, Any] = shipped().model_dump(mode="json", include={"base_hours", "lists", "rules"})
    found = {**known["rules"][0], "name": "cold", "words": ["空调"], "severity": "urgent"}
    return {**known, "rules": [found, *known["rules"]]}


async def test_the_same_doors_open_for_whom_it_is(desk: Hearing, known: Known) -> None:
    """Last, since it changes what is there."""
    for door in WAYS:
        await desk.admin.execute("UPDATE message SET state = 'failed' WHERE id = $1", UUID(known.message))
        answer = await go(desk, known, door, **OWN)
        assert answer.status_code < 400, (door, answer.text)


async def test_a_call_that_became_no_request_is_its_region_s(desk: Hearing) -> None:
    told = {"call_id": "two", "event": "rang", "region": "east"}
    async with desk.client(*ROLES) as client:
        rang = await client.post("/intake/channels/phone", json=told, headers={"idempotency-key": "two"})
    path = f"/intake/calls/{rang.json()['call_id']}/recordings"
    for limits in ({}, {"regions": OWN["regions"]}, *OTHERS.values(), OWN):
        async with desk.client(*ROLES, **limits) as client:
            hears = limits in ({}, {"regions": OWN["regions"]})
            assert (await client.get(path)).status_code == (200 if hears else 404), limits
