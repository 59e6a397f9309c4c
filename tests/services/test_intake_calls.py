"""Who calls is known by their number; recordings are a reference, with consent (R137)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio

from contracts.hearing import Hearing, hearing
from intake.app import service
from shared.clock import uuid7

CONSENT = "2026-03-02T09:00:00+08:00"


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


async def ring(desk: Hearing, call_id: str, event: str = "rang", **more: Any) -> httpx.Response:
    told = {"call_id": call_id, "event": event, "region": "east", **more}
    headers = {"idempotency-key": str(uuid7())}
    return await desk.client("adapter", channel="phone").post(
        "/intake/channels/phone", json=told, headers=headers
    )


async def ask(desk: Hearing, phone: str) -> str:
    new = {"customer": {"phone": phone}, "description": "水泵漏水"}
    headers = {"idempotency-key": str(uuid7())}
    answer = await desk.client("care").post("/intake/requests", json=new, headers=headers)
    assert answer.status_code == 202
    request_id: str = answer.json()["request_id"]
    return request_id


async def test_a_call_joins_the_one_open_request_of_who_calls(desk: Hearing) -> None:
    request_id = await ask(desk, "138 0000 0001")
    rang = await ring(desk, "one", caller="+86 138-0000-0001")
    assert rang.json()["request_id"] == request_id
    assert (await ring(desk, "one", "answered")).json()["request_id"] == request_id
    [call] = (await desk.client("care").get(f"/intake/requests/{request_id}/calls")).json()
    assert (call["state"], call["recorded"], "caller" in call) == ("answered", False, False)
    told = [data for name, _, data in await desk.told() if name.startswith("call_")]
    assert [each["request_id"] for each in told] == [request_id] * 2
    assert "13800000001" not in str(told)


async def test_nobody_is_guessed(desk: Hearing) -> None:
    """No number, an unknown one, or one of a customer with two open requests or none."""
    await ask(desk, "13800000002")
    await ask(desk, "13800000002")
    closed = await ask(desk, "13800000003")
    await desk.admin.execute("UPDATE request SET closed_at = now() WHERE id::text = $1", closed)
    for number, caller in enumerate((None, "13800000009", "13800000002", "13800000003")):
        answer = await ring(desk, f"nobody:{number}", caller=caller)
        assert (answer.status_code, answer.json()["request_id"]) == (202, None)
    assert (await ring(desk, "odd", caller="not a number")).status_code == 422


async def test_a_recording_is_kept_with_consent_only(desk: Hearing) -> None:
    good = {"reference": "pbx://recordings/1", "consent": True, "consent_at": CONSENT}
    for wrong in ({**good, "consent": False}, {**good, "consent": "true"}, {**good, "consent_at": None}):
        assert (await ring(desk, "heard", recording=wrong)).status_code == 422
    without = {name: value for name, value in good.items() if name != "consent"}
    assert (await ring(desk, "heard", recording=without)).status_code == 422
    assert await desk.admin.fetchval("SELECT count(*) FROM call_recording") == 0
    for event in ("answered", "ended"):
        told = await ring(desk, "heard", event, recording=good)
    path = f"/intake/calls/{told.json()['call_id']}/recordings"
    assert (await desk.client("dispatcher").get(path)).status_code == 403
    [kept] = (await desk.client("care", id="listener").get(path)).json()
    assert kept["reference"] == "pbx://recordings/1"
    looked = "SELECT count(*) FROM audit WHERE action = 'recording_read' AND actor = 'listener'"
    assert await desk.admin.fetchval(looked) == 1


async def test_who_is_erased_is_not_heard_any_more(desk: Hearing) -> None:
    request_id = await ask(desk, "13800000004")
    good = {"reference": "pbx://recordings/4", "consent": True, "consent_at": CONSENT}
    await ring(desk, "gone", caller="13800000004", recording=good)
    customer = await desk.admin.fetchval("SELECT customer_id FROM request WHERE id::text = $1", request_id)
    erased = await desk.client("admin").post(f"/intake/customers/{customer}/erase")
    assert erased.status_code < 300, erased.text
    assert await desk.admin.fetchval("SELECT count(*) FROM call WHERE caller = '+8613800000004'") == 0
    gone = "SELECT count(*) FROM call_recording WHERE reference = 'pbx://recordings/4'"
    assert await desk.admin.fetchval(gone) == 0
