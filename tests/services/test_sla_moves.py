"""What runs goes on by its policy version unless it is moved; what nothing is promised to is told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.clocking import ARRIVED, HOUR, MINUTE, TEN, Desk, assigned, clocking, opened
from contracts.promising import AUTHOR, Body, api, begin_anew, faster, promise, shipped, version_two
from shared.clock import uuid7
from shared.db import Tx
from shared.events.dispatch import TicketRegraded
from shared.events.intake import RequestRegistered
from sla_monitor.moves.actions import go_on
from sla_monitor.moves.store import claim_moving
from sla_monitor.policies.store import list_uncovered


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with clocking(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(running: Desk) -> Desk:
    """The desk with nothing on it, and the shipped policy alone."""
    await begin_anew(running)
    return running


# What runs goes on by its version, unless it is moved.


async def moved(desk: Desk) -> None:
    while await desk.database.transact(lambda tx: go_on(tx, tx.now)) is not None:
        pass


async def test_what_has_begun_keeps_its_version_and_what_begins_takes_the_new_one(desk: Desk) -> None:
    old = await desk.urgent(TEN - MINUTE)
    await version_two(desk, faster())
    new = await desk.urgent(TEN + MINUTE)
    late = uuid7()
    await desk.happen(late, assigned(), TEN - MINUTE)  # a late message finds the version of its time
    await desk.happen(
        old, TicketRegraded(severity="urgent", previous_severity="urgent", by=UUID(int=2), reason="-"), TEN
    )
    versions = [(await desk.clock(each))["policy_version"] for each in (old, new, late)]
    deadlines = [(await desk.clock(each))["deadline"] for each in (old, new, late)]
    assert versions == [1, 2, 1]
    assert deadlines == [TEN - MINUTE + 2 * HOUR, TEN + MINUTE + HOUR, TEN - MINUTE + 2 * HOUR]


async def test_a_move_is_seen_before_it_is_made(desk: Desk) -> None:
    running, kept = await desk.urgent(TEN - MINUTE), await desk.urgent(TEN - MINUTE)
    await desk.happen(kept, ARRIVED, TEN + 80 * MINUTE)  # within two hours, not within one
    await version_two(desk, faster())
    answer = await api(desk).post("/sla/policies/2/migration/preview", json={"criteria": {}})
    seen = answer.json()
    assert (seen["total"], seen["examined"], seen["flipped"], seen["next"]) == (2, 2, 1, None)
    by_subject = {each["about"]: each["differences"] for each in seen["subjects"]}
    (change,) = [each for each in by_subject[str(kept)] if each["promise"] == "on_site"]
    assert (change["before"]["outcome"], change["after"]["outcome"], change["flips"]) == (
        "met",
        "breached",
        True,
    )
    assert str(running) in by_subject
    assert (await desk.clock(kept))["policy_version"] == 1  # nothing has changed yet


async def test_a_move_changes_what_fits_and_says_so_by_events(desk: Desk) -> None:
    ticket, kept = await desk.urgent(TEN - MINUTE), await desk.urgent(TEN - MINUTE)
    await desk.happen(kept, ARRIVED, TEN + 80 * MINUTE)
    await version_two(desk, faster())
    headers = {"idempotency-key": "move"}
    begun = await api(desk).post("/sla/policies/2/migration", json={}, headers=headers)
    assert (begun.status_code, begun.json()["total"], begun.json()["ended_at"]) == (202, 2, None)
    await moved(desk)
    (shown,) = (await api(desk, "dispatcher").get("/sla/policies/2/migration")).json()
    assert (shown["moved"], shown["flipped"], shown["began_by"]) == (2, 1, AUTHOR)
    assert shown["ended_at"] is not None
    clock_now = await desk.clock(ticket)
    assert (clock_now["policy_version"], clock_now["deadline"]) == (2, TEN - MINUTE + HOUR)
    assert await desk.words(ticket) == ["started", "amended"]
    assert await desk.words(kept) == ["started", "met", "amended"]
    await desk.happen(ticket, ARRIVED, TEN + 30 * MINUTE)  # what comes later obeys the new version, too
    assert (await desk.clock(ticket))["policy_version"] == 2
    page = await (await desk.served.signed_in("operations")).get(f"/sla/subjects/{ticket}")
    assert AUTHOR in page.text


async def test_a_move_that_was_cut_off_goes_on_where_it_was(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sla_monitor.moves.actions.BATCH", 2)
    tickets = [await desk.urgent(TEN - MINUTE) for _ in range(5)]
    await version_two(desk, faster())
    await api(desk).post("/sla/policies/2/migration", json={}, headers={"idempotency-key": "m"})

    async def dies(tx: Tx) -> None:
        await go_on(tx, tx.now)
        raise KeyboardInterrupt

    await desk.database.transact(lambda tx: go_on(tx, tx.now))
    with pytest.raises(KeyboardInterrupt):
        await desk.database.transact(dies)
    half = (await api(desk).get("/sla/policies/2/migration")).json()[0]
    assert (half["moved"], half["ended_at"]) == (2, None)
    await moved(desk)
    whole = (await api(desk).get("/sla/policies/2/migration")).json()[0]
    assert whole["moved"] == 5
    assert {(await desk.clock(each))["policy_version"] for each in tickets} == {2}
    for each in tickets:
        assert await desk.words(each) == ["started", "amended"]  # once


async def test_two_moves_go_one_after_the_other_whoever_is_at_it(desk: Desk) -> None:
    await desk.urgent(TEN - MINUTE)
    await version_two(desk, faster())
    for each in ("first", "second"):
        await api(desk).post("/sla/policies/2/migration", json={}, headers={"idempotency-key": each})

    async def at_it(tx: Tx) -> None:
        held = await claim_moving(tx)
        assert held is not None
        assert await desk.database.transact(claim_moving) is None  # the second one waits for the first

    await desk.database.transact(at_it)


async def test_only_what_fits_is_moved(desk: Desk) -> None:
    urgent, general = await desk.urgent(TEN - MINUTE), uuid7()
    await desk.happen(general, opened("general"), TEN - MINUTE)
    await version_two(desk, faster())
    ask = {"criteria": {"severities": ["urgent"], "regions": ["east"], "promises": ["on_site"]}}
    await api(desk).post("/sla/policies/2/migration", json=ask, headers={"idempotency-key": "f"})
    await moved(desk)
    assert (await desk.clock(urgent))["policy_version"] == 2
    assert (await desk.clock(general, "resolution"))["policy_version"] == 1
    nowhere = {"criteria": {"regions": ["west"]}}
    seen = (await api(desk).post("/sla/policies/2/migration/preview", json=nowhere)).json()
    assert (seen["total"], seen["subjects"]) == (0, [])


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/sla/policies/9/migration/preview", {}, 404),
        ("/sla/policies/9/migration", {}, 404),
        ("/sla/policies/x/migration", {}, 422),
        ("/sla/policies/1/migration/preview", {"limit": 0}, 422),
        ("/sla/policies/1/migration/preview", {"after": "first"}, 422),
        ("/sla/policies/1/migration", {"criteria": {"severities": ["critical"]}}, 422),
        ("/sla/policies/1/migration", {"everything": True}, 422),
    ],
)
async def test_a_move_of_nonsense_is_refused(desk: Desk, path: str, body: Body, status: int) -> None:
    answer = await api(desk).post(path, json=body, headers={"idempotency-key": "n"})
    assert answer.status_code == status


# What nothing is promised to.


def written(channel: Any) -> RequestRegistered:
    return RequestRegistered(
        channel=channel, customer_id=UUID(int=8), kind="enquiry", severity="general",
        site={"region": "east", "city": "shanghai"}, title="A question",
    )  # fmt: skip


async def told(desk: Desk) -> list[Body]:
    rows = await desk.admin.fetch(
        "SELECT subject, body FROM event_log WHERE type = 'sla.ticket_uncovered.v1' ORDER BY id"
    )
    return [json.loads(row["body"])["data"] for row in rows]


async def test_what_nothing_is_promised_to_is_told_once_and_listed(desk: Desk) -> None:
    body = shipped()
    promise(body, "first_reply")["cases"] = promise(body, "first_reply")["cases"][:1]  # no web form any more
    await version_two(desk, body)
    mail, form, call = uuid7(), uuid7(), uuid7()
    await desk.happen(mail, written("email"), TEN + MINUTE)
    await desk.happen(call, written("phone"), TEN + MINUTE)
    for minute in (1, 2):
        await desk.happen(form, written("web_form"), TEN + minute * MINUTE)
    (event,) = await told(desk)
    assert (event["about"], event["about_kind"], event["policy_version"]) == (str(form), "request", 2)

    async def listed(tx: Tx) -> list[tuple[UUID, int]]:
        return [(each.subject_id, each.revision) for each in await list_uncovered(tx)]

    assert await desk.database.transact(listed) == [(form, 0)]
    page = await (await desk.served.signed_in("operations")).get("/sla/policies")
    assert "A question" in page.text


async def test_what_is_covered_again_and_not_once_more_is_told_anew(desk: Desk) -> None:
    body = shipped()
    for each in body["promises"]:
        each["enabled"] = each["code"] in (
            "visit_agreed",
            "appointment_kept",
            "first_reply",
        )  # general ones only
    await version_two(desk, body)
    ticket = uuid7()
    await desk.happen(ticket, opened("urgent"), TEN + MINUTE)
    for severity, before in (("general", "urgent"), ("urgent", "general")):
        regraded = TicketRegraded(severity=severity, previous_severity=before, by=UUID(int=2), reason="-")
        await desk.happen(ticket, regraded, TEN + 2 * MINUTE)
    assert [(each["severity"], each["revision"]) for each in await told(desk)] == [
        ("urgent", 0),
        ("urgent", 1),
    ]
