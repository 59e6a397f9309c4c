"""What engineers do on phones without a network: once each, never lost, conflicts said (R26, decision 22)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest_asyncio

from contracts.dispatching import (
    DUTY_LEAD_G,
    JUNIOR_A,
    JUNIOR_B,
    REPAIRED,
    SAMPLE,
    Desk,
    dispatching,
    post,
    times,
)
from contracts.hearing import told_event
from shared.clock import clock, uuid7
from shared.events.intake import CustomerErased


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with dispatching(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(running: Desk) -> AsyncIterator[Desk]:
    await running.clear()
    await running.put(SAMPLE, 0)
    yield running
    assert await running.violations() == {}


def deed(ticket_id: UUID, name: str, *, ago: float = 0, **more: Any) -> dict[str, Any]:
    """Something done `ago` minutes before it is sent."""
    done_at = clock.now() - timedelta(minutes=ago)
    sent = {"id": str(uuid7()), "ticket_id": str(ticket_id), "name": name, "done_at": done_at.isoformat()}
    return sent | more


async def bring(desk: Desk, who: UUID, *deeds: dict[str, Any], wrong: timedelta = timedelta()) -> list[Any]:
    """What the server says of each; the phone's clock is `wrong` by so much."""
    shifted = [
        each | {"done_at": (datetime.fromisoformat(each["done_at"]) + wrong).isoformat()} for each in deeds
    ]
    body = {"sent_at": (clock.now() + wrong).isoformat(), "commands": shifted}
    answer = await desk.acting(who, "engineer").post("/dispatch/app/commands", json=body)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["results"])


async def given(desk: Desk) -> Any:
    """A ticket that a junior engineer has; its row."""
    ticket = await desk.ticket(await desk.ask())
    assert ticket.state == "assigned"
    return ticket


def outcomes(results: list[Any]) -> list[str]:
    return [each["outcome"] for each in results]


def chain(ticket: Any, *names: str, ago: float = 0, **fields: Any) -> list[dict[str, Any]]:
    """One after the other, the first on the ticket as it is."""
    deeds: list[dict[str, Any]] = []
    for name in names:
        basis = {"after": deeds[-1]["id"]} if deeds else {"base_version": ticket.version}
        deeds.append(deed(ticket.id, name, ago=ago, **basis, fields=fields.get(name, {})))
    return deeds


async def test_a_whole_job_done_in_a_cellar_is_carried_out_in_order_when_the_phone_is_back(
    desk: Desk,
) -> None:
    ticket = await given(desk)
    done = chain(
        ticket,
        "accept",
        "depart",
        "arrive",
        "begin_work",
        "resolve",
        resolve={"work_note": "Bearing replaced", "items": [*REPAIRED]},
    )
    results = await bring(desk, ticket.engineer_id, *done)
    assert outcomes(results) == ["applied"] * 5
    now = await desk.ticket(ticket.request_id)
    assert (now.state, now.version) == ("resolved", results[-1]["version"])


async def test_the_same_batch_again_changes_nothing_and_gets_the_same_answer(desk: Desk) -> None:
    ticket = await given(desk)
    done = chain(
        ticket, "accept", "request_parts", request_parts={"lines": [{"part_number": "belt", "quantity": 2}]}
    )
    answers = await asyncio.gather(*(bring(desk, ticket.engineer_id, *done) for _ in range(5)))
    assert all(each == answers[0] for each in answers)
    assert [row.n for row in await desk.rows("SELECT count(*) AS n FROM requisition")] == [1]


async def test_one_id_for_two_things_is_refused_and_the_first_stays(desk: Desk) -> None:
    ticket = await given(desk)
    [first] = chain(ticket, "accept")
    other = first | {"name": "decline", "fields": {"reason": "no time"}}
    assert outcomes(await bring(desk, ticket.engineer_id, first, other)) == ["applied", "refused"]
    assert (await desk.ticket(ticket.request_id)).state == "accepted"


async def test_two_phones_that_do_the_same_are_no_conflict(desk: Desk) -> None:
    ticket = await given(desk)
    for expected in ("applied", "already"):
        results = await bring(desk, ticket.engineer_id, *chain(ticket, "accept", "depart"))
        assert outcomes(results) == [expected, expected]
    assert (await desk.ticket(ticket.request_id)).state == "travelling"


async def test_what_somebody_else_did_meanwhile_is_a_conflict_that_is_kept_until_it_is_seen(
    desk: Desk,
) -> None:
    ticket = await given(desk)
    lead = desk.acting(DUTY_LEAD_G, "dispatcher")
    other = JUNIOR_B if ticket.engineer_id == JUNIOR_A else JUNIOR_A
    await post(lead, ticket.id, "assign", ticket.version, person_id=str(other), reason="knows the site")
    deeds = chain(ticket, "accept", "depart")
    results = await bring(desk, ticket.engineer_id, *deeds)
    assert outcomes(results) == ["conflict", "conflict"]
    assert results[0]["problem"]["detail"]
    now = await desk.ticket(ticket.request_id)
    assert (now.state, now.engineer_id) == ("assigned", other)

    browser = await desk.browser(ticket.engineer_id, "engineer")
    page = (await browser.get("/dispatch/app")).text
    assert page.count("data-conflict=") == 2
    gone = await desk.acting(ticket.engineer_id, "engineer").post(f"/dispatch/app/settled/{deeds[0]['id']}")
    assert gone.status_code == 303
    assert (await browser.get("/dispatch/app")).text.count("data-conflict=") == 1
    again = await desk.acting(ticket.engineer_id, "engineer").post(f"/dispatch/app/settled/{deeds[0]['id']}")
    assert again.status_code == 404


async def test_what_only_adds_is_done_whatever_happened_meanwhile(desk: Desk) -> None:
    ticket = await given(desk)
    worker = desk.acting(ticket.engineer_id, "engineer")
    accepted = await post(worker, ticket.id, "accept", ticket.version)
    await post(worker, ticket.id, "visits", accepted["version"], **times())
    late = deed(
        ticket.id,
        "request_parts",
        base_version=accepted["version"],
        fields={"lines": [{"part_number": "belt", "quantity": 1}]},
    )
    assert outcomes(await bring(desk, ticket.engineer_id, late)) == ["applied"]


async def test_an_addition_on_another_phone_does_not_stand_in_the_way_of_a_step(desk: Desk) -> None:
    ticket = await given(desk)
    worker = desk.acting(ticket.engineer_id, "engineer")
    accepted = await post(worker, ticket.id, "accept", ticket.version)
    await post(
        worker, ticket.id, "parts", accepted["version"], lines=[{"part_number": "belt", "quantity": 1}]
    )
    late = deed(ticket.id, "depart", base_version=accepted["version"])
    assert outcomes(await bring(desk, ticket.engineer_id, late)) == ["applied"]


async def test_arrival_counts_when_it_was_by_our_clock_however_wrong_the_phones_is(desk: Desk) -> None:
    """The evidence keeps both: the phone's own time, and ours by how long before it was sent that was."""
    ticket = await given(desk)
    worker = desk.acting(ticket.engineer_id, "engineer")
    accepted = await post(worker, ticket.id, "accept", ticket.version)
    await post(worker, ticket.id, "depart", accepted["version"])
    await desk.admin.execute("UPDATE dispatch.history SET at = at - interval '1 hour'")
    seen = accepted["version"] + 1
    late = deed(ticket.id, "arrive", ago=20, base_version=seen)
    before = clock.now()
    await bring(desk, ticket.engineer_id, late, wrong=timedelta(hours=5))
    [row] = await desk.rows("SELECT at FROM history WHERE what = 'engineer_arrived'")
    assert timedelta(minutes=19) < before - row.at <= timedelta(minutes=20)


async def test_nothing_is_dated_before_the_step_it_followed(desk: Desk) -> None:
    ticket = await given(desk)
    await bring(desk, ticket.engineer_id, *chain(ticket, "accept", "depart", ago=600))
    lines = await desk.rows("SELECT at FROM history WHERE ticket_id = :id ORDER BY version", id=ticket.id)
    moments = [each.at for each in lines]
    assert moments == sorted(moments)


async def test_what_cannot_be_understood_is_refused_alone_and_kept(desk: Desk) -> None:
    ticket = await given(desk)
    bad = deed(ticket.id, "resolve", base_version=ticket.version, fields={"work_note": ""})
    results = await bring(desk, ticket.engineer_id, bad, *chain(ticket, "accept"))
    assert outcomes(results) == ["refused", "applied"]
    assert results[0]["problem"]["errors"][0]["pointer"] == "/work_note"
    assert [
        row.outcome for row in await desk.rows("SELECT outcome FROM phone_command WHERE outcome = 'refused'")
    ]


async def test_nobody_acts_on_a_strangers_ticket_by_sending_it_late(desk: Desk) -> None:
    ticket = await given(desk)
    other = JUNIOR_B if ticket.engineer_id == JUNIOR_A else JUNIOR_A
    assert outcomes(await bring(desk, other, *chain(ticket, "accept"))) == ["conflict"]
    assert (await desk.ticket(ticket.request_id)).state == "assigned"


async def test_a_batch_without_form_or_name_is_refused_as_a_whole(desk: Desk) -> None:
    body = {
        "sent_at": clock.now().isoformat(),
        "commands": [{"id": str(uuid7()), "ticket_id": str(uuid7()), "done_at": clock.now().isoformat()}],
    }
    answer = await desk.acting(JUNIOR_A, "engineer").post("/dispatch/app/commands", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"]


async def test_erasing_a_customer_takes_the_words_of_what_was_sent_about_them(desk: Desk) -> None:
    ticket = await given(desk)
    note = {"work_note": "Mrs Example was not at home"}
    await bring(desk, ticket.engineer_id, *chain(ticket, "accept", "resolve", resolve=note))
    await desk.receive(told_event(CustomerErased(requests=1), subject=ticket.customer_id, version=2))
    assert not [row for row in await desk.rows("SELECT sent FROM phone_command") if row.sent]
