"""The war room: who is in it, what they see and write, and whom it is closed to (R22, R39, R136)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.dispatching import (
    DUTY_LEAD_G,
    EXPERT_D,
    JUNIOR_A,
    LEADER_E,
    SAMPLE,
    Desk,
    dispatching,
    heard,
    person,
    post,
    reclassified,
)
from dispatch.urgent.policy import shipped
from shared.clock import uuid7
from shared.events.intake import CustomerErased, IncidentDeclared, IncidentEnded, RequestLinked

CHIEF, NORTH_EXPERT = person(21), person(13)


@pytest_asyncio.fixture(scope="module")
async def served(postgres_url: str) -> AsyncIterator[Desk]:
    async with dispatching(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(served: Desk) -> AsyncIterator[Desk]:
    await served.clear()
    await served.put(SAMPLE, 0)
    yield served
    assert await served.violations() == {}


async def read(
    desk: Desk, ticket_id: UUID, who: Any = LEADER_E, role: Any = "engineer", **limits: Any
) -> Any:
    return await desk.acting(who, role).get(f"/dispatch/tickets/{ticket_id}/room")


async def write(
    desk: Desk, ticket_id: UUID, what: str, who: Any = LEADER_E, role: Any = "engineer", **body: Any
) -> Any:
    path = f"/dispatch/tickets/{ticket_id}/room/{what}"
    return await desk.acting(who, role).post(path, json=body)


async def test_an_urgent_ticket_opens_and_the_group_is_in_its_war_room_at_once(desk: Desk) -> None:
    """R22, R23: formed, informed, and found from everywhere without anybody doing anything."""
    ticket = await desk.ticket(await desk.ask("urgent", title="The line stands still"))
    assert [name for name in await desk.names(ticket.id) if name in ("group_formed", "leadership_informed")]
    room = (await read(desk, ticket.id)).json()
    assert room["lead_id"] == str(LEADER_E)
    assert [(each["person_id"], each["duties"], each["seen_at"]) for each in room["members"]] == [
        (str(LEADER_E), ["leader", "owner"], None),
        (str(EXPERT_D), ["engineer", "expert"], None),
    ]
    assert room["leadership"]["leader_ids"] == [str(CHIEF)]
    assert room["blocks"] == ["leadership"]
    assert (room["plan"]["code"], room["plan"]["steps"][0]["code"]) == ("standstill", "customer_called")
    address = f"/dispatch/tickets/{ticket.id}/warroom"
    dispatcher = await desk.browser(DUTY_LEAD_G, "dispatcher")
    for path in (f"/dispatch/tickets/{ticket.id}/page", "/dispatch/board"):
        assert f'href="{address}"' in (await dispatcher.get(path)).text
    for who in (LEADER_E, EXPERT_D):
        assert f'href="{address}"' in (await (await desk.browser(who, "engineer")).get("/dispatch/app")).text


async def test_each_member_says_that_they_have_seen_it_once(desk: Desk) -> None:
    request_id = await desk.ask("urgent")
    ticket = await desk.ticket(request_id)
    first = (await write(desk, ticket.id, "seen", EXPERT_D)).json()
    assert [each["seen_at"] is not None for each in first["members"]] == [False, True]
    assert (await write(desk, ticket.id, "seen", EXPERT_D)).json() == first
    assert [data for name, _, data in await desk.told(ticket.id) if name == "group_noted"] == [
        {"what": "seen", "episode": 1, "by": str(EXPERT_D)}
    ]
    other = await write(desk, ticket.id, "seen", DUTY_LEAD_G, "dispatcher")
    assert (other.status_code, other.json()["type"]) == (403, "/problems/not-of-the-group")
    for version, severity in ((2, "general"), (3, "urgent")):  # the group is formed anew, so they see it anew
        await desk.receive(heard(reclassified(severity), request_id, version))
    again = (await read(desk, ticket.id)).json()
    assert {each["seen_at"] for each in again["members"]} == {None}


async def test_the_plan_is_done_step_by_step_and_the_first_who_did_it_stays(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("urgent"))
    done = {"plan": "standstill", "item": "customer_called"}
    first = (await write(desk, ticket.id, "steps", **done)).json()
    second = (await write(desk, ticket.id, "steps", CHIEF, "operations", **done)).json()
    assert first["plan"] == second["plan"]
    assert (first["plan"]["steps"][0]["by"], first["plan"]["steps"][1]["by"]) == (str(LEADER_E), None)
    for wrong in ({"plan": "standstill", "item": "make_safe"}, {"plan": "unheard_of", "item": "parts"}):
        assert (await write(desk, ticket.id, "steps", **wrong)).status_code == 422
    other = (await write(desk, ticket.id, "plan", plan="danger")).json()
    assert (other["plan"]["code"], other["plan"]["steps"][0]["at"]) == ("danger", None)
    back = (await write(desk, ticket.id, "plan", plan="standstill")).json()
    assert back["plan"]["steps"][0]["by"] == str(LEADER_E)


async def test_the_plan_is_for_the_situation_and_data(desk: Desk) -> None:
    """R39, R129: another plan is another version of the policy, no other program."""
    told = shipped().model_dump(mode="json")
    told["plans"].insert(0, {
        "code": "vip_fans", "text": {"zh": "风机", "en": "Fans"}, "when": {"product_lines": ["fans"]},
        "steps": [{"code": "listen", "text": {"zh": "听", "en": "Listen"}, "who": "expert"}],
    })  # fmt: skip
    author = desk.acting(CHIEF, "operations")
    sent = await author.put("/dispatch/urgent/policy", json={"policy": told}, headers={"if-match": '"0"'})
    assert sent.status_code == 200, sent.text
    situations: dict[str, dict[str, Any]] = {
        "fans": {"product_line": "fans"},
        "danger": {"skills": ("safety",)},
        "other": {},
    }
    chosen = {}
    for name, asked in situations.items():
        ticket = await desk.ticket(await desk.ask("urgent", **asked))
        room = (await read(desk, ticket.id, DUTY_LEAD_G, "dispatcher")).json()
        chosen[name] = room["plan"]["code"]
    assert chosen == {"fans": "vip_fans", "danger": "danger", "other": "standstill"}


async def test_notes_stay_with_us_and_are_forgotten_with_the_customer(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("urgent"))
    room = (await write(desk, ticket.id, "notes", CHIEF, "engineer", text="The board of theirs calls")).json()
    assert [(each["by"], each["text"]) for each in room["notes"]] == [
        (str(CHIEF), "The board of theirs calls")
    ]
    assert "board of theirs" not in str(await desk.told(ticket.id))
    await desk.receive(heard(CustomerErased(requests=1), ticket.customer_id))
    assert [each["text"] for each in (await read(desk, ticket.id)).json()["notes"]] == ["—"]


async def test_a_ticket_of_an_incident_has_a_war_room_while_it_is_part_of_it(desk: Desk) -> None:
    """R13: whatever its severity; and both are in its history."""
    request_id, incident = await desk.ask("general"), uuid7()
    ticket = await desk.ticket(request_id)
    none = await read(desk, ticket.id, DUTY_LEAD_G, "dispatcher")
    assert (none.status_code, none.json()["type"]) == (404, "/problems/no-war-room")
    said = {"region": "east", "title": "No water", "by": person(24)}
    linked = RequestLinked(incident_id=incident, by=person(24))
    await desk.receive(heard(IncidentDeclared(**said), incident))
    await desk.receive(heard(linked, request_id, 2))
    room = (await read(desk, ticket.id, DUTY_LEAD_G, "dispatcher")).json()
    assert (room["plan"]["code"], room["incidents"][0]["title"]) == ("mass_outage", "No water")
    assert (await read(desk, ticket.id, JUNIOR_A)).status_code == 200  # their own work
    ended = IncidentEnded(**said, cause="A pipe")
    await desk.receive(heard(ended, incident, 3))
    await desk.receive(heard(IncidentDeclared(**said), incident, 2))  # again, and too late
    [told] = (await read(desk, ticket.id, DUTY_LEAD_G, "dispatcher")).json()["incidents"]
    assert (told["ended"], told["cause"]) == (True, "A pipe")
    await desk.receive(heard(linked.model_copy(update={"linked": False}), request_id, 3))
    assert (await read(desk, ticket.id, DUTY_LEAD_G, "dispatcher")).status_code == 404
    assert [data["linked"] for name, _, data in await desk.told(ticket.id) if name == "group_noted"] == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("who", "role", "limits", "reads", "writes"),
    [
        (LEADER_E, "engineer", {}, 200, 200),
        (EXPERT_D, "engineer", {}, 200, 200),
        (CHIEF, "engineer", {}, 200, 200),  # informed, whatever else they are
        (CHIEF, "operations", {"regions": frozenset({"north"})}, 404, 404),
        (DUTY_LEAD_G, "dispatcher", {}, 200, 200),
        (DUTY_LEAD_G, "operations", {}, 200, 403),  # watches over promises
        (DUTY_LEAD_G, "dispatcher", {"regions": frozenset({"north"})}, 404, 404),
        (JUNIOR_A, "engineer", {}, 404, 404),
        (NORTH_EXPERT, "engineer", {}, 404, 404),
        (JUNIOR_A, "care", {}, 403, 403),
        (JUNIOR_A, "storekeeper", {}, 403, 403),
    ],
)
async def test_whose_room_it_is(
    desk: Desk, who: UUID, role: Any, limits: Any, reads: int, writes: int
) -> None:
    ticket = await desk.ticket(await desk.ask("urgent"))
    client = desk.acting(who, role, **limits)
    path = f"/dispatch/tickets/{ticket.id}"
    assert (await client.get(f"{path}/room")).status_code == reads
    assert (await client.get(f"{path}/warroom")).status_code == reads
    answer = await client.post(f"{path}/room/notes", json={"text": "Seen"})
    assert answer.status_code == writes, answer.text


async def test_what_stands_in_the_way_stands_there(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("urgent"))
    engineer = desk.acting(ticket.engineer_id, "engineer")
    await desk.acting(CHIEF, "operations").post(f"/dispatch/tickets/{ticket.id}/acknowledge")
    assert (await read(desk, ticket.id)).json()["blocks"] == []
    body = {"text": "Replace it", "grounds": ["danger"]}
    proposed = await engineer.post(f"/dispatch/tickets/{ticket.id}/solutions", json=body)
    assert (await read(desk, ticket.id)).json()["blocks"] == ["solution_waits"]
    verdict = f"/dispatch/tickets/{ticket.id}/solutions/{proposed.json()['id']}/verdict"
    said = {"verdict": "rejected", "note": "Too dear"}
    await desk.acting(CHIEF, "operations").post(verdict, json=said)
    version = (await read(desk, ticket.id)).json()["version"]
    version = (await post(engineer, ticket.id, "accept", ticket.version))["version"]
    await post(engineer, ticket.id, "pause", version, waiting_for="vendor")
    room = (await read(desk, ticket.id)).json()
    assert room["blocks"] == ["waiting", "solution_rejected"]


@pytest.mark.parametrize(
    ("what", "body"),
    [("notes", {}), ("notes", {"text": " "}), ("notes", {"text": "x" * 1001}), ("seen", {"by": "me"}),
     ("plan", {"plan": "unheard_of"}), ("steps", {"plan": "standstill"}), ("notes", [])],
)  # fmt: skip
async def test_bad_input_changes_nothing(desk: Desk, what: str, body: Any) -> None:
    ticket = await desk.ticket(await desk.ask("urgent"))
    path = f"/dispatch/tickets/{ticket.id}/room/{what}"
    answer = await desk.acting(LEADER_E, "engineer").post(path, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert (await desk.ticket(ticket.request_id)).version == ticket.version


# Remote assistance (R136).


async def help_from_afar(
    desk: Desk, ticket_id: UUID, path: str = "", who: Any = EXPERT_D, **body: Any
) -> Any:
    client = desk.acting(EXPERT_D, "engineer")
    return await client.post(f"/dispatch/tickets/{ticket_id}/remote{path}", json=body)


async def test_without_a_provider_there_is_no_session_and_the_page_says_how_to_get_one(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("urgent"))
    refused = await help_from_afar(desk, ticket.id)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/no-remote-provider")
    for language, words in (("en", "No provider is set yet"), ("zh-CN", "尚未设置远程协助服务")):
        page = await desk.browser(EXPERT_D, "engineer", language=language)
        for address in ("warroom", "page"):
            assert words in (await page.get(f"/dispatch/tickets/{ticket.id}/{address}")).text


async def test_a_session_is_kept_from_its_begin_to_its_recording(desk: Desk) -> None:
    await desk.set_provider("https://meet.example.com/join/{room}?lang=zh")
    ticket = await desk.ticket(await desk.ask("urgent", title="The line stands still"))
    session = (await help_from_afar(desk, ticket.id, invite_customer=True)).json()
    room = session["url"].removeprefix("https://meet.example.com/join/").removesuffix("?lang=zh")
    assert len(room) >= 32
    second = await help_from_afar(desk, ticket.id)
    assert (second.status_code, second.json()["session_id"]) == (409, session["id"])
    await desk.admin.execute(
        "UPDATE dispatch.remote_session SET started_at = started_at - interval '12 minutes'"
    )
    body = {"participants": [str(LEADER_E)], "with_customer": True}
    ended = (await help_from_afar(desk, ticket.id, f"/{session['id']}/end", **body)).json()
    assert ended["participants"] == [str(EXPERT_D), str(LEADER_E)]
    assert (ended["ended_by"], ended["with_customer"]) == (str(EXPERT_D), True)
    assert (await help_from_afar(desk, ticket.id, f"/{session['id']}/end")).status_code == 409
    assert (await help_from_afar(desk, ticket.id, f"/{session['id']}/invite")).status_code == 409
    link = {"recording_url": "https://recordings.example.com/12"}
    assert (await help_from_afar(desk, ticket.id, f"/{session['id']}/recording", **link)).status_code == 200
    noted = [data for name, _, data in await desk.told(ticket.id) if name == "remote_session_noted"]
    assert [each["what"] for each in noted] == ["started", "invited", "ended", "recorded"]
    assert (noted[2]["minutes"], noted[2]["participants"]) == (12, 3)
    assert room not in str(noted)
    [asked] = [data for name, _, data in await desk.told(ticket.id) if name == "customer_message_requested"]
    assert (asked["template"], asked["link"]) == ("remote_session", session["url"])
    other = (await help_from_afar(desk, ticket.id)).json()
    assert other["url"] != session["url"]  # who had the address of the last one does not come in
    await desk.receive(heard(CustomerErased(requests=1), ticket.customer_id))
    listed = (await desk.acting(EXPERT_D, "engineer").get(f"/dispatch/tickets/{ticket.id}/remote")).json()
    assert [(each["url"], each["recording_url"]) for each in listed["items"]] == [(None, None)] * 2


@pytest.mark.parametrize(
    "url", ["http://recordings.example.com/1", "javascript:alert(1)", "https://a:b@example.com/", "ftp://x/"]
)
async def test_only_safe_links_are_kept(desk: Desk, url: str) -> None:
    await desk.set_provider("https://meet.example.com/{room}")
    ticket = await desk.ticket(await desk.ask("urgent"))
    session = (await help_from_afar(desk, ticket.id)).json()
    answer = await help_from_afar(desk, ticket.id, f"/{session['id']}/end", recording_url=url)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/recording_url")
    stranger = await help_from_afar(desk, ticket.id, f"/{session['id']}/end", participants=[str(uuid7())])
    assert stranger.json()["errors"][0]["code"] == "unknown_person"


@pytest.mark.parametrize(
    ("who", "role", "status"),
    [(LEADER_E, "engineer", 201), (DUTY_LEAD_G, "dispatcher", 201), (CHIEF, "engineer", 403),
     (DUTY_LEAD_G, "operations", 403), (JUNIOR_A, "engineer", 404)],
)  # fmt: skip
async def test_who_helps_from_afar(desk: Desk, who: UUID, role: Any, status: int) -> None:
    await desk.set_provider("https://meet.example.com/{room}")
    ticket = await desk.ticket(await desk.ask("urgent"))
    answer = await desk.acting(who, role).post(f"/dispatch/tickets/{ticket.id}/remote", json={})
    assert answer.status_code == status, answer.text
