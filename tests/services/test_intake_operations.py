"""Whatever is sent to any operation of intake, it answers what its description says, and never with a 5xx."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from chaos.checkers import Report
from chaos.result import Result, versions
from contracts.hearing import Hearing, hearing
from contracts.operations import Findings, Genuine, Known, call_everything
from contracts.providers import genuine, post
from intake.app import service
from shared.clock import clock, uuid7

REQUEST: dict[str, Any] = {
    "customer": {"phone": "13800000000"}, "region": "east", "city": "shanghai", "description": "空调不制冷",
}  # fmt: skip
HAPPENED = {"kind": "dispatch.ticket_assigned", "at": "2026-03-02T09:00:00+08:00"}
HISTORY = {
    "source": "old-desk",
    "tickets": [{"ticket": "A-1", "happenings": [HAPPENED]}],
}
MAIL = b"""From: sample@example.com
Subject: Pump
Message-ID: <%s@example.com>
Content-Type: multipart/mixed; boundary=b

--b

It leaks.
--b
Content-Type: image/png
Content-Disposition: attachment; filename="leak.png"
Content-Transfer-Encoding: base64

iVBORw0KGgo=
--b--
"""
TELEGRAM = genuine()["telegram"]
CLAIM = """20,000 calls of intake's operations, half drawn from what they describe, half from what it is not,
with identifiers that exist and some that do not: no answer is a 5xx, none has a status that is not described,
each refusal is a problem document; and each operation did what it is there for at least once."""
PUBLISHED = Path(__file__).parents[2] / "docs" / "proofs"


class Calls:
    """One call of each operation that generated input cannot satisfy, on a desk with something on it."""

    def __init__(self, desk: Hearing) -> None:
        self.desk = desk
        self.requests: list[str] = []

    async def prepare(self, client: httpx.AsyncClient) -> None:
        for _ in range(3):
            self.requests.append((await self.post_request(client)).json()["request_id"])

    def known(self, path: str) -> Known:
        if path.startswith("/intake/requests/{id}"):
            return {"id": self.requests}
        return {"channel": ["telegram"], "name": ["genuine"]} if "accounts" in path else {}

    def genuine(self) -> dict[str, Genuine]:
        return {
            "POST /intake/requests": self.post_request,
            "POST /intake/channels/email": self.post_mail,
            "POST /intake/channels/webhook/{source}": self.post_webhook,
            "POST /intake/histories": self.post_history,
            "GET /intake/requests/{id}/messages": self.read_messages,
            "POST /intake/requests/{id}/answers": self.post_answer,
            "PUT /intake/requests/{id}/judgement": self.overrule,
            "GET /intake/attachments/{id}": self.read_attachment,
            "PUT /intake/places": self.put_places,
            "PUT /intake/requests/{id}/place": self.put_place,
            "POST /intake/messages/{id}/retry": self.send_again,
            "PUT /intake/channels/{channel}/accounts/{name}": self.set_up,
            "POST /intake/channels/{channel}/{name}": self.post_update,
            "GET /intake/channels/{channel}/{name}": self.shake_hands,
            "DELETE /intake/channels/{channel}/accounts/{name}": self.close,
        }

    async def post_request(self, client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/intake/requests", json=REQUEST, headers={"idempotency-key": str(uuid7())})

    async def post_mail(self, client: httpx.AsyncClient) -> httpx.Response:
        headers = {"content-type": "message/rfc822"}
        return await client.post(
            "/intake/channels/email", content=MAIL % uuid7().hex.encode(), headers=headers
        )

    async def post_webhook(self, client: httpx.AsyncClient) -> httpx.Response:
        secret = (await client.get("/intake/channels/webhook/crm/secret")).json()["secret"]
        id, at, body = (
            str(uuid7()),
            clock.now(),
            '{"customer": {"external_id": "C-1"}, "description": "leaks"}',
        )
        headers = {
            "webhook-id": id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(secret).sign(id, at, body),
            "content-type": "application/json",
        }
        return await client.post("/intake/channels/webhook/crm", content=body, headers=headers)

    async def post_history(self, client: httpx.AsyncClient) -> httpx.Response:
        headers = {"idempotency-key": str(uuid7())}
        return await client.post("/intake/histories", json=HISTORY, headers=headers)

    async def read_messages(self, client: httpx.AsyncClient) -> httpx.Response:
        return await client.get(f"/intake/requests/{self.requests[0]}/messages")

    async def post_answer(self, client: httpx.AsyncClient) -> httpx.Response:
        path, headers = f"/intake/requests/{self.requests[0]}/answers", {"idempotency-key": str(uuid7())}
        return await client.post(path, json={"text": "We are on our way."}, headers=headers)

    async def overrule(self, client: httpx.AsyncClient) -> httpx.Response:
        judged = {"kind": "complaint", "severity": "urgent", "reason": "It burns."}
        return await self._changed(client, "judgement", judged)

    async def put_place(self, client: httpx.AsyncClient) -> httpx.Response:
        return await self._changed(client, "place", {"city": "杭州"})

    async def _changed(self, client: httpx.AsyncClient, what: str, body: dict[str, str]) -> httpx.Response:
        path = f"/intake/requests/{self.requests[1]}"
        etag = (await client.get(path)).headers["etag"]
        return await client.put(f"{path}/{what}", json=body, headers={"if-match": etag})

    async def read_attachment(self, client: httpx.AsyncClient) -> httpx.Response:
        await self.post_mail(client)
        id = await self.desk.admin.fetchval("SELECT id FROM attachment LIMIT 1")
        return await client.get(f"/intake/attachments/{id}")

    async def put_places(self, client: httpx.AsyncClient) -> httpx.Response:
        version = (await client.get("/intake/places")).json()["version"]
        own = {"places": [{"kind": "region", "code": "islands", "zh": "群岛", "en": "Islands"}]}
        return await client.put("/intake/places", json=own, headers={"if-match": f'"{version}"'})

    async def send_again(self, client: httpx.AsyncClient) -> httpx.Response:
        id = (await self.post_answer(client)).json()["message_id"]
        await self.desk.admin.execute("UPDATE message SET state = 'failed' WHERE id = $1", id)
        return await client.post(f"/intake/messages/{id}/retry", json={"decision": "send_again"})

    async def set_up(self, client: httpx.AsyncClient) -> httpx.Response:
        account = {"secrets": dict(TELEGRAM.secrets)}
        return await client.put("/intake/channels/telegram/accounts/genuine", json=account)

    async def post_update(self, client: httpx.AsyncClient) -> httpx.Response:
        await self.set_up(client)
        return await post(self.desk, TELEGRAM, TELEGRAM.signed(TELEGRAM.message(1)))

    async def shake_hands(self, client: httpx.AsyncClient) -> httpx.Response:
        account = {"secrets": {"app_secret": "s", "verify_token": "expected"}}
        await client.put("/intake/channels/whatsapp/accounts/genuine", json=account)
        asked = {"hub.mode": "subscribe", "hub.verify_token": "expected", "hub.challenge": "1158201444"}
        return await client.get("/intake/channels/whatsapp/genuine", params=asked)

    async def close(self, client: httpx.AsyncClient) -> httpx.Response:
        await self.set_up(client)
        return await client.delete("/intake/channels/telegram/accounts/genuine")


async def findings_of(postgres_url: str, each: int, seed: int) -> Findings:
    async with hearing(postgres_url, service) as desk:
        calls = Calls(desk)
        async with desk.client("adapter", "care") as client:
            await calls.prepare(client)
        return await call_everything(
            desk.served, "/intake", each=each, seed=seed, known=calls.known, genuine=calls.genuine()
        )


async def test_no_operation_fails_whatever_it_is_sent(postgres_url: str) -> None:
    found = await findings_of(postgres_url, each=2, seed=2026)
    assert found.faults == []
    assert found.never_served == []


@pytest.mark.proof
async def test_no_operation_fails_in_20_000_calls(postgres_url: str) -> None:
    began = time.monotonic()
    operations = len((await findings_of(postgres_url, each=1, seed=1)).answers)
    found = await findings_of(postgres_url, each=20_000 // (2 * operations) + 1, seed=2026)
    reports = [
        report("answers", found.calls, "wrong", found.faults),
        report("operations that served", operations, "never", found.never_served),
    ]
    async with hearing(postgres_url, service) as desk:
        ran_on = await versions(desk.admin, None)
    counts, seconds = {"operations": operations, "calls": found.calls}, time.monotonic() - began
    Result("intake-operations", CLAIM, [2026], ran_on, counts, seconds, reports).write(PUBLISHED)
    for each in reports:
        each.assert_clean()


def report(checker: str, checked: int, kind: str, violations: Sequence[str]) -> Report:
    return Report(checker, checked, {kind: len(violations)} if violations else {}, tuple(violations[:20]))
