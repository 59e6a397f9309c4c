"""The board that looks at a history: what a replay found, nothing to act on, for who sees the whole house."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from chaos.databases import empty
from contracts.clocking import HOUR, MINUTE, TEN, Desk
from contracts.hearing import told_event
from contracts.replaying import live, looking_back, run, stricter, wish
from shared.clock import clock
from shared.events.intake import HistoryHappening, HistoryImported, history_subject
from shared.http.auth import Principal, Role, mint
from sla_monitor.clocks.view import Filters, View
from sla_monitor.replay import actions, outcomes, store
from sla_monitor.replay.store import Replay
from sla_monitor.replay.tally import Tally

SOURCE = "old-desk"
FAIR = "100 % Pumps & Sons"


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with looking_back(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(running: Desk) -> Desk:
    await running.clear()
    await empty(running.admin, "replay, replay_change, replay_clock, imported_history")
    return running


def history(
    ticket: str, arrives: timedelta | None, team: str = FAIR, begins: timedelta = 0 * HOUR, **facts: Any
) -> bytes:
    """An urgent ticket of the same city: two hours to be there, which is two hours after ten."""
    told = {"severity": "urgent", "same_city": True, "team": team, "region": "North Sea", "channel": "email"}
    events = [{"kind": "dispatch.ticket_assigned", "at": TEN + begins, "facts": told | facts}]
    if arrives is not None:
        events.append({"kind": "dispatch.engineer_arrived", "at": TEN + arrives, "facts": told | facts})
    payload = HistoryImported(
        source=SOURCE, ticket=ticket, happenings=tuple(map(HistoryHappening.model_validate, events))
    )
    return told_event(payload, subject=history_subject(SOURCE, ticket), version=1, at=clock.now())


async def imported(desk: Desk) -> Replay:
    """One kept, one 70 minutes late, one never kept until the last event, two hours after its deadline."""
    await desk.receive(
        history("A-kept", HOUR),
        history("B-late", 2 * HOUR + 70 * MINUTE),
        history("C-never", None, team="Cooling", channel="phone"),
        history("D-last", 4 * HOUR, team="Cooling", begins=3 * HOUR, severity="important"),
    )
    return await run(desk, wish(source=SOURCE))


async def counted(desk: Desk, replay: Replay, **filters: Any) -> Tally:
    view = View.of(None, Filters.model_construct(**filters))
    return await desk.database.transact(lambda tx: outcomes.count(tx, replay.id, view))


def side(tally: Tally) -> list[dict[tuple[Any, ...], int]]:
    """What a replay found on the side that was tried."""
    parts = (tally.promises, tally.subjects, tally.hours, tally.teams, tally.regions)
    return [{key: n for key, n in part.items() if key[0] == "tried" and n} for part in parts]


async def test_the_clocks_that_are_kept_give_the_figures_of_the_report(desk: Desk) -> None:
    """R110: per ticket and per clock, counted from rows as the fold counted them."""
    await live(desk, range(90))
    done = await run(desk, wish(policy_version=None, policy=stricter()))
    found = await counted(desk, done)
    assert side(found) == side(done.tally)
    assert found.whole("tried").breached > 3
    assert found.whole("tried").met > 3


async def test_a_filter_leaves_its_part_and_the_parts_add_up(desk: Desk) -> None:
    done = await imported(desk)
    parts = [await counted(desk, done, team=(team,)) for team in (FAIR, "Cooling")]
    whole = [part.of("tried", "on_site") for part in parts]
    assert [(each.met, each.breached) for each in whole] == [(1, 1), (1, 1)]
    both = Tally()
    for part in parts:
        both.merge(part)
    assert side(both) == side(done.tally)
    phone = await counted(desk, done, channel=("phone",), severity=("urgent",), promise=("on_site",))
    assert (phone.whole("tried").breached, phone.replayed) == (1, 1)
    assert phone.hours == {("tried", "on_site", 12): 1}  # assigned at ten, due at twelve


async def test_the_worst_misses_stand_first_and_what_was_never_kept_is_late_by_the_end(desk: Desk) -> None:
    done = await imported(desk)
    view = View.of(None, Filters(promise=("on_site",)))
    worst = await desk.database.transact(lambda tx: outcomes.load_worst(tx, done.id, view, 9))
    assert [(each.name, each.late) for each in worst] == [
        ("C-never", 2 * HOUR),  # the history ends at two o'clock
        ("B-late", 70 * MINUTE),
    ]
    assert worst[0].stopped_at is None


async def test_a_replay_of_which_a_part_is_not_known_is_not_shown(desk: Desk) -> None:
    """An older version of the service, which may run beside this one, keeps no clocks of its steps."""
    await desk.receive(history("A-1", HOUR))
    asked = await desk.database.transact(lambda tx: actions.ask(tx, "tester", wish(source=SOURCE)))
    await desk.database.transact(lambda tx: actions.step(tx, clock.now()))
    await desk.admin.execute("DELETE FROM replay_clock WHERE promise = 'on_site'")
    await desk.database.transact(lambda tx: actions.step(tx, clock.now()))
    assert (await desk.database.transact(lambda tx: store.load(tx, asked.id))).state == "done"
    assert await desk.database.transact(outcomes.list_kept) == ()
    assert await desk.admin.fetchval("SELECT count(*) FROM replay_clock") == 0
    answer = await api(desk).get(f"/sla/board/replays/{asked.id}")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-kept")


async def test_only_the_last_replays_keep_their_clocks(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "KEPT", 2)
    done = [await imported(desk) for _ in range(3)]
    kept = await desk.database.transact(outcomes.list_kept)
    assert [each.id for each in kept] == [done[2].id, done[1].id]
    rows = await desk.admin.fetch("SELECT DISTINCT replay_id FROM replay_clock")
    assert {row["replay_id"] for row in rows} == {done[1].id, done[2].id}
    report = await api(desk).get(f"/sla/replays/{done[0].id}/report")
    assert report.status_code == 200  # its figures stay
    assert f"/sla/board/replays/{done[0].id}" not in report.text


async def test_a_replay_that_fails_keeps_no_clocks(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "STEP", 1)
    await desk.receive(history("A-1", HOUR), history("A-2", HOUR))
    asked = await desk.database.transact(lambda tx: actions.ask(tx, "tester", wish(source=SOURCE)))
    await desk.database.transact(lambda tx: actions.step(tx, clock.now()))
    assert await desk.admin.fetchval("SELECT count(*) FROM replay_clock") > 0

    def broken(*_: Any) -> None:
        raise ValueError("no such thing")

    monkeypatch.setattr("sla_monitor.replay.rules.Trial.compare", broken)
    await desk.database.transact(lambda tx: actions.step(tx, clock.now()))
    assert (await desk.database.transact(lambda tx: store.load(tx, asked.id))).state == "failed"
    assert await desk.admin.fetchval("SELECT count(*) FROM replay_clock") == 0


# The pages.


def api(desk: Desk, role: Role = "operations", regions: frozenset[str] | None = None) -> httpx.AsyncClient:
    token = mint(Principal("planner", frozenset({role}), regions=regions), desk.served.settings, HOUR)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(desk.served.app),
        base_url=desk.served.settings.public_url,
        headers={"authorization": f"Bearer {token}"},
    )


SCRIPTS = ("/alarm.", "/board.", "/desk.", "/wall.")
LIVE = ("data-feed", "data-live-state", "/sla/alerts/", "data-may-acknowledge", 'class="quiet sound"')


async def test_the_board_of_a_history_says_so_and_has_nothing_live(desk: Desk) -> None:
    done = await imported(desk)
    shown = (await api(desk).get(f"/sla/board/replays/{done.id}")).text
    assert "History, not live" in shown
    assert [each for each in LIVE if each in shown.split("<main")[1]] == []
    assert _scripts(shown) == []
    assert "Missed by hour of the day" in shown
    assert shown.index("B-late") < shown.index("C-never")  # by how late they are, whichever promise it is
    assert "100 % Pumps &amp; Sons" in shown
    wall = (await api(desk).get(f"/sla/board/replays/{done.id}?wall=1&promise=on_site")).text
    assert "History, not live" in wall
    assert "/sla/static/wall." in wall  # its looks; no script, which would look for the present
    assert _scripts(wall) == []
    assert len(_scripts((await api(desk).get("/sla/board")).text)) == 3


def _scripts(page: str) -> list[str]:
    """What makes the board live."""
    return [each for each in SCRIPTS if f'src="/sla/static{each}' in page]


async def test_filters_stand_in_the_address_of_a_history(desk: Desk) -> None:
    done = await imported(desk)
    where = f"/sla/board/replays/{done.id}"
    shown = (await api(desk).get(where, params={"team": FAIR})).text
    assert "B-late" in shown
    assert "C-never" not in shown
    assert f'action="{where}"' in shown
    assert (await api(desk).get(where, params={"mood": "x"})).status_code == 422
    assert (await api(desk).get(where, params={"severity": "x"})).status_code == 422


async def test_each_miss_is_explained_line_by_line(desk: Desk) -> None:
    done = await imported(desk)
    subject = history_subject(SOURCE, "B-late")
    where = f"/sla/replays/{done.id}/subjects/{subject}"
    assert f'href="{where}"' in (await api(desk).get(f"/sla/board/replays/{done.id}")).text
    told = (await api(desk).get(where)).text
    assert "History, not live" in told
    assert "<h1>B-late</h1>" in told
    assert "2026-11-20 12:00:00" in told  # the deadline
    assert "+ 1:10:00" in told
    other = history_subject("another-desk", "B-late")
    answer = await api(desk).get(f"/sla/replays/{done.id}/subjects/{other}")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/subject-unknown")


async def test_our_own_past_is_explained_by_what_was_tried_and_leads_to_the_dossier(desk: Desk) -> None:
    ticket = await desk.urgent()
    done = await run(desk, wish(policy_version=None, policy=stricter(30)))
    told = (await api(desk).get(f"/sla/replays/{done.id}/subjects/{ticket}")).text
    assert "2026-11-20 10:30:00" in told
    assert f'href="/sla/subjects/{ticket}"' in told


async def test_a_source_is_judged_from_the_board_and_then_shown(desk: Desk) -> None:
    await desk.receive(history("A-kept", HOUR), history("B-late", 3 * HOUR))
    client = await desk.served.signed_in("operations")
    where = f"/sla/board/sources/{SOURCE}"
    offer = (await client.get(where)).text
    assert "has not been judged yet by policy version 1" in offer

    def value(name: str) -> str:
        return offer.split(f'name="{name}" value="')[1].split('"')[0]

    form = {name: value(name) for name in ("csrf", "policy", "source", "begins", "ends")}
    sent = await client.post("/sla/replays/new", data=form, headers={"sec-fetch-site": "same-origin"})
    watched = sent.headers["location"]
    assert (await client.get(where)).headers["location"] == watched  # it is being judged
    while await desk.database.transact(lambda tx: actions.step(tx, clock.now())) is not None:
        pass
    board = (await client.get(where)).headers["location"]
    assert board == watched.replace("replays", "board/replays").removesuffix("/report")
    assert f'href="{board}"' in (await client.get(watched)).text
    assert "B-late" in (await client.get(board)).text
    await desk.receive(history("C-new", HOUR))
    assert "has not been judged yet" in (await client.get(where)).text  # not all of it


async def test_a_source_that_nobody_imported_is_named_with_those_there_are(desk: Desk) -> None:
    await desk.receive(history("A-1", HOUR))
    answer = await api(desk).get("/sla/board/sources/nowhere")
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/source-unknown")
    assert "known are old-desk" in answer.json()["detail"]


async def test_the_board_offers_histories_to_those_who_may_replay_them(desk: Desk) -> None:
    done = await imported(desk)
    ways = (f"/sla/board/replays/{done.id}", f"/sla/board/sources/{SOURCE}")
    offered = (await api(desk).get("/sla/board")).text
    assert [each for each in ways if each in offered] == [*ways]
    replays = (await api(desk).get("/sla/replays")).text
    assert [each for each in ways if each in replays] == [*ways]
    dispatcher, limited = api(desk, "dispatcher"), api(desk, regions=frozenset({"east"}))
    for client in (dispatcher, limited):
        board = await client.get("/sla/board")
        assert board.status_code == 200
        assert not [each for each in ways if each in board.text]
        for way in (*ways, f"/sla/replays/{done.id}/subjects/{history_subject(SOURCE, 'B-late')}"):
            assert (await client.get(way)).status_code == 403


async def test_a_history_on_the_board_leaves_today_alone(desk: Desk) -> None:
    done = await imported(desk)
    await api(desk).get(f"/sla/board/replays/{done.id}")
    today = (await api(desk).get("/sla/attainment")).json()
    assert today["response"]["met"] == today["response"]["breached"] == 0
    for table in ("clock", "timer", "alert", "outbox"):
        assert await desk.admin.fetchval(f"SELECT count(*) FROM {table}") == 0, table
