"""The engineer of a job gets through to its customer, whose number dispatch does not have (R127)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest_asyncio

from contracts.dispatching import DUTY_LEAD_G, SAMPLE, Desk, dispatching, post
from shared.clock import clock
from shared.http.passes import let_through


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Desk]:
    async with dispatching(postgres_url) as running:
        await running.put(SAMPLE, 0)
        yield running


async def test_only_the_engineer_of_an_open_ticket_gets_a_pass_to_its_customer(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("important"))
    path = f"/dispatch/tickets/{ticket.id}/contact"
    engineer = desk.acting(ticket.engineer_id, "engineer")
    answer = await engineer.get(path)
    assert answer.status_code == 303
    token = answer.headers["location"].removeprefix("/intake/contacts/")
    settings, who = desk.served.settings, str(ticket.engineer_id)
    assert let_through(token, "contact", who, clock.now(), settings) == ticket.request_id
    assert let_through(token, "contact", str(ticket.supervisor_id), clock.now(), settings) is None
    assert (await desk.acting(UUID(int=9), "engineer").get(path)).status_code == 404
    assert (await desk.acting(ticket.supervisor_id, "engineer").get(path)).status_code == 403
    lead = desk.acting(DUTY_LEAD_G, "dispatcher")
    assert (await lead.get(path)).status_code == 403
    await post(lead, ticket.id, "cancel", ticket.version, reason="withdrawn", note="not wanted")
    assert (await engineer.get(path)).status_code == 403


async def test_the_way_leads_to_what_is_known_of_the_place(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask())
    page = await (await desk.browser(ticket.engineer_id, "engineer")).get("/dispatch/app")
    assert 'href="geo:31.23,121.47?q=31.23,121.47"' in page.text
    assert f'href="/dispatch/tickets/{ticket.id}/contact"' in page.text
    assert "tel:" not in page.text
