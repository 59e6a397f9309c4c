"""A visitor to the suite's public doors: adapters, engineers and customers, by HTTP and nothing else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import httpx

from allinone import sample
from shared.clock import uuid7
from shared.http.auth import Role
from shared.settings import Settings

POLL: Final = 0.05
PATIENCE: Final = 30.0
READING: Final = 2.5  # seconds a customer needs to read a page and choose


class Refused(Exception):
    """A door answered otherwise than expected."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(
            f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}"
        )


class Visitor:
    """Calls the doors of a suite as the sample people would."""

    def __init__(self, client: httpx.AsyncClient, settings: Settings) -> None:
        self._client = client
        self._settings = settings

    async def as_(self, role: Role, method: str, path: str, **sent: Any) -> httpx.Response:
        """One call as the sample person of a role; raises `Refused` unless it succeeds."""
        return await self._call(sample.token(role, self._settings), method, path, **sent)

    async def as_engineer(self, person: str, method: str, path: str, **sent: Any) -> httpx.Response:
        """One call as one engineer."""
        return await self._call(sample.token_of(person, self._settings), method, path, **sent)

    async def _call(self, token: str, method: str, path: str, **sent: Any) -> httpx.Response:
        headers = {
            "authorization": f"Bearer {token}",
            "accept": "application/json",
            "idempotency-key": str(uuid7()),
            **sent.pop("headers", {}),
        }
        answer = await self._client.request(method, path, headers=headers, **sent)
        if answer.is_error:
            raise Refused(answer)
        return answer

    async def set_up(self) -> None:
        """The sample organisation, catalogue and stock, once."""
        if not (await self.as_("storekeeper", "GET", "/parts/stock")).json()["items"]:
            await self.as_("storekeeper", "PUT", "/parts/catalogue", json=sample.CATALOGUE)
            await self.as_("storekeeper", "POST", "/parts/receipts", json=sample.DELIVERY)
        try:
            await self.as_(
                "admin",
                "PUT",
                "/dispatch/organisation",
                json=sample.organisation(),
                headers={"if-match": '"0"'},
            )
        except Refused as refused:
            if ": 412 " not in str(refused):
                raise

    async def ask(
        self, description: str, region: str, city: str, phone: str, at: datetime | None = None
    ) -> UUID:
        """A customer's request through the web form adapter; returns its id."""
        new = {
            "channel": "web_form",
            "customer": {"name": "样例客户 / Sample customer", "phone": phone},
            "region": region,
            "city": city,
            "description": description,
            "occurred_at": at.isoformat() if at else None,
        }
        answer = await self.as_("adapter", "POST", "/intake/requests", json=new)
        return UUID(answer.json()["request_id"])

    async def mail(self, text: str, subject: str, region: str, city: str, at: datetime | None = None) -> UUID:
        """A customer's mail through the mail adapter."""
        raw = (
            f"From: sample.customer@example.com\r\nMessage-ID: <{uuid7()}@example.com>\r\n"
            f"Subject: {subject}\r\n"
            f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
        ).encode()
        where = {"region": region, "city": city} | ({"occurred_at": at.isoformat()} if at else {})
        answer = await self.as_(
            "adapter",
            "POST",
            "/intake/channels/email",
            params=where,
            content=raw,
            headers={"content-type": "message/rfc822"},
        )
        return UUID(answer.json()["request_id"])

    async def call(self, id: str, event: str, at: datetime, region: str = "east") -> None:
        """One event of a call, as the telephone system tells it."""
        told = {"call_id": id, "event": event, "region": region, "occurred_at": at.isoformat()}
        await self.as_("adapter", "POST", "/intake/channels/phone", json=told)

    async def ticket_of(self, request_id: UUID) -> dict[str, Any]:
        """The ticket that a request has become, once an engineer or a decision is on it."""

        async def look() -> dict[str, Any] | None:
            known = (await self.as_("care", "GET", f"/intake/requests/{request_id}")).json()["ticket_id"]
            return await self.ticket(known) if known else None

        ticket: dict[str, Any] = await until(look)
        return ticket

    async def ticket(self, id: str) -> dict[str, Any]:
        """One ticket in full, as the dispatcher sees it."""
        found: dict[str, Any] = (await self.as_("dispatcher", "GET", f"/dispatch/tickets/{id}")).json()
        return found

    async def do(self, ticket_id: str, command: str, **words: Any) -> dict[str, Any]:
        """One command of the ticket's engineer, on the newest version; returns the ticket after it."""
        ticket = await self.ticket(ticket_id)
        person = ticket["engineer_id"] or ticket["owner_id"]
        path = f"/dispatch/tickets/{ticket_id}/{command}"
        await self.as_engineer(person, "POST", path, json={"base_version": ticket["version"], **words})
        return await self.ticket(ticket_id)

    async def answer(self, request_id: UUID, text: str) -> None:
        """What the service desk tells a customer on the phone: not everybody can be written to."""
        said = {"text": text, "spoken": True}
        await self.as_("care", "POST", f"/intake/requests/{request_id}/answers", json=said)

    async def repair(self, ticket_id: str, now: datetime) -> None:
        """Everything an engineer does, from accepting to resolving."""
        await self.do(ticket_id, "accept")
        starts_at = now + timedelta(hours=1)
        ends_at = starts_at + timedelta(hours=1)
        await self.do(ticket_id, "visits", starts_at=starts_at.isoformat(), ends_at=ends_at.isoformat())
        await self.do(ticket_id, "depart")
        await self.do(ticket_id, "inform", text="样例：工程师已出发 / Sample: the engineer is on the way")
        await self.do(ticket_id, "arrive")
        await self.do(ticket_id, "parts", lines=[{"part_number": "FUSE-16", "quantity": 1}])
        checklist = (await self.ticket(ticket_id))["work"]["checklist"]
        done = {"fault_code": "electrical", "work_note": "样例：更换保险丝", "first_visit": True}
        await self.do(ticket_id, "resolve", items=[item["code"] for item in checklist], **done)

    async def link(self, request_id: UUID, template: str) -> str:
        """The secret page that a message to the customer leads to."""

        async def look() -> str | None:
            said = (await self.as_("care", "GET", f"/intake/requests/{request_id}/messages")).json()
            links = [each["link"] for each in said if each["template"] == template]
            return str(links[-1]) if links else None

        return httpx.URL(await until(look)).path

    async def answer_survey(self, path: str, score: int) -> httpx.Response:
        """Answer a survey, no faster than a person reads it: faster answers do not count."""
        return await self.press(path, READING, score=str(score))

    async def press(self, path: str, reading: float = 0.0, **fields: str) -> httpx.Response:
        """Open a customer's page, read it for so many seconds, and send its form as the page has it."""
        shown = await self._client.get(path, headers={"accept": "text/html"})
        await asyncio.sleep(reading)
        hidden = dict(re.findall(r'type="hidden" name="(proof|shown_at)" value="([^"]*)"', shown.text))
        answer = await self._client.post(
            path, data={**hidden, **fields}, headers={"accept": "text/html", "sec-fetch-site": "same-origin"}
        )
        if answer.is_error:
            raise Refused(answer)
        return answer


async def until(look: Callable[[], Awaitable[Any]], patience: float = PATIENCE) -> Any:
    """What `look` finds, as soon as it finds anything; `TimeoutError` when it never does."""
    async with asyncio.timeout(patience):
        while (found := await look()) is None:  # noqa: ASYNC110 - the suite is another process
            await asyncio.sleep(POLL)
    return found
