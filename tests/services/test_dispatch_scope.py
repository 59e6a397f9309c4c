"""Every door of a ticket, tried by whoever may see other tickets only (decision 22, R125)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from contracts.authorization import doors_of
from contracts.dispatching import DUTY_LEAD_G, JUNIOR_A, SAMPLE, Desk, dispatching
from shared.http.auth import Role

OVERSEERS: tuple[Role, ...] = ("dispatcher", "operations", "admin")
# Bodies that would do: without one, a wrong body would be refused before anybody looked for the ticket.
VISIT = {"starts_at": "2199-01-02T09:00:00+08:00", "ends_at": "2199-01-02T11:00:00+08:00"}
SOLUTION = "/dispatch/tickets/{ticket_id}/solutions/{solution_id}"
UNVERSIONED = ("acknowledge", "solutions")
BODIES: dict[str, dict[str, Any] | None] = {
    "GET /dispatch/tickets/{ticket_id}/solutions": None,
    "GET /dispatch/tickets/{ticket_id}": None,
    "GET /dispatch/tickets/{ticket_id}/page": None,
    "POST /dispatch/tickets/{ticket_id}/solutions": {"text": "Seal the pump."},
    "POST /dispatch/tickets/{ticket_id}/solutions/page": {"do": "propose", "text": "Seal the pump."},
    f"POST {SOLUTION}/verdict": {"verdict": "approved"},
    f"POST {SOLUTION}/withdraw": {},
    "POST /dispatch/tickets/{ticket_id}/accept": {},
    "POST /dispatch/tickets/{ticket_id}/acknowledge": {},
    "POST /dispatch/tickets/{ticket_id}/acknowledge/page": {},
    "POST /dispatch/tickets/{ticket_id}/arrive": {},
    "POST /dispatch/tickets/{ticket_id}/assign": {"person_id": str(JUNIOR_A), "reason": "She is near."},
    "POST /dispatch/tickets/{ticket_id}/begin": {},
    "POST /dispatch/tickets/{ticket_id}/cancel": {"reason": "other", "note": "Nobody needs it."},
    "POST /dispatch/tickets/{ticket_id}/checklist": {"items": ["tested"]},
    "POST /dispatch/tickets/{ticket_id}/decline": {"reason": "Too far."},
    "POST /dispatch/tickets/{ticket_id}/depart": {},
    "POST /dispatch/tickets/{ticket_id}/inform": {"text": "We are on our way."},
    "POST /dispatch/tickets/{ticket_id}/page": {"command": "accept"},
    "POST /dispatch/tickets/{ticket_id}/pause": {"waiting_for": "vendor"},
    "POST /dispatch/tickets/{ticket_id}/parts": {"lines": [{"part_number": "P", "quantity": 1}]},
    "POST /dispatch/tickets/{ticket_id}/plan": {"job_kind": "training"},
    "POST /dispatch/tickets/{ticket_id}/reopen": {"reason": "It leaks again."},
    "POST /dispatch/tickets/{ticket_id}/resolve": {"work_note": "Sealed the pump."},
    "POST /dispatch/tickets/{ticket_id}/resume": {},
    "POST /dispatch/tickets/{ticket_id}/visits": VISIT,
    "POST /dispatch/tickets/{ticket_id}/work-logs": {
        "began_at": VISIT["starts_at"],
        "ended_at": VISIT["ends_at"],
        "text": "Sealed the pump.",
    },
}
OUTSIDE: dict[str, tuple[UUID, tuple[Role, ...], dict[str, Any]]] = {
    "another region": (DUTY_LEAD_G, OVERSEERS, {"regions": frozenset({"north"})}),
    "another product line": (DUTY_LEAD_G, OVERSEERS, {"product_lines": frozenset({"fans"})}),
    "another customer level": (DUTY_LEAD_G, OVERSEERS, {"customer_levels": frozenset({"vip"})}),
    "an engineer's own work": (UUID(int=9), ("engineer",), {}),
}
INSIDE = {"regions": frozenset({"east"}), "product_lines": frozenset({"pumps"})}


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Desk]:
    async with dispatching(postgres_url) as running:
        await running.put(SAMPLE, 0)
        yield running


async def answers(
    desk: Desk, ticket: Any, who: UUID, *roles: Role, **limits: Any
) -> dict[str, httpx.Response]:
    """What every door says to one person; the version is always the ticket's."""
    found: dict[str, httpx.Response] = {}
    proposed = UUID(int=0)
    async with desk.acting(who, *roles, **limits) as client:
        for door, body in BODIES.items():
            method, path = door.split()
            sent: dict[str, Any] = {}
            if body is not None:
                plain = any(name in door for name in UNVERSIONED)
                version = {} if plain else {"base_version": ticket.version}
                sent["data" if door.endswith("/page") else "json"] = {**body, **version}
            if "data" in sent:
                sent["headers"] = {"content-type": "application/x-www-form-urlencoded"}
            path = path.format(ticket_id=ticket.id, solution_id=proposed)
            answer = found[door] = await client.request(method, path, **sent)
            if answer.status_code == 201:
                proposed = answer.json()["id"]
    return found


def test_every_door_of_a_ticket_is_tried(desk: Desk) -> None:
    doors = {door.name for door in doors_of(desk.served.app) if "{ticket_id}" in door.name}
    assert doors == set(BODIES)


@pytest.mark.parametrize("outside", OUTSIDE)
async def test_a_ticket_out_of_sight_does_not_exist(desk: Desk, outside: str) -> None:
    ticket = await desk.ticket(await desk.ask("urgent", product_line="pumps"))
    who, roles, limits = OUTSIDE[outside]
    found = await answers(desk, ticket, who, *roles, **limits)
    assert {door: answer.status_code for door, answer in found.items()} == dict.fromkeys(
        BODIES, 404
    ) | forbidden(roles)
    assert (await desk.ticket(ticket.request_id)).version == ticket.version


def forbidden(roles: tuple[Role, ...]) -> dict[str, int]:
    """What an engineer may do to no ticket at all is refused before one is looked for."""
    refused = () if "admin" in roles else ("assign", "cancel", "reopen")
    return {f"POST /dispatch/tickets/{{ticket_id}}/{each}": 403 for each in refused}


async def test_the_same_doors_find_it_for_whom_it_is(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("urgent", product_line="pumps"))
    found = await answers(desk, ticket, DUTY_LEAD_G, *OVERSEERS, **INSIDE)
    assert {door for door, answer in found.items() if answer.status_code in (404, 422)} == set()
