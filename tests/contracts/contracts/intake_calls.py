"""One call of each operation of intake that generated input cannot satisfy; each test has its own desk."""

from __future__ import annotations

from typing import Any

import httpx
from standardwebhooks.webhooks import Webhook

from contracts.hearing import Hearing
from contracts.operations import Genuine, Known
from contracts.providers import genuine, post
from intake.requests.store import put_aside
from intake.triage.ruleset import shipped
from shared.clock import clock, uuid7

REQUEST: dict[str, Any] = {
    "customer": {"phone": "13800000000"}, "region": "east", "city": "shanghai", "description": "空调不制冷",
}  # fmt: skip
HAPPENED = {"kind": "dispatch.ticket_assigned", "at": "2026-03-02T09:00:00+08:00"}
HISTORY: dict[str, Any] = {
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


class Calls:
    """`prepare` first; then each as often as wanted, in any order."""

    def __init__(self, desk: Hearing) -> None:
        self.desk = desk
        self.requests: list[str] = []
        self.customers: list[str] = []

    async def prepare(self, client: httpx.AsyncClient) -> None:
        for _ in range(3):
            self.requests.append((await self.post_request(client)).json()["request_id"])
            self.customers.append(await self._new_customer(client))

    def known(self, path: str) -> Known:
        if path.startswith("/intake/requests/{id}"):
            return {"id": self.requests}
        if path.startswith("/intake/triage/rules/{version}"):
            return {"version": [str(shipped().version)]}
        if path.startswith("/intake/customers/{id}"):
            return {"id": self.customers}
        return {"channel": ["telegram"], "name": ["genuine"]} if "accounts" in path else {}

    def genuine(self) -> dict[str, Genuine]:
        return {
            "POST /intake/requests": self.post_request,
            "POST /intake/channels/email": self.post_mail,
            "POST /intake/channels/webhook/{source}": self.post_webhook,
            "POST /intake/histories": self.post_history,
            "GET /intake/requests/{id}/messages": self.read_messages,
            "POST /intake/requests/{id}/answers": self.post_answer,
            "GET /intake/requests/{id}/notes": self.read_notes,
            "POST /intake/requests/{id}/notes": self.post_note,
            "POST /intake/answer-templates": self.post_template,
            "GET /intake/answer-templates/{id}": self.read_template,
            "PUT /intake/answer-templates/{id}": self.put_template,
            "DELETE /intake/answer-templates/{id}": self.delete_template,
            "PUT /intake/requests/{id}/judgement": self.overrule,
            "GET /intake/attachments/{id}": self.read_attachment,
            "GET /intake/calls/{id}/recordings": self.read_recordings,
            "POST /intake/triage/rules": self.publish_rules,
            "POST /intake/triage/rules/trial": self.try_rules,
            "PUT /intake/places": self.put_places,
            "PUT /intake/requests/{id}/place": self.put_place,
            "POST /intake/messages/{id}/retry": self.send_again,
            "PUT /intake/channels/{channel}/accounts/{name}": self.set_up,
            "POST /intake/channels/{channel}/{name}": self.post_update,
            "GET /intake/channels/{channel}/{name}": self.shake_hands,
            "DELETE /intake/channels/{channel}/accounts/{name}": self.close,
            "GET /intake/customers/known": self.find_customer,
            "GET /intake/customers/{id}/file": self.read_file,
            "PUT /intake/customers/{id}": self.put_customer,
            "POST /intake/customers/{id}/consents": self.post_consent,
            "POST /intake/customers/{id}/merges": self.merge,
            "POST /intake/customers/{id}/merges/{merge_id}/undo": self.undo_merge,
            "POST /intake/customers/{id}/erase": self.erase,
            "GET /intake/requests/{id}/customer": self.read_customer,
            "POST /intake/purchases/csv": self.post_purchases,
            "GET /intake/devices/known": self.find_device,
            "GET /intake/devices/{id}/label.svg": self.read_label,
            "PUT /intake/contracts/{number}": self.put_contract,
            "GET /intake/set-aside/{id}": self.read_aside,
            "POST /intake/set-aside/{id}/replay": self.replay,
        }

    async def post_request(self, client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/intake/requests", json=REQUEST, headers=_key())

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
        return await client.post("/intake/histories", json=HISTORY, headers=_key())

    async def read_messages(self, client: httpx.AsyncClient) -> httpx.Response:
        return await client.get(f"/intake/requests/{self.requests[0]}/messages")

    async def post_answer(self, client: httpx.AsyncClient) -> httpx.Response:
        path, headers = f"/intake/requests/{self.requests[0]}/answers", _key()
        return await client.post(path, json={"text": "We are on our way.", "spoken": True}, headers=headers)

    async def read_notes(self, client: httpx.AsyncClient) -> httpx.Response:
        return await client.get(f"/intake/requests/{self.requests[0]}/notes")

    async def post_note(self, client: httpx.AsyncClient) -> httpx.Response:
        path = f"/intake/requests/{self.requests[0]}/notes"
        return await client.post(path, json={"text": "Ask the maker."}, headers=_key())

    async def post_template(self, client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/intake/answer-templates", json=_template(), headers=_key())

    async def read_template(self, client: httpx.AsyncClient) -> httpx.Response:
        made = await self.post_template(client)
        return await client.get(made.headers["location"])

    async def put_template(self, client: httpx.AsyncClient) -> httpx.Response:
        made = await self.post_template(client)
        headers = {"if-match": made.headers["etag"]}
        return await client.put(made.headers["location"], json=_template(), headers=headers)

    async def delete_template(self, client: httpx.AsyncClient) -> httpx.Response:
        made = await self.post_template(client)
        return await client.delete(made.headers["location"], headers={"if-match": made.headers["etag"]})

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

    async def read_recordings(self, client: httpx.AsyncClient) -> httpx.Response:
        told = {"call_id": str(uuid7()), "event": "rang"}
        rang = await client.post("/intake/channels/phone", json=told, headers=_key())
        return await client.get(f"/intake/calls/{rang.json()['call_id']}/recordings")

    async def publish_rules(self, client: httpx.AsyncClient) -> httpx.Response:
        etag = (await client.get("/intake/triage/rules")).headers["etag"]
        headers = {"if-match": etag, "idempotency-key": str(uuid7())}
        return await client.post("/intake/triage/rules", json=self._rules(), headers=headers)

    async def try_rules(self, client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/intake/triage/rules/trial", json={"rules": self._rules()})

    def _rules(self) -> Any:
        return shipped().model_dump(mode="json", include={"base_hours", "lists", "rules"})

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

    async def _new_customer(self, client: httpx.AsyncClient) -> str:
        wanted = REQUEST | {"customer": {"external_id": str(uuid7())}}
        answer = await client.post("/intake/requests", json=wanted, headers=_key())
        asked = await client.get(f"/intake/requests/{answer.json()['request_id']}/customer")
        return str(asked.json()["id"])

    async def find_customer(self, client: httpx.AsyncClient) -> httpx.Response:
        return await client.get("/intake/customers/known", params={"phone": "13800000000"})

    async def read_file(self, client: httpx.AsyncClient) -> httpx.Response:
        return await client.get(f"/intake/customers/{self.customers[0]}/file")

    async def put_customer(self, client: httpx.AsyncClient) -> httpx.Response:
        etag = (await self.read_file(client)).headers["etag"]
        path = f"/intake/customers/{self.customers[0]}"
        return await client.put(path, json={"name": "示例客户"}, headers={"if-match": etag})

    async def post_consent(self, client: httpx.AsyncClient) -> httpx.Response:
        said = {"purpose": "survey", "channel": "sms", "given": True, "source": "form"}
        path = f"/intake/customers/{self.customers[0]}/consents"
        return await client.post(path, json=said, headers=_key())

    async def merge(self, client: httpx.AsyncClient) -> httpx.Response:
        one, other = await self._new_customer(client), await self._new_customer(client)
        path = f"/intake/customers/{one}/merges"
        return await client.post(path, json={"other_id": other}, headers=_key())

    async def undo_merge(self, client: httpx.AsyncClient) -> httpx.Response:
        merged = await self.merge(client)
        path = f"{merged.request.url.path}/{merged.json()['merge_id']}/undo"
        return await client.post(path, headers=_key())

    async def erase(self, client: httpx.AsyncClient) -> httpx.Response:
        path = f"/intake/customers/{await self._new_customer(client)}/erase"
        return await client.post(path, headers=_key())

    async def read_customer(self, client: httpx.AsyncClient) -> httpx.Response:
        return await client.get(f"/intake/requests/{self.requests[0]}/customer")

    async def post_purchases(self, client: httpx.AsyncClient) -> httpx.Response:
        table = "serial,model,purchased_on,phone\nSN-1,KFR-35,2026-03-02,13800000000\n"
        headers = {"content-type": "text/csv"}
        return await client.post("/intake/purchases/csv", content=table, headers=headers)

    async def find_device(self, client: httpx.AsyncClient) -> httpx.Response:
        await self.post_purchases(client)
        return await client.get("/intake/devices/known", params={"serial": "SN-1"})

    async def read_label(self, client: httpx.AsyncClient) -> httpx.Response:
        id = (await self.find_device(client)).json()["id"]
        return await client.get(f"/intake/devices/{id}/label.svg")

    async def put_contract(self, client: httpx.AsyncClient) -> httpx.Response:
        owner = await self._new_customer(client)  # the others may have been erased meanwhile
        terms = {"customer_id": owner, "starts_on": "2026-01-01", "ends_on": "2026-12-31"}
        return await client.put("/intake/contracts/C-1", json=terms)

    async def read_aside(self, client: httpx.AsyncClient) -> httpx.Response:
        return await client.get(f"/intake/set-aside/{await self._failed(client)}")

    async def replay(self, client: httpx.AsyncClient) -> httpx.Response:
        return await client.post(f"/intake/set-aside/{await self._failed(client)}/replay")

    async def _failed(self, client: httpx.AsyncClient) -> str:
        await self.set_up(client)
        place = {"channel": "telegram", "account": "genuine", "external_id": str(uuid7())}
        body = TELEGRAM.message(uuid7().int % 10**9)
        row = {"id": uuid7(), "reason": "failed", "body": body, "url": None, **place}
        await self.desk.database.transact(lambda tx: put_aside(tx, [row]))
        return str(row["id"])


def _template() -> dict[str, str]:
    return {"language": "en", "title": str(uuid7()), "body": "Hello {name}", "owner": "desk.one"}


def _key() -> dict[str, str]:
    return {"idempotency-key": str(uuid7())}
