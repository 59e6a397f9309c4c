"""Bad input for intake that no other test sends; `tests/contracts/bad_input.toml` says which sends what."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncIterator
from time import process_time
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from contracts import providers
from contracts.hearing import Hearing, hearing
from contracts.intake_calls import HISTORY, MAIL, REQUEST
from contracts.providers import genuine
from intake.app import service
from intake.channels.contract import Arrived, CallTold, DeliveryTold, Noticed, Verdict
from intake.channels.held import is_nameless
from intake.requests.rules import Identity, Normalised
from intake.search.loops import make_findable
from shared.clock import clock, uuid7
from shared.http.auth import ROLES
from shared.http.keys import keys_for
from shared.settings import Settings

# As JSON has them; of a header neither end counts, so that the last ones cannot be sent there.
BLANK = ("", " ", "   ", "\t", "\u3000", "\u00a0", "\u200b", "\u200b \ufeff")


HOSTILE = (
    "'; DROP TABLE request; --", "' OR '1'='1", "{{7*7}}", "${jndi:ldap://127.0.0.1/a}", "../../etc/passwd",
    "<script>alert(1)</script>", "%00", "\\u0000", "=cmd()|' /C calc'!A0", "\u202egnp.exe", "$(reboot)",
    "`id`", "%s%n", "😀" * 50,
)  # fmt: skip
WEBHOOK = "/intake/channels/webhook/crm"


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


async def ask(desk: Hearing, **changes: Any) -> httpx.Response:
    async with desk.client(*ROLES) as client:
        headers = {"idempotency-key": str(uuid7())}
        return await client.post("/intake/requests", json=REQUEST | changes, headers=headers)


async def requests(desk: Hearing) -> int:
    count: int = await desk.admin.fetchval("SELECT count(*) FROM request")
    return count


@pytest.mark.parametrize("text", HOSTILE)
async def test_words_that_mean_something_elsewhere_are_words_here(desk: Hearing, text: str) -> None:
    """Injections are kept to the letter, shown as text, and change nothing else."""
    customer = {"external_id": text, "name": text}
    id = (await ask(desk, description=text, title=text, customer=customer)).json()["request_id"]
    async with desk.client(*ROLES) as client:
        said = (await client.get(f"/intake/requests/{id}/messages")).json()
        named = (await client.get(f"/intake/requests/{id}/customer")).json()
        shown = (await client.get(f"/intake/desk/{id}")).text
    assert ([each["text"] for each in said], named["name"]) == ([text], text)
    assert "<script>alert" not in shown
    assert text != "{{7*7}}" or text in shown


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"customer": {"phone": "138abc00000"}}, "/customer/phone"),
        ({"customer": {"phone": "1" * 50}}, "/customer/phone"),
        ({"customer": {"phone": "1" * 65}}, "/customer/phone"),
        ({"city": "长" * 10_000}, "/city"),
        ({"region": "east" * 2_500}, "/region"),
        ({"customer": {"phone": "13800000000", "name": "n" * 10_000}}, "/customer/name"),
        ({"latitude": 1e308, "longitude": 0}, "/latitude"),
        ({"latitude": 10**60, "longitude": 0}, "/latitude"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_is_too_long_or_no_number_says_where(
    desk: Hearing, changes: dict[str, Any], pointer: str
) -> None:
    before = await requests(desk)
    answer = await ask(desk, **changes)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert pointer in [each["pointer"] for each in answer.json()["errors"]]
    assert await requests(desk) == before


@pytest.mark.parametrize("q", ["%%%%", "____", "(a+)+$", "漏水' OR '1'='1", "id;drop", "\\", "*", "a" * 200])
async def test_a_search_finds_words_and_no_patterns(desk: Hearing, q: str) -> None:
    await ask(desk, description="空调漏水", customer={"phone": "13800000001"})
    while await desk.database.transact(lambda tx: make_findable(tx, clock.now())):
        pass
    async with desk.client(*ROLES) as client:
        begun = process_time()
        found = await client.get("/intake/desk", params={"q": q})
        assert process_time() - begun < 5
        assert (found.status_code, "空调漏水" in found.text) == (200, False)
        assert "空调漏水" in (await client.get("/intake/desk", params={"q": "漏水"})).text


@pytest.mark.parametrize(
    "query",
    ["sort=id;drop", "order=asc--", "page=1000000000", "limit=1000000000", "limit=0", "cursor=x"],
)
async def test_a_list_has_no_order_and_no_page_of_anybody_s_choice(desk: Hearing, query: str) -> None:
    async with desk.client(*ROLES) as client:
        answer = await client.get(f"/intake/requests?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert "drop" not in answer.text


async def test_ten_thousand_ranges_of_a_file_are_one_file(desk: Hearing) -> None:
    async with desk.client(*ROLES) as client:
        headers = {"content-type": "message/rfc822"}
        mail = MAIL % uuid7().hex.encode()
        assert (await client.post("/intake/channels/email", content=mail, headers=headers)).status_code == 202
        id = await desk.admin.fetchval("SELECT id FROM attachment LIMIT 1")
        whole = await client.get(f"/intake/attachments/{id}")
        ranges = "bytes=" + ",".join(f"{n}-{n}" for n in range(10_000))
        answer = await client.get(f"/intake/attachments/{id}", headers={"range": ranges})
    assert (answer.status_code, answer.content) == (200, whole.content)


@pytest.mark.parametrize(
    "sender",
    [
        '"a\r\nBcc: x@y.example"@b.example',
        '"a\nb"@c.example',
        '"a\\\r\n b"@c.example',
        "a@b.example\r\n\tBcc: c",
    ],
)
async def test_a_quoted_sender_brings_no_header_of_its_own(desk: Hearing, sender: str) -> None:
    """Whatever the sender is taken for, no line of it becomes another recipient of what we answer."""
    mail = f"From: {sender}\r\nMessage-ID: <{uuid7()}@x>\r\nSubject: pump\r\n\r\nIt leaks.".encode()
    async with desk.client(*ROLES) as client:
        headers = {"content-type": "message/rfc822"}
        answer = await client.post("/intake/channels/email", content=mail, headers=headers)
        id = answer.json()["request_id"]
        known = (await client.get(f"/intake/requests/{id}/customer")).json()
    assert not [each for each in (known["name"], *known["emails"]) if "\n" in each or "\r" in each]
    assert "x@y.example" not in known["emails"]


def webhook(key: bytes, id: str, at: str, body: str) -> dict[str, str]:
    signed = base64.b64encode(hmac.digest(key, f"{id}.{at}.{body}".encode(), "sha256")).decode()
    headers = {"webhook-id": id, "webhook-timestamp": at, "webhook-signature": f"v1,{signed}"}
    return {**headers, "content-type": "application/json"}


def key_of(settings: Settings) -> bytes:
    return keys_for("webhook", settings)[0].sign(b"crm")


async def test_a_point_in_a_webhook_id_moves_nothing_into_the_body(desk: Hearing) -> None:
    """What is signed is joined by points: taken apart elsewhere, the same signature would fit."""
    at, body = str(int(clock.now().timestamp())), json.dumps(REQUEST)
    whole = webhook(key_of(desk.served.settings), f"a.{at}", at, body)
    before = await requests(desk)
    async with desk.client() as client:
        for id, moved in (("a", f"{at}.{body}"), (f"a.{at}.{at}", body), (f"a.{at}", f"{at}.{body}")):
            answer = await client.post(WEBHOOK, content=moved, headers=whole | {"webhook-id": id})
            assert answer.status_code in (400, 401, 422), id
            assert answer.headers["content-type"] == "application/problem+json"
        assert await requests(desk) == before
        assert (await client.post(WEBHOOK, content=body, headers=whole)).status_code == 202


async def test_a_webhook_secret_ends_with_its_rotation(
    desk: Hearing, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, body = desk.served.settings, json.dumps(REQUEST)
    old = settings.model_copy(update={"secret": SecretStr("o" * 40)})
    for previous, status in ((old.secret, 202), (None, 401)):
        rolled = settings.model_copy(update={"previous_secret": previous})
        monkeypatch.setattr("intake.channels.webhook.settings_of", lambda _, rolled=rolled: rolled)
        at = str(int(clock.now().timestamp()))
        async with desk.client() as client:
            headers = webhook(key_of(old), str(uuid7()), at, body)
            assert (await client.post(WEBHOOK, content=body, headers=headers)).status_code == status


async def test_a_flood_of_one_customer_is_one_customer_s(desk: Hearing) -> None:
    """Fifty requests of one person, each a request, none of anybody else."""
    phone = {"customer": {"phone": "13800000077"}}
    answers = [await ask(desk, **phone, description=f"call me {n}") for n in range(50)]
    assert {answer.status_code for answer in answers} == {202}
    ids = [answer.json()["request_id"] for answer in answers]
    query = "SELECT count(DISTINCT customer_id), count(*) FROM request WHERE id::text = ANY($1)"
    assert tuple(await desk.admin.fetchrow(query, ids)) == (1, 50)
