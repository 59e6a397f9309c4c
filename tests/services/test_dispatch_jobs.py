"""Jobs: kinds with their checklists, hours, faults and causes, all of it data (R26, R28, R31–R33, R128)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from contracts.dispatching import (
    DUTY_LEAD_G,
    JUNIOR_A,
    JUNIOR_B,
    REPAIRED,
    SAMPLE,
    Desk,
    Sent,
    dispatching,
    heard,
    post,
    reclassified,
)
from dispatch.jobs.rules import JOB_KINDS, items_for, missing, shipped
from shared.clock import clock
from shared.events.intake import CustomerErased

RESOLVED = {"work_note": "Changed the seal", "fault_code": "leakage", "cause_code": "wear"}


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


async def at_work(desk: Desk, *, on_site: bool = True, **changes: Any) -> tuple[Any, httpx.AsyncClient, int]:
    """A ticket whose engineer works on it; the ticket, the engineer, the version."""
    ticket = await desk.ticket(await desk.ask(**changes))
    engineer, version = desk.acting(ticket.engineer_id, "engineer"), ticket.version
    for command in ("accept", "depart", "arrive", "begin") if on_site else ("accept", "begin"):
        version = (await post(engineer, ticket.id, command, version))["version"]
    return ticket, engineer, version


async def detail(client: httpx.AsyncClient, ticket_id: UUID) -> Sent:
    found: Sent = (await client.get(f"/dispatch/tickets/{ticket_id}")).json()
    return found


def test_what_ships_knows_every_kind_of_job_in_both_languages() -> None:
    catalogue = shipped()
    assert [job.code for job in catalogue.kinds] == list(JOB_KINDS)
    for job in catalogue.kinds:
        assert any(item.required for item in job.items)
        assert all(item.text.zh != item.text.en for item in job.items)


def test_work_from_afar_has_the_items_that_can_be_done_from_afar_r26() -> None:
    job = shipped().job("repair")
    assert {item.code for item in items_for(job, on_site=True)} > {
        item.code for item in items_for(job, on_site=False)
    }
    assert [item.code for item in missing(job, ["tested"], on_site=False)] == ["cause_found"]
    assert [item.code for item in missing(job, REPAIRED, on_site=True)] == []


@pytest.mark.parametrize(
    ("kind", "job"),
    [("fault", "repair"), ("installation", "installation"), ("return_exchange", "return_pickup"),
     ("enquiry", "inspection")],
)  # fmt: skip
async def test_the_request_says_which_job_it_is_r31(desk: Desk, kind: str, job: str) -> None:
    ticket = await desk.ticket(await desk.ask(kind=kind, hours=1.5))
    assert (ticket.job_kind, ticket.planned_minutes) == (job, 90)


async def test_another_kind_of_request_is_another_job_until_somebody_has_planned_it(desk: Desk) -> None:
    request = await desk.ask()
    await desk.receive(heard(reclassified("general", kind="installation"), request, 2))
    ticket = await desk.ticket(request)
    assert ticket.job_kind == "installation"
    engineer = desk.acting(JUNIOR_A, "engineer")
    body = {"job_kind": "training", "planned_minutes": 45}
    now = await post(engineer, ticket.id, "plan", ticket.version, **body)
    assert (now["job_kind"], now["planned_minutes"]) == ("training", 45)
    await desk.receive(heard(reclassified("general", kind="fault"), request, 3))
    assert (await desk.ticket(request)).job_kind == "training"


async def test_nothing_is_done_before_its_checklist_is_r26(desk: Desk) -> None:
    ticket, engineer, version = await at_work(desk)
    path = f"/dispatch/tickets/{ticket.id}/resolve"
    refused = await engineer.post(path, json={"base_version": version, **RESOLVED, "items": ["tested"]})
    assert (refused.status_code, refused.json()["missing"]) == (409, ["made_safe", "cause_found"])
    assert "Power off" in refused.json()["detail"]
    assert not await desk.rows("SELECT 1 FROM checklist_tick")  # refused as a whole
    now = await post(engineer, ticket.id, "checklist", version, items=["made_safe", "cause_found"])
    again = await post(engineer, ticket.id, "checklist", now["version"], items=["made_safe"])
    assert again["version"] == now["version"]
    work = (await detail(engineer, ticket.id))["work"]
    ticked = {item["code"]: item["by"] for item in work["checklist"]}
    assert (ticked["made_safe"], ticked["tested"]) == (str(JUNIOR_A), None)
    await post(engineer, ticket.id, "resolve", now["version"], **RESOLVED, items=["tested"])
    names = await desk.names(ticket.id)
    assert names[-4:] == ["work_noted", "work_noted", "ticket_resolved", "customer_message_requested"]


async def test_two_phones_may_tick_and_write_at_the_same_time(desk: Desk) -> None:
    ticket, engineer, version = await at_work(desk)
    await post(engineer, ticket.id, "checklist", version, items=["made_safe"])
    await post(engineer, ticket.id, "checklist", version, items=["tested"])  # as it was read before
    await post(engineer, ticket.id, "resolve", version, **RESOLVED, items=["cause_found"])


async def test_what_was_written_down_is_counted_r28_r33(desk: Desk) -> None:
    ticket, engineer, version = await at_work(desk, on_site=False)
    now = clock.now()
    begins = now - timedelta(hours=2)
    for hours, minutes in ((2, 30), (1, 45)):
        began_at = now - timedelta(hours=hours)
        body = {"began_at": began_at.isoformat(), "text": "Looked for the leak"}
        ended_at = (began_at + timedelta(minutes=minutes)).isoformat()
        version = (await post(engineer, ticket.id, "work-logs", version, **body, ended_at=ended_at))[
            "version"
        ]
    work = (await detail(engineer, ticket.id))["work"]
    assert (work["planned_minutes"], work["worked_minutes"]) == (120, 75)
    assert [log["remote"] for log in work["logs"]] == [True, True]
    await post(engineer, ticket.id, "resolve", version, **RESOLVED, items=["cause_found", "tested"])
    [told] = [data for name, _, data in await desk.told(ticket.id) if name == "ticket_resolved"]
    assert (told["minutes"], told["cause_code"], told["job_kind"]) == (75, "wear", "repair")
    assert begins.isoformat() not in json.dumps(told)


@pytest.mark.parametrize(
    ("began", "ended"),
    [(timedelta(hours=-1), timedelta(hours=-2)), (timedelta(days=-31), timedelta(days=-31, hours=1)),
     (timedelta(hours=-1), timedelta(hours=1)), (timedelta(hours=-26), timedelta(hours=-1))],
)  # fmt: skip
async def test_work_lies_behind_and_is_no_longer_than_a_day(
    desk: Desk, began: timedelta, ended: timedelta
) -> None:
    ticket, engineer, version = await at_work(desk)
    body = {"base_version": version, "text": "x"}
    body |= {"began_at": (clock.now() + began).isoformat(), "ended_at": (clock.now() + ended).isoformat()}
    answer = await engineer.post(f"/dispatch/tickets/{ticket.id}/work-logs", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "work_time")


@pytest.mark.parametrize(
    ("command", "body", "pointer"),
    [
        ("checklist", {"items": ["tested", "polished"]}, "/items/1"),
        ("checklist", {"items": []}, "/items"),
        ("resolve", {"work_note": "x", "items": [*REPAIRED], "fault_code": "SEAL-1"}, "/fault_code"),
        ("resolve", {"work_note": "x", "items": [*REPAIRED], "cause_code": "who knows"}, "/cause_code"),
        ("plan", {"job_kind": "magic"}, "/job_kind"),
        ("plan", {"job_kind": "repair", "planned_minutes": 0}, "/planned_minutes"),
    ],
)
async def test_what_the_catalogue_does_not_know_is_refused(
    desk: Desk, command: str, body: Sent, pointer: str
) -> None:
    ticket, engineer, version = await at_work(desk)
    answer = await engineer.post(
        f"/dispatch/tickets/{ticket.id}/{command}", json={"base_version": version, **body}
    )
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_a_house_has_its_own_catalogue_as_a_whole(desk: Desk) -> None:
    admin = desk.acting("admin", "admin")
    found = await admin.get("/dispatch/jobs")
    assert (found.json()["version"], found.headers["etag"]) == (0, '"0"')
    catalogue = found.json()["catalogue"]
    catalogue["kinds"][0]["items"] = [
        {"code": "weighed", "text": {"zh": "已称重", "en": "Weighed"}, "required": True, "where": "any"}
    ]
    put = {"json": catalogue, "headers": {"if-match": '"0"'}}
    assert (await admin.put("/dispatch/jobs", **put)).json()["version"] == 1
    assert (await admin.put("/dispatch/jobs", **put)).status_code == 412
    ticket, engineer, version = await at_work(desk)
    await post(engineer, ticket.id, "resolve", version, **RESOLVED, items=["weighed"])
    twice = {**catalogue, "faults": catalogue["faults"][:1] * 2}
    for broken, pointer in (
        (twice, "/faults/1/code"),
        ({**catalogue, "kinds": catalogue["kinds"][1:]}, "/kinds"),
    ):
        refused = await admin.put("/dispatch/jobs", json=broken, headers={"if-match": '"1"'})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_how_often_it_was_handed_on_is_counted_r128(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask())
    assert (await detail(desk.acting(DUTY_LEAD_G, "dispatcher"), ticket.id))["transfers"] == 0
    await post(desk.acting(JUNIOR_A, "engineer"), ticket.id, "decline", ticket.version, reason="on leave")
    found = await detail(desk.acting(DUTY_LEAD_G, "dispatcher"), ticket.id)
    assert (found["transfers"], found["engineer_id"]) == (1, str(JUNIOR_B))


async def test_hours_stay_and_words_go_when_a_customer_is_forgotten(desk: Desk) -> None:
    ticket, engineer, version = await at_work(desk)
    now = clock.now()
    body = {"began_at": (now - timedelta(minutes=9)).isoformat(), "ended_at": now.isoformat()}
    await post(engineer, ticket.id, "work-logs", version, **body, text="Ms Sample showed me the pump")
    await desk.receive(heard(CustomerErased(requests=1), ticket.customer_id, 9))
    [log] = await desk.rows("SELECT text FROM work_log")
    assert log.text == "—"
    assert (await detail(engineer, ticket.id))["work"]["worked_minutes"] == 9
