"""The door of other systems on a real database: what is signed comes in once, all else is told why not."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from standardwebhooks.webhooks import Webhook

from contracts.hearing import Hearing, hearing
from intake.app import service
from shared.clock import clock

REQUEST = {"customer": {"phone": "13800000000"}, "region": "east", "description": "空调不制冷"}


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


async def stored(desk: Hearing) -> tuple[int, ...]:
    """How much of everything there is, to see that nothing changed."""
    tables = ("request", "message", "source", "customer", "event_log", "idempotency")
    return tuple([await desk.admin.fetchval(f"SELECT count(*) FROM {table}") for table in tables])


async def secret_of(desk: Hearing, source: str) -> str:
    answer = await desk.client("admin").get(f"/intake/channels/webhook/{source}/secret")
    return str(answer.json()["secret"])


async def signed(
    desk: Hearing, body: str, *, id: str = "w1", age: timedelta = timedelta(0)
) -> dict[str, str]:
    at = clock.now() - age
    signature = Webhook(await secret_of(desk, "crm")).sign(id, at, body)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
        "content-type": "application/json",
    }


async def post_webhook(
    desk: Hearing, body: str, headers: dict[str, str], source: str = "crm"
) -> httpx.Response:
    return await desk.client().post(f"/intake/channels/webhook/{source}", content=body, headers=headers)


async def test_the_same_webhook_five_times_is_one_request(desk: Hearing) -> None:
    body = json.dumps(REQUEST)
    headers = await signed(desk, body, id="five")
    answers = [await post_webhook(desk, body, headers) for _ in range(5)]
    assert {answer.status_code for answer in answers} == {202}
    [id] = {answer.json()["request_id"] for answer in answers}
    assert [said["channel"] for _, _, said in await desk.told(UUID(id))] == ["webhook"]


async def test_a_signature_that_does_not_fit_is_refused_before_anything_is_read(desk: Hearing) -> None:
    body = json.dumps(REQUEST)
    good = await signed(desk, body)
    version, _, encoded = good["webhook-signature"].partition(",")
    refused = [
        {},
        good | {"webhook-signature": ""},
        good | {"webhook-signature": f"{version},{'A' * len(encoded)}"},
        good | {"webhook-signature": f"v1a,{encoded}"},
        good | {"webhook-signature": good["webhook-signature"][:-5]},
        good | {"webhook-signature": " ".join([f"v1,{'A' * 43}="] * 1000)},
        good | {"webhook-id": "w2"},
        good | {"webhook-id": ""},
        good | {"webhook-timestamp": "inf"},
        good | {"webhook-timestamp": str(int(good["webhook-timestamp"]) + 1)},
        await signed(desk, body, age=timedelta(minutes=6)),
        await signed(desk, body, age=-timedelta(minutes=6)),
    ]
    before = await stored(desk)
    statuses = [(await post_webhook(desk, body, headers)).status_code for headers in refused]
    statuses.append(
        (await post_webhook(desk, json.dumps(REQUEST, indent=1), good)).status_code
    )  # re-serialised
    statuses.append((await post_webhook(desk, "{ not even JSON", good)).status_code)
    statuses.append((await post_webhook(desk, body, good, source="erp")).status_code)
    assert statuses == [401] * len(statuses)
    assert await stored(desk) == before


@pytest.mark.parametrize(
    ("changed", "status", "slug"),
    [
        ({"webhook-signature": ""}, 401, "signature-missing"),
        ({"webhook-id": ""}, 401, "signature-missing"),
        ({"webhook-timestamp": ""}, 401, "signature-missing"),
        ({"webhook-timestamp": "soon"}, 401, "timestamp-malformed"),
        ({"webhook-timestamp": "1.5e9"}, 401, "timestamp-malformed"),
        ({"webhook-timestamp": "1500000000"}, 401, "message-too-old"),
        ({"webhook-timestamp": "9500000000"}, 401, "message-too-new"),
        ({"webhook-id": "x" * 201}, 400, "webhook-id-too-long"),
        ({"webhook-id": "other"}, 401, "not-signed"),
        ({"content-type": "text/plain"}, 415, "unsupported-media-type"),
    ],
    ids=str,
)
async def test_a_sender_is_told_what_is_wrong_with_the_headers(
    desk: Hearing, changed: dict[str, str], status: int, slug: str
) -> None:
    before = await stored(desk)
    body = json.dumps(REQUEST)
    answer = await post_webhook(desk, body, await signed(desk, body, id="told") | changed)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
    assert await stored(desk) == before


async def test_a_signed_body_that_is_not_utf_8_is_no_fault_of_the_signature(desk: Hearing) -> None:
    body = '{"description": "空调"}'.encode("gb18030")
    at = str(int(clock.now().timestamp()))
    secret = base64.b64decode((await secret_of(desk, "crm")).removeprefix("whsec_"))
    code = hmac.digest(secret, f"gb.{at}.".encode() + body, "sha256")
    headers = {"webhook-id": "gb", "webhook-timestamp": at, "content-type": "application/json"}
    headers["webhook-signature"] = f"v1,{base64.b64encode(code).decode()}"
    answer = await desk.client().post("/intake/channels/webhook/crm", content=body, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/not-utf8")


async def test_a_webhook_id_with_another_body_is_refused_and_not_dropped(desk: Hearing) -> None:
    bodies = [json.dumps(REQUEST), json.dumps(REQUEST | {"description": "漏水"})]
    first = await post_webhook(desk, bodies[0], await signed(desk, bodies[0], id="again"))
    before = await stored(desk)
    other = await post_webhook(desk, bodies[1], await signed(desk, bodies[1], id="again"))
    assert (other.status_code, other.json()["type"]) == (422, "/problems/webhook-id-reused")
    [fault] = other.json()["errors"]
    assert (fault["source"], fault["pointer"]) == ("header", "/webhook-id")
    same = await post_webhook(desk, bodies[0], await signed(desk, bodies[0], id="again"))
    assert same.json() == {"request_id": first.json()["request_id"], "fresh": False}
    assert await stored(desk) == before


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        '{"a":1,"a":2}',
        json.dumps(REQUEST | {"canary": 1}),
        json.dumps(REQUEST | {"customer": {}}),
    ],
)
async def test_what_is_signed_but_no_request_is_told_so(desk: Hearing, body: str) -> None:
    before = await stored(desk)
    answer = await post_webhook(desk, body, await signed(desk, body, id="bad"))
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert await stored(desk) == before
