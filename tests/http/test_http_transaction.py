"""An answer is true when it leaves: commit first, roll back what was raised, try again when asked to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import APIRouter, Depends

from shared.db import Database
from shared.http.auth import public
from shared.http.transaction import ServiceRoute, WriteTx

if TYPE_CHECKING:
    from doors import Toy


async def test_what_is_answered_is_stored_with_its_event(toy: Toy) -> None:
    async with toy.client() as client:
        answer = await client.post("/toy/things", json={"name": "pump"})
    assert answer.status_code == 201
    assert await toy.names() == ["pump"]
    assert await toy.count("event_log") == 1


async def test_nobody_sees_201_for_a_transaction_that_fails_at_its_commit(toy: Toy) -> None:
    async with toy.client() as client:
        answer = await client.post("/toy/late-failures")
    assert answer.status_code == 500
    assert await toy.count("late") == 0


async def test_the_answer_starts_only_after_the_commit(toy: Toy) -> None:
    """Whoever has the head of the answer finds the row: the old trap of `yield` dependencies."""
    seen: list[list[str]] = []

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def watching(message: Any) -> None:
            if message["type"] == "http.response.start":
                seen.append(await toy.names())
            await send(message)

        await toy.app(scope, receive, watching)

    transport = httpx.ASGITransport(watched)
    headers = {"Authorization": f"Bearer {toy.token()}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://toy.test", headers=headers) as client:
        await client.post("/toy/things", json={"name": "pump"})
    assert seen == [["pump"]]


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03"])
async def test_the_endpoint_runs_again_when_the_database_asks_for_it(toy: Toy, state: str) -> None:
    async with toy.client() as client:
        answer = await client.post(f"/toy/contended?times=3&state={state}", json={"name": "pump"})
    assert answer.status_code == 201
    assert len(toy.moments.attempts) == 4
    assert await toy.names() == ["pump"]
    assert await toy.count("event_log") == 1


async def test_after_five_attempts_the_caller_is_told_to_come_back(toy: Toy) -> None:
    async with toy.client() as client:
        answer = await client.post("/toy/contended?times=99", json={"name": "pump"})
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/busy")
    assert answer.headers["Retry-After"]
    assert len(toy.moments.attempts) == 5
    assert await toy.names() == []


async def test_other_database_errors_are_not_tried_again(toy: Toy) -> None:
    async with toy.client() as client:
        answer = await client.post("/toy/contended?times=99&state=22012", json={"name": "pump"})
    assert answer.status_code == 500
    assert len(toy.moments.attempts) == 1


@pytest.mark.parametrize(
    ("status", "raised", "kept"),
    [(200, False, True), (409, False, True), (409, True, False), (500, False, False), (503, True, False)],
)
async def test_what_is_raised_or_broken_rolls_back(toy: Toy, status: int, raised: bool, kept: bool) -> None:
    async with toy.client() as client:
        answer = await client.post(f"/toy/answers/{status}?raised={raised}")
    assert answer.status_code == status
    assert bool(await toy.names()) is kept


async def test_reading_cannot_write(toy: Toy) -> None:
    async with toy.client() as client:
        assert (await client.get("/toy/sneaky")).status_code == 500
        assert (await client.get("/toy/sneaky-event")).status_code == 500
    assert await toy.names() == []
    assert await toy.count("event_log") == 0


def test_a_get_route_that_would_write_is_refused_when_it_is_declared() -> None:
    router = APIRouter(route_class=ServiceRoute)
    with pytest.raises(TypeError, match="ReadTx"):

        @router.get("/things", dependencies=[Depends(public())])
        async def things(tx: WriteTx) -> None: ...


async def test_a_cancelled_request_leaves_no_connection_and_no_row(toy: Toy) -> None:
    async with toy.client() as client:
        for _ in range(12):  # more than the pool holds
            toy.moments.entered.clear()
            request = asyncio.create_task(client.post("/toy/slow-things", json={"name": "pump"}))
            await toy.moments.entered.wait()
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request
        assert toy.free_connections()
        assert await toy.names() == []
        toy.moments.gate.set()
        assert (await client.post("/toy/slow-things", json={"name": "pump"})).status_code == 201


async def test_a_database_that_is_away_is_503_with_a_time_to_come_back(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = Database("toy", "postgresql://toy:secret@127.0.0.1:1/nowhere")  # nobody listens there
    monkeypatch.setattr(toy.database, "engine", away.engine)
    async with toy.client() as client:
        for answer in (
            await client.post("/toy/things", json={"name": "pump"}),
            await client.get("/toy/things"),
        ):
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/outage")
            assert answer.headers["Retry-After"]
            assert "127.0.0.1" not in answer.text
    monkeypatch.undo()


async def test_a_connection_lost_in_the_middle_is_503_and_nothing_is_kept(toy: Toy) -> None:
    async with toy.client() as client:
        request = asyncio.create_task(client.post("/toy/slow-things", json={"name": "pump"}))
        await toy.moments.entered.wait()
        await toy.admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = 'toy' AND state = 'idle in transaction' AND datname = current_database()"
        )
        toy.moments.gate.set()
        assert (await request).status_code == 503
        assert await toy.names() == []
        assert (await client.post("/toy/things", json={"name": "pump"})).status_code in (201, 503)


async def test_callers_are_known_before_a_connection_or_a_body_is_taken(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = object()  # has no `connect`
    monkeypatch.setattr(toy.database, "engine", nothing)
    async with toy.client(signed_in=False) as client:
        answer = await client.post("/toy/things", content=b"{broken")
    assert answer.status_code == 401
    monkeypatch.undo()
