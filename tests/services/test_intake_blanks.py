"""No door takes a name that says nothing: two messages without a name of their own would be one."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from contracts import providers
from contracts.hearing import Hearing, hearing
from contracts.intake_calls import HISTORY, MAIL, REQUEST
from contracts.providers import genuine
from intake.app import service
from intake.channels.contract import Arrived, CallTold, DeliveryTold, Noticed, Verdict
from intake.channels.held import is_nameless
from intake.requests.rules import Identity, Normalised
from shared.clock import clock, uuid7
from shared.http.auth import ROLES

# As JSON has them; of a header neither end counts, so that the last ones cannot be sent there.
BLANK = ("", " ", "   ", "\t", "\u3000", "\u00a0", "\u200b", "\u200b \ufeff")


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        await providers.set_up(running)
        yield running


async def stored(desk: Hearing) -> list[int]:
    tables = ("request", "message", "set_aside", "customer", "call", "device", "idempotency", "event_log")
    return [await desk.admin.fetchval(f"SELECT count(*) FROM {table}") for table in tables]


async def send(desk: Hearing, method: str, path: str, **call: Any) -> httpx.Response:
    headers = {"idempotency-key": str(uuid7()), **call.pop("headers", {})}
    async with desk.client(*ROLES) as client:
        return await client.request(method, path, headers=headers, **call)


PHONE = "/intake/channels/phone"
RECORDED = {"reference": "{}", "consent": True, "consent_at": "2026-03-02T09:00:00+08:00"}
RANG = {"call_id": "one", "event": "rang"}
SOLD = {"serial": "SN", "model": "KFR-35"}
# What holds the name, as it is sent to a door: method, path, where the name stands, all of it.
NAMES: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "a request's external id": ("POST", "/intake/requests", "/external_id", {**REQUEST, "external_id": "{}"}),
    "a customer's external id": (
        "POST",
        "/intake/requests",
        "/customer/external_id",
        {**REQUEST, "customer": {"external_id": "{}"}},
    ),
    "a call's id": ("POST", PHONE, "/call_id", {**RANG, "call_id": "{}"}),
    "a telephone system": ("POST", PHONE, "/account", {**RANG, "account": "{}"}),
    "a recording": (
        "POST",
        PHONE,
        "/recording/reference",
        {**RANG, "recording": RECORDED},
    ),
    "an imported ticket": (
        "POST",
        "/intake/histories",
        "/tickets/0/ticket",
        {**HISTORY, "tickets": [{**HISTORY["tickets"][0], "ticket": "{}"}]},
    ),
    "a source of histories": ("POST", "/intake/histories", "/source", {**HISTORY, "source": "{}"}),
}


def filled(part: Any, name: str) -> Any:
    """`part` with the name where `{}` stands."""
    match part:
        case "{}":
            return name
        case dict():
            return {key: filled(each, name) for key, each in part.items()}
        case list():
            return [filled(each, name) for each in part]
    return part


@pytest.mark.parametrize("what", NAMES)
async def test_a_blank_name_is_refused_with_its_place(desk: Hearing, what: str) -> None:
    method, path, pointer, body = NAMES[what]
    before = await stored(desk)
    for name in BLANK:
        answer = await send(desk, method, path, json=filled(body, name))
        assert answer.status_code == 422, (what, name, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert await stored(desk) == before
    assert (await send(desk, method, path, json=filled(body, "a-1"))).status_code == 202


@pytest.mark.parametrize("name", BLANK)
async def test_a_product_without_a_serial_number_is_refused_by_its_line(desk: Hearing, name: str) -> None:
    lines = [{**SOLD, "serial": name}]
    answer = await send(desk, "POST", "/intake/purchases", json={"lines": lines})
    assert [each["outcome"] for each in answer.json()["lines"]] == ["refused"]
    terms = {"customer_id": str(uuid7()), "serial": name, "starts_on": "2026-01-01", "ends_on": "2026-02-01"}
    assert (await send(desk, "PUT", "/intake/contracts/C-1", json=terms)).status_code == 422
    assert (await send(desk, "GET", "/intake/devices/known", params={"serial": name})).status_code == 422


@pytest.mark.parametrize("name", BLANK)
async def test_a_mailbox_has_a_name(desk: Hearing, name: str) -> None:
    mail, headers = MAIL % uuid7().hex.encode(), {"content-type": "message/rfc822"}
    answer = await send(
        desk, "POST", "/intake/channels/email", params={"account": name}, content=mail, headers=headers
    )
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/account")


@pytest.mark.parametrize("pointer", ["/message_id", "/session_id", "/customer/id", "/text"])
async def test_the_chat_is_told_which_name_is_blank(desk: Hearing, pointer: str) -> None:
    chat, before = genuine()["chat"], await stored(desk)
    for name in BLANK:
        said = json.loads(chat.message(1))
        part = said
        *above, last = pointer[1:].split("/")
        for each in above:
            part = part[each]
        part[last] = name
        answer = await providers.post(desk, chat, chat.signed(json.dumps(said).encode()))
        assert answer.status_code == 422, (name, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert await stored(desk) == before


@pytest.mark.parametrize("name", ["", " ", "\u00a0", "\u00ad"])
async def test_a_webhook_has_a_name(desk: Hearing, name: str) -> None:
    body = json.dumps({"customer": {"phone": "13800000000"}, "description": "leaks"})
    path = "/intake/channels/webhook/crm"
    secret = (await send(desk, "GET", f"{path}/secret")).json()["secret"]
    at = str(int(clock.now().timestamp()))
    headers = {"webhook-id": name, "webhook-timestamp": at, "content-type": "application/json"}
    raw = [(key, value.encode("latin-1")) for key, value in headers.items()]
    raw.append(("webhook-signature", signature(secret, f"{name}.{at}.{body}")))
    answer = await desk.client().post(path, content=body, headers=raw)  # type: ignore[arg-type]
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


def signature(secret: str, signed: str) -> bytes:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return b"v1," + base64.b64encode(hmac.digest(key, signed.encode(), "sha256"))


@pytest.mark.parametrize("name", BLANK)
def test_what_a_provider_sends_without_a_name_is_taken_for_nothing_else(name: str) -> None:
    now = clock.now()
    message = Normalised(
        channel="sms", account="twilio/x", external_id=name, name="—", text="x", title="x",
        identities=(Identity("phone", "+8613800000000"),), received_at=now, raw=b"x",
        content_type="text/plain",
    )  # fmt: skip
    told: list[Verdict] = [Arrived(message), DeliveryTold(name, "sent", now), CallTold(name, "rang", now)]
    assert all(map(is_nameless, [*told, Noticed("x", name, b"")]))
    assert not is_nameless(Noticed("x", f"{name}7", b""))
