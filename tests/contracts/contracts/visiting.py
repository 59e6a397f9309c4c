"""Visits as customers without scripts and those who drive to them see and change them."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import httpx

from contracts.dispatching import (
    DUTY_LEAD_G,
    JUNIOR_A,
    Desk,
    Sent,
    post,
)


async def given_to(desk: Desk, who: UUID = JUNIOR_A, **changes: Any) -> Any:
    """A ticket that somebody has."""
    ticket = await desk.ticket(await desk.ask(**changes))
    if ticket.engineer_id != who:
        await assign(desk, ticket, who)
    return await desk.ticket(ticket.request_id)


async def assign(desk: Desk, ticket: Any, who: UUID) -> None:
    """By hand, whatever speaks against them."""
    dispatcher = desk.acting(DUTY_LEAD_G, "dispatcher")
    body = {"person_id": str(who), "reason": "for the test", "base_version": ticket.version}
    path = f"/dispatch/tickets/{ticket.id}/assign"
    answer = await dispatcher.post(path, json=body)
    if answer.status_code == 409:
        despite = [each["code"] for each in answer.json()["objections"]]
        answer = await dispatcher.post(path, json={**body, "despite": despite})
    assert answer.status_code == 200, answer.text


async def accepted(desk: Desk, who: UUID = JUNIOR_A) -> Any:
    ticket = await given_to(desk, who)
    await post(desk.acting(who, "engineer"), ticket.id, "accept", ticket.version)
    return await desk.ticket(ticket.request_id)


async def slots(client: httpx.AsyncClient, ticket_id: UUID, **query: Any) -> list[Sent]:
    answer = await client.get(f"/dispatch/tickets/{ticket_id}/slots", params=query)
    assert answer.status_code == 200, answer.text
    found: list[Sent] = answer.json()["slots"]
    return found


async def offered(desk: Desk, ticket: Any, who: UUID = JUNIOR_A) -> str:
    """The link of a ticket whose customer is sent one."""
    now = await desk.ticket(ticket.request_id)
    await post(desk.acting(who, "engineer"), ticket.id, "visit-link", now.version)
    return await desk.link_to(ticket.id)


class Customer:
    """A browser without scripts at one link."""

    def __init__(self, desk: Desk, link: str, language: str = "en") -> None:
        self.client, self.link, self.page = desk.served.client(), link, ""
        self.client.headers["accept-language"] = language

    async def look(self, **query: str) -> str:
        answer = await self.client.get(self.link, params=query)
        assert answer.status_code == 200, answer.text
        self.page = answer.text
        return self.page

    @property
    def times(self) -> list[str]:
        return re.findall(r'name="starts_at" value="([^"]+)"', self.page)

    async def send(self, deed: str, **fields: str) -> httpx.Response:
        known = {"proof": hidden("proof", self.page), "deed": deed}
        if seen := hidden("seen", self.page):
            known["seen"] = seen
        answer = await self.client.post(self.link, data={**known, **fields})
        if answer.status_code in (200, 409):
            self.page = answer.text
        return answer


def hidden(name: str, page: str) -> str:
    return page.partition(f'name="{name}" value="')[2].partition('"')[0]


async def visits(desk: Desk, ticket: Any) -> list[tuple[UUID, str]]:
    found = await desk.rows(
        "SELECT engineer_id, state FROM visit WHERE ticket_id = :id ORDER BY id", id=ticket.id
    )
    return [(row.engineer_id, row.state) for row in found]


async def letters(desk: Desk, ticket: Any) -> list[str]:
    told = await desk.told(ticket.id)
    return [data["template"] for name, _, data in told if name == "customer_message_requested"]
