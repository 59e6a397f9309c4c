"""Replays on a real database: exact, apart from live work, and not lost in a kill."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from chaos.databases import empty
from contracts.clocking import (
    ARRIVED,
    HOUR,
    MINUTE,
    TEN,
    Desk,
    assigned,
)
from contracts.hearing import told_event
from contracts.replaying import live, looking_back, run, stricter, wish
from shared.clock import clock, uuid7
from shared.db import Tx
from shared.events.intake import (
    HistoryHappening,
    HistoryImported,
    history_subject,
)
from sla_monitor.replay import actions, store


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with looking_back(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(running: Desk) -> Desk:
    await running.clear()
    await empty(running.admin, "replay, replay_change, replay_clock, imported_history")
    return running


async def test_the_policy_in_force_gives_every_stored_clock_exactly(desk: Desk) -> None:
    await live(desk, range(120))
    done = await run(desk, wish())
    clocks = await desk.admin.fetchval("SELECT count(*) FROM clock WHERE reason IS DISTINCT FROM 'withdrawn'")
    assert clocks > 150
    assert (done.state, done.tally.replayed, done.tally.unreproduced) == ("done", 120, 0)
    assert done.tally.checked >= clocks
    assert (done.tally.changed, done.tally.flips.total()) == (0, 0)
    outcomes = await desk.admin.fetch("SELECT outcome, count(*) FROM clock GROUP BY 1")
    for outcome, count in outcomes:
        if outcome in ("met", "breached"):
            assert sum(n for key, n in done.tally.promises.items() if key[::2] == ("base", outcome)) == count


async def test_a_clock_that_is_stored_otherwise_is_noticed(desk: Desk) -> None:
    await live(desk, range(30))
    await desk.admin.execute(
        "UPDATE clock SET deadline = deadline + interval '1 microsecond' "
        "WHERE id = (SELECT id FROM clock WHERE outcome = 'met' ORDER BY id LIMIT 1)"
    )
    assert (await run(desk, wish())).tally.unreproduced == 1


async def test_another_policy_changes_what_it_promises_and_says_why(desk: Desk) -> None:
    ticket = uuid7()
    await desk.receive(desk.event(ticket, assigned(), TEN), desk.event(ticket, ARRIVED, TEN + 90 * MINUTE))
    done = await run(desk, wish(policy_version=None, policy=stricter()))
    assert done.tally.flips["on_site", "met", "breached"] == 1
    [change] = await desk.database.transact(lambda tx: store.list_changes(tx, done.id, None, 9))
    assert (change.subject_id, change.outcome_before, change.outcome_after) == (ticket, "met", "breached")
    assert [each["why"] for each in change.reasons] == ["allowance", "deadline", "outcome"]
    assert (done.tally.checked, done.tally.unreproduced) == (4, 0)


async def test_a_stretch_holds_the_histories_that_begin_in_it(desk: Desk) -> None:
    for hours in (-1, 0, 1):
        await desk.urgent(TEN + hours * HOUR)
    assert (await run(desk, wish(begins=TEN, ends=TEN + HOUR))).tally.replayed == 1


async def test_after_a_kill_the_next_step_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "STEP", 10)
    await live(desk, range(60))
    whole = await run(desk, wish(policy_version=None, policy=stricter()))
    asked = await desk.database.transact(
        lambda tx: actions.ask(tx, "tester", wish(policy_version=None, policy=stricter()))
    )

    class Killed(BaseException):
        pass

    async def killed(tx: Tx) -> None:
        await actions.step(tx, clock.now())
        raise Killed

    for number in range(1, 100):
        if number % 2:
            with pytest.raises(Killed):
                await desk.database.transact(killed)
        elif await desk.database.transact(lambda tx: actions.step(tx, clock.now())) is None:
            break
    done = await desk.database.transact(lambda tx: store.load(tx, asked.id))
    assert (done.state, done.tally) == ("done", whole.tally)
    counts = await desk.admin.fetch("SELECT replay_id, count(*) FROM replay_change GROUP BY 1")
    assert len({row["count"] for row in counts}) == 1


async def test_two_replicas_do_not_take_the_same_replay(desk: Desk) -> None:
    await desk.urgent()
    await desk.database.transact(lambda tx: actions.ask(tx, "tester", wish()))
    async with desk.database.transaction() as tx:
        assert await actions.step(tx, clock.now()) is not None
        assert await desk.database.transact(lambda other: actions.step(other, clock.now())) is None


async def test_a_history_that_cannot_be_folded_ends_its_replay_with_the_reason(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.urgent()

    def broken(*_: Any) -> None:
        raise ValueError("no such thing")

    monkeypatch.setattr("sla_monitor.replay.rules.Trial.compare", broken)
    done = await run(desk, wish())
    assert (done.state, done.failure) == ("failed", "ValueError: no such thing")


# Imported histories.


def history(ticket: str, *, arrives: timedelta = HOUR) -> HistoryImported:
    facts = {"severity": "urgent", "same_city": True, "team": "Pumps", "region": "North Sea"}
    told = [
        {"kind": "dispatch.ticket_assigned", "at": TEN.isoformat(), "facts": facts},
        {"kind": "dispatch.engineer_arrived", "at": (TEN + arrives).isoformat(), "facts": facts},
    ]
    return HistoryImported(
        source="old-desk", ticket=ticket, happenings=tuple(map(HistoryHappening.model_validate, told))
    )


def imported(ticket: str, **how: Any) -> bytes:
    return told_event(
        history(ticket, **how), subject=history_subject("old-desk", ticket), version=1, at=clock.now()
    )


async def counts(admin: asyncpg.Connection) -> list[int]:
    tables = ("history", "subject", "clock", "timer", "alert", "event_log", "outbox")
    return [await admin.fetchval(f"SELECT count(*) FROM {table}") for table in tables]


async def test_an_imported_history_starts_nothing_and_is_replayed(desk: Desk) -> None:
    await desk.receive(imported("A-1"), imported("A-2", arrives=3 * HOUR))
    assert await counts(desk.admin) == [0] * 7
    done = await run(desk, wish(source="old-desk"))
    assert (done.tally.promises["base", "on_site", "met"], done.tally.checked) == (1, 0)
    assert done.tally.teams["base", "Pumps", 12] == 1  # assigned at 10, due at 12
    assert done.tally.regions["tried", "North Sea", 12] == 1
    assert await counts(desk.admin) == [0] * 7


async def test_a_history_imported_again_is_one_and_the_last_import_holds(desk: Desk) -> None:
    first, second = imported("A-1", arrives=3 * HOUR), imported("A-1", arrives=HOUR)
    await desk.receive(second)
    await desk.receive(first)  # late
    rows = await desk.admin.fetch("SELECT last_at FROM imported_history")
    assert [row["last_at"] for row in rows] == [(TEN + HOUR).astimezone(UTC)]


async def test_an_imported_history_that_nobody_knows_is_named(desk: Desk) -> None:
    with pytest.raises(actions.SourceUnknown, match="known are none"):
        await run(desk, wish(source="old-desk"))
