"""Every door of dispatch, tried by everybody with every kind of ticket and what belongs to it (R125).

`tests/contracts/dispatch_objects.toml` has a row per route; what each cell answers follows from its rule.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import AsyncMock

import pytest
import pytest_asyncio
from sqlalchemy import true

from contracts.authorization import read_table
from contracts.dispatch_objects import PICTURE, dispatch_world
from contracts.dispatching import dispatching
from contracts.objects import World, faults, read_rows
from dispatch.evidence.rules import Picture

CONTRACTS = Path(__file__).parents[1] / "contracts"
ROLES = read_table(CONTRACTS / "authorization.toml")
ROWS = read_rows(CONTRACTS / "dispatch_objects.toml")
LIST = "GET /dispatch/tickets"
BOARD = "GET /dispatch/board"
INFORM = "POST /dispatch/tickets/{ticket_id}/inform"


@pytest_asyncio.fixture(scope="module")
async def world(postgres_url: str) -> AsyncIterator[World]:
    async with dispatching(postgres_url) as desk:
        with pytest.MonkeyPatch.context() as patch:  # else each photo takes a process
            developed = AsyncMock(return_value=Picture(PICTURE, PICTURE, 2, 2))
            patch.setattr("dispatch.evidence.pictures.Darkroom.develop", developed)
            yield await dispatch_world(desk)


def test_the_table_is_sorted() -> None:
    assert list(ROWS) == sorted(ROWS)


async def test_every_door_opens_for_whom_it_must_and_for_nobody_else(world: World) -> None:
    found = await faults(world, ROWS, ROLES)
    assert not found, "\n".join(found)


async def test_a_route_without_a_row_is_told_what_to_add(world: World) -> None:
    rows = {name: row for name, row in ROWS.items() if name not in (INFORM, BOARD)}
    board, inform = await faults(world, rows, ROLES, only=[LIST])
    assert board == f'{BOARD} has no row; add to the table of objects: "{BOARD}" = {{}}'
    assert inform.startswith(f'{INFORM} has no row; add to the table of objects: "{INFORM}" = {{ may = "<one')
    assert inform.endswith('json = { text = "…", base_version = "$version" } }')


async def test_a_row_without_a_route_or_of_an_unknown_kind_is_noticed(world: World) -> None:
    [row] = ROWS[INFORM]
    rows = ROWS | {"GET /dispatch/gone": [row], INFORM: [replace(row, of="moon", may="wish")]}
    gone, kind, rule = await faults(world, rows, ROLES, only=[LIST])
    assert gone == "GET /dispatch/gone has a row but no route: delete the row"
    assert kind.startswith(f"{INFORM}: there are no things of the kind moon; there are conflict, customer,")
    assert rule.startswith(f"{INFORM}: there is no rule wish; there are answer, approve,")


async def test_a_door_that_lets_in_whom_it_must_not_and_what_they_changed_are_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatch.access.may", lambda viewer, ticket, command: True)
    assert await faults(world, ROWS, ROLES, only=[INFORM]) == [
        f"{INFORM} as a colleague who guides it, own ticket: expected 403, observed let in",
        f"{INFORM}: somebody was refused, and changed event_log, history, ticket",
    ]


async def test_a_ticket_that_exists_for_whom_it_must_not_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatch.access.was_informed", AsyncMock(return_value=True))
    found = await faults(world, ROWS, ROLES, only=[INFORM])
    cell = f"{INFORM} as an engineer of another ticket, own ticket: expected 404, observed 403"
    assert cell in "\n".join(found)


async def test_a_list_that_tells_of_what_is_not_to_be_seen_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatch.tickets.routes.visible_to", lambda viewer: true())
    found = await faults(world, ROWS, ROLES, only=[LIST])
    assert f"{LIST} as a dispatcher of another region, none nothing: tells of" in "\n".join(found)
