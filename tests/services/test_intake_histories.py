"""Histories of other systems at intake's door: passed on, on the bulk lane, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from copy import deepcopy
from typing import Any

import httpx
import pytest
import pytest_asyncio

from contracts.hearing import Hearing, hearing
from intake.app import service
from shared.events.intake import MOST_HAPPENINGS, history_subject

HAPPENED = {
    "kind": "dispatch.ticket_assigned",
    "at": "2026-03-02T09:00:00+08:00",
    "facts": {"severity": "urgent", "team": "Pumps"},
}
HISTORIES: dict[str, Any] = {"source": "old-desk", "tickets": [{"ticket": "A-1", "happenings": [HAPPENED]}]}


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


async def post(desk: Hearing, body: dict[str, Any], key: str | None = "k") -> httpx.Response:
    headers = {"idempotency-key": key} if key else {}
    return await desk.client("operations").post("/intake/histories", json=body, headers=headers)


async def test_a_history_is_told_on_the_bulk_lane_and_nothing_is_stored(desk: Hearing) -> None:
    answers = [await post(desk, HISTORIES) for _ in range(2)]
    assert [each.status_code for each in answers] == [202, 202]
    assert [each.json() for each in answers] == [{"tickets": 1}] * 2
    rows = await desk.admin.fetch("SELECT lane, subject FROM event_log")
    assert [tuple(row) for row in rows] == [("bulk", str(history_subject("old-desk", "A-1")))]
    [(name, _, data)] = await desk.told()
    assert name == "history_imported"
    assert data["happenings"][0]["facts"] == {"severity": "urgent", "team": "Pumps"}
    for table in ("request", "customer", "message"):
        assert await desk.admin.fetchval(f"SELECT count(*) FROM {table}") == 0


def changed(path: str, value: Any) -> dict[str, Any]:
    """`HISTORIES` with something else at `path`."""
    body = deepcopy(HISTORIES)
    place: Any = body
    *way, last = (int(step) if step.isdigit() else step for step in path.split("/"))
    for step in way:
        place = place[step]
    place[last] = value
    return body


FIRST = "tickets/0/happenings/0"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("source", "a b"),
        ("tickets", []),
        ("tickets", HISTORIES["tickets"] * 201),
        ("tickets/0/ticket", ""),
        ("tickets/0/ticket", "x" * 101),
        ("tickets/0/ticket", "a\nb"),
        ("tickets/0/happenings", []),
        ("tickets/0/happenings", [HAPPENED] * (MOST_HAPPENINGS + 1)),
        (f"{FIRST}/kind", "assigned"),
        (f"{FIRST}/at", "2026-03-02T09:00:00"),
        (f"{FIRST}/at", "0001-01-01T00:00:00+14:00"),
        (f"{FIRST}/at", "9999-12-31T23:59:59-14:00"),
        (f"{FIRST}/facts/severity", "dire"),
        (f"{FIRST}/facts/team", "x\u0007"),
        ("more", 1),
    ],
)
async def test_what_is_no_history_is_refused(desk: Hearing, path: str, value: Any) -> None:
    assert (await post(desk, changed(path, value), key="wrong")).status_code == 422


async def test_contact_data_finds_no_way_in(desk: Hearing) -> None:
    await post(desk, changed(f"{FIRST}/facts/phone", "+8613800000000"), key="contact")
    assert all("138000" not in str(data) for _, _, data in await desk.told())


async def test_a_batch_needs_a_key(desk: Hearing) -> None:
    assert (await post(desk, HISTORIES, key=None)).status_code == 400
