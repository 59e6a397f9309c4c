"""A place decides how soon somebody must come: every door folds it, and a person corrects it (R54-R57)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.hearing import Hearing, hearing
from intake.app import service
from shared.clock import uuid7

AGENT = "01a20273-7507-7fce-927d-0a465d28c401"
MAIL = "From: a@example.com\r\nSubject: x\r\nMessage-ID: <{}@x>\r\n\r\n漏水".format
WHO = {"phone": "13800000000"}


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


async def by_json(desk: Hearing, **place: str) -> Any:
    body = {"customer": WHO, "description": "漏水", **place}
    client = desk.client("adapter")
    return await client.post("/intake/requests", json=body, headers={"idempotency-key": str(uuid7())})


async def by_mail(desk: Hearing, **place: str) -> Any:
    headers = {"content-type": "message/rfc822"}
    content = MAIL(uuid7()).encode()
    return await desk.client("adapter").post(
        "/intake/channels/email", params=place, content=content, headers=headers
    )


async def by_phone(desk: Hearing, region: str, city: str) -> Any:
    noted = {"customer": WHO, "description": "漏水", "city": city}
    told = {"call_id": str(uuid7()), "event": "answered", "region": region, "request": noted}
    client = desk.client("adapter")
    return await client.post("/intake/channels/phone", json=told, headers={"idempotency-key": str(uuid7())})


async def by_form(desk: Hearing, **place: str) -> Any:
    return await desk.served.client().post(
        "/intake/form", data={"phone": "13800000009", "description": "漏水", **place}
    )


async def newest(desk: Hearing) -> tuple[str, str]:
    row = await desk.admin.fetchrow("SELECT region, city FROM request ORDER BY id DESC LIMIT 1")
    return row["region"], row["city"]


@pytest.mark.parametrize("door", [by_json, by_mail, by_phone, by_form])
@pytest.mark.parametrize(
    ("region", "city", "expected"),
    [("华东", "上海市", ("east", "shanghai")), ("Atlantis", "Xanadu", ("unknown", "unknown"))],
)
async def test_every_door_knows_the_place_or_says_that_nobody_does(
    desk: Hearing, door: Any, region: str, city: str, expected: tuple[str, str]
) -> None:
    answer = await door(desk, region=region, city=city)
    assert answer.status_code in (200, 202), answer.text
    assert await newest(desk) == expected


async def test_a_call_counts_for_the_region_that_was_meant(desk: Hearing) -> None:
    told = {"call_id": "pbx-place", "event": "rang", "region": "华东"}
    await desk.client("adapter").post(
        "/intake/channels/phone", json=told, headers={"idempotency-key": "pbx-place"}
    )
    said = await desk.told()
    assert said[-1][2]["region"] == "east"


async def unrecognised(desk: Hearing) -> UUID:
    answer = await by_json(desk, region="华东", city="Xanadu")
    return UUID(answer.json()["request_id"])


async def test_a_person_sets_the_place_and_everybody_is_told(desk: Hearing) -> None:
    id = await unrecognised(desk)
    agent = desk.client("care", id=AGENT)
    path = f"/intake/requests/{id}/place"
    wrong = await agent.put(path, json={"city": "Nowhere"}, headers={"if-match": '"1"'})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/city")
    answer = await agent.put(path, json={"city": "上海"}, headers={"if-match": '"1"'})
    assert (answer.status_code, answer.json()) == (200, {"region": "east", "city": "shanghai"})
    name, version, said = (await desk.told(id))[-1]
    assert (name, version, said["by"]) == ("request_reclassified", 2, AGENT)
    assert said["site"] == {"region": "east", "city": "shanghai"}
    again = await agent.put(path, json={"city": "上海"}, headers={"if-match": answer.headers["etag"]})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/placed-already")
    assert await desk.admin.fetchval("SELECT action FROM audit WHERE subject = $1", str(id)) == "place_set"


async def test_a_judgement_tells_the_corrected_place_too(desk: Hearing) -> None:
    """Dispatch applies the newest alone: it has to carry all that those before it said."""
    id = await unrecognised(desk)
    agent = desk.client("care", id=AGENT)
    await agent.put(f"/intake/requests/{id}/place", json={"city": "北京"}, headers={"if-match": '"1"'})
    judged = {"kind": "fault", "severity": "urgent", "reason": "smoke"}
    await agent.put(f"/intake/requests/{id}/judgement", json=judged, headers={"if-match": '"2"'})
    assert (await desk.told(id))[-1][2]["site"] == {"region": "north", "city": "beijing"}


async def test_the_page_says_what_was_not_recognised_and_sets_it(desk: Hearing) -> None:
    id = await unrecognised(desk)
    browser = await desk.served.signed_in("care")
    shown = (await browser.get(f"/intake/desk/{id}")).text
    assert "Place not recognised" in shown
    assert "Xanadu" in shown
    [csrf] = set(re.findall(r'name="csrf" value="([^"]+)"', shown))
    sent = {"city": "shanghai", "region": "", "csrf": csrf}
    assert (await browser.post(f"/intake/desk/{id}/place", data=sent)).status_code == 303
    shown = (await browser.get(f"/intake/desk/{id}")).text
    assert "Place not recognised" not in shown
    assert "East · Shanghai" in shown


async def test_the_city_decides_over_the_region_and_the_page_says_so(desk: Hearing) -> None:
    id = (await by_json(desk, region="north", city="shanghai")).json()["request_id"]
    assert await newest(desk) == ("east", "shanghai")
    shown = (await (await desk.served.signed_in("care")).get(f"/intake/desk/{id}")).text
    assert "north, shanghai" in shown


async def test_an_organisation_adds_its_own_places(desk: Hearing) -> None:
    admin = desk.client("admin")
    listed = (await desk.client().get("/intake/places")).json()
    assert {"code": "east", "zh": "华东", "en": "East"}.items() <= listed["regions"][2].items()
    own = {"places": [{"code": "plant7", "kind": "city", "within": "east", "zh": "七厂", "also": ["No.7"]}]}
    lost = {"places": [{"code": "x", "kind": "city", "within": "nowhere"}]}
    answer = await admin.put("/intake/places", json=lost, headers={"if-match": '"0"'})
    assert answer.json()["errors"][0]["pointer"] == "/places/0/within"
    assert (await admin.put("/intake/places", json=own, headers={"if-match": '"0"'})).status_code == 200
    assert (await admin.put("/intake/places", json=own, headers={"if-match": '"0"'})).status_code == 412
    await by_json(desk, region="unknown", city="No.7")
    assert await newest(desk) == ("east", "plant7")
    kept = (await admin.get("/intake/places/own")).json()["places"]
    assert [(each["code"], each["also"]) for each in kept] == [("plant7", ["No.7"])]
