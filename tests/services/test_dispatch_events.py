"""Dispatch on a real database: what the service desk and the parts desk tell becomes work."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from contracts.dispatching import (
    DUTY_LEAD_G,
    EXPERT_D,
    JUNIOR_A,
    JUNIOR_B,
    LEADER_E,
    SAMPLE,
    SENIOR_C,
    SUPERVISOR_F,
    Desk,
    dispatching,
    heard,
    reclassified,
    registered,
)
from dispatch.acceptance.actions import ask_customer, heed_silence
from dispatch.tickets import store
from shared.clock import clock, uuid7
from shared.db import Tx
from shared.errors import Outage
from shared.events.parts import PartsReserved, PartsShort
from shared.events.terms import PartLine, Site


@pytest_asyncio.fixture(scope="module")
async def served(postgres_url: str) -> AsyncIterator[Desk]:
    async with dispatching(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def empty(served: Desk) -> Desk:
    await served.clear()
    return served


@pytest_asyncio.fixture
async def desk(empty: Desk) -> AsyncIterator[Desk]:
    await empty.put(SAMPLE, 0)
    yield empty
    assert await empty.violations() == {}


async def test_a_general_request_goes_to_a_junior_of_the_centre(desk: Desk) -> None:
    request_id = await desk.ask("general")
    ticket = await desk.ticket(request_id)
    assert (ticket.state, ticket.owner_id, ticket.engineer_id) == ("assigned", JUNIOR_A, JUNIOR_A)
    told_of = await desk.told(ticket.id)
    assert [(name, sequence) for name, sequence, _ in told_of] == [
        ("ticket_opened", 1),
        ("ticket_assigned", 2),
    ]
    assert told_of[1][2]["same_city"] is True
    assert told_of[1][2]["reasons"][0]["rule"] == "general"


async def test_an_important_request_names_two_people(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("important"))
    assert (ticket.engineer_id, ticket.supervisor_id, ticket.tier) == (SENIOR_C, SUPERVISOR_F, "senior")


async def test_an_urgent_request_forms_the_group_and_informs_leadership(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("urgent"))
    assert (ticket.owner_id, ticket.engineer_id) == (LEADER_E, EXPERT_D)
    names = await desk.names(ticket.id)
    assert names == ["ticket_opened", "group_formed", "leadership_informed", "ticket_assigned"]
    assert ticket.version == 4


async def test_nobody_available_leaves_the_duty_lead_to_decide(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("important", skills=("juggling",)))
    assert (ticket.state, ticket.owner_id, ticket.engineer_id) == ("needs_decision", DUTY_LEAD_G, None)


async def test_a_region_nobody_listed_is_answered_for(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask(site=Site(region="unknown", city="unknown")))
    assert (ticket.state, ticket.engineer_id, ticket.same_city) == ("assigned", JUNIOR_A, False)


async def test_a_batch_takes_as_many_statements_as_one(desk: Desk) -> None:
    await desk.ask()  # from here on everybody is known until the next import
    with desk.statements() as alone:
        await desk.ask()
    mixed = ("general", "important", "urgent", "general") * 10
    messages = [heard(registered(severity), uuid7()) for severity in mixed]
    with desk.statements() as together:
        await desk.receive(*messages)
    assert len(together) == len(alone)
    loads = await desk.rows(
        "SELECT working FROM capacity WHERE person_id IN (:a, :b)", a=JUNIOR_A, b=JUNIOR_B
    )
    assert sorted(row.working for row in loads) == [11, 11]


async def test_a_request_has_one_ticket_ever(desk: Desk) -> None:
    request_id, payload = uuid7(), registered()
    first = heard(payload, request_id)
    await desk.receive(first, first)
    await desk.receive(first)
    await desk.receive(heard(payload, request_id))
    assert len(await desk.rows("SELECT 1 FROM ticket")) == 1


async def test_without_an_organisation_the_events_wait(empty: Desk) -> None:
    with pytest.raises(Outage):
        await empty.ask()
    assert not await empty.rows("SELECT 1 FROM inbox")


async def test_a_graver_judgement_regrades_and_forms_the_group_now(desk: Desk) -> None:
    request_id = await desk.ask("general")
    await desk.receive(heard(reclassified("urgent"), request_id, 2))
    ticket = await desk.ticket(request_id)
    assert (ticket.severity, ticket.owner_id, ticket.engineer_id) == ("urgent", LEADER_E, EXPERT_D)
    names = await desk.names(ticket.id)
    assert names[2:] == [
        "ticket_regraded", "group_formed", "leadership_informed", "owner_changed", "ticket_assigned",
    ]  # fmt: skip


async def test_a_corrected_place_is_decided_anew_where_nobody_has_begun(desk: Desk) -> None:
    """R54, R55: a place nobody knew is another city, until a person says that it is this one."""
    nowhere, here = Site(region="unknown", city="unknown"), Site(region="north", city="beijing")
    request_id = await desk.ask("urgent", site=nowhere)
    assert (await desk.ticket(request_id)).same_city is False
    await desk.receive(heard(reclassified("urgent", site=here), request_id, 2))
    ticket = await desk.ticket(request_id)
    assert (ticket.region, ticket.city, ticket.centre, ticket.same_city) == (
        "north", "beijing", "beijing", True,
    )  # fmt: skip
    told = {name: data for name, _, data in await desk.told(ticket.id)}
    assert told["ticket_regraded"]["site"]["city"] == "beijing"
    assert told["ticket_assigned"]["same_city"] is True


async def test_who_is_at_work_stays_when_the_place_is_corrected(desk: Desk) -> None:
    request_id = await desk.ask("general", site=Site(region="east", city="unknown"))
    await desk.rows("UPDATE ticket SET state = 'on_site' RETURNING id")
    there = Site(region="east", city="shanghai")
    await desk.receive(heard(reclassified("general", site=there), request_id, 2))
    ticket = await desk.ticket(request_id)
    assert (ticket.engineer_id, ticket.state, ticket.same_city) == (JUNIOR_A, "on_site", True)
    assert (await desk.told(ticket.id))[-1][2]["same_city"] is True
    await desk.receive(heard(reclassified("general", site=there), request_id, 3))
    assert (await desk.names(ticket.id)).count("ticket_regraded") == 1


async def test_who_is_at_work_stays_when_the_severity_changes(desk: Desk) -> None:
    request_id = await desk.ask("general")
    await desk.rows("UPDATE ticket SET state = 'on_site' RETURNING id")
    await desk.receive(heard(reclassified("important"), request_id, 2))
    ticket = await desk.ticket(request_id)
    assert (ticket.engineer_id, ticket.supervisor_id, ticket.state) == (JUNIOR_A, SUPERVISOR_F, "on_site")
    await desk.receive(heard(reclassified("urgent"), request_id, 3))
    ticket = await desk.ticket(request_id)
    assert (ticket.engineer_id, ticket.owner_id, ticket.supervisor_id) == (JUNIOR_A, LEADER_E, None)
    await desk.receive(heard(reclassified("general"), request_id, 4))
    ticket = await desk.ticket(request_id)
    assert (ticket.owner_id, ticket.group_ids) == (JUNIOR_A, [])


async def test_a_judgement_that_comes_before_its_request_is_kept(desk: Desk) -> None:
    request_id = uuid7()
    await desk.receive(heard(reclassified("important"), request_id, 3))
    await desk.receive(heard(reclassified("urgent"), request_id, 2))
    await desk.receive(heard(registered("general"), request_id, 1))
    ticket = await desk.ticket(request_id)
    assert (ticket.severity, ticket.request_version) == ("important", 3)
    assert not await desk.rows("SELECT 1 FROM early_event")


async def test_an_older_judgement_changes_nothing(desk: Desk) -> None:
    request_id = await desk.ask("general")
    await desk.receive(heard(reclassified("important"), request_id, 3))
    await desk.receive(heard(reclassified("urgent"), request_id, 2))
    assert (await desk.ticket(request_id)).severity == "important"


async def test_shuffled_doubled_and_by_two_replicas_it_ends_the_same(desk: Desk) -> None:
    chance = random.Random(20261120)
    final = {uuid7(): chance.choice(("general", "important", "urgent")) for _ in range(12)}
    messages = [
        message
        for request_id, severity in final.items()
        for message in (
            heard(registered("general"), request_id, 1),
            heard(reclassified("urgent"), request_id, 2),
            heard(reclassified("important"), request_id, 3),
            heard(reclassified(severity), request_id, 4),
        )
    ] * 2
    chance.shuffle(messages)
    batches = [messages[start : start + 7] for start in range(0, len(messages), 7)]
    replicas = [desk.replica(2), desk.replica(2)]

    async def deliver(place: int) -> None:
        for batch in batches[place::2]:
            await replicas[place].receive(batch, "live")

    await asyncio.gather(deliver(0), deliver(1))
    for replica in replicas:
        await replica.database.close()
    assert not await desk.rows("SELECT 1 FROM parked UNION ALL SELECT 1 FROM early_event")
    found = await desk.rows("SELECT request_id, severity, request_version FROM ticket")
    assert {row.request_id: row.severity for row in found} == final
    assert {row.request_version for row in found} == {4}


async def test_another_kind_alone_is_told_and_moves_nobody(desk: Desk) -> None:
    request_id = await desk.ask("general")
    before = await desk.ticket(request_id)
    await desk.receive(heard(reclassified("general", kind="maintenance"), request_id, 2))
    after = await desk.ticket(request_id)
    assert (after.kind, after.version) == ("maintenance", before.version + 1)
    assert (await desk.names(after.id))[2:] == ["ticket_amended"]


async def test_what_the_parts_desk_says_is_kept_in_any_order(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask())
    requisition = uuid7()
    line = PartLine(part_number="P-1", quantity=2)
    held = PartsReserved(
        ticket_id=ticket.id, warehouse="shanghai", lines=(line,), held_until=clock.now() + timedelta(days=3)
    )
    await desk.receive(heard(held, requisition, 2))
    await desk.receive(heard(PartsShort(ticket_id=ticket.id, missing=(line,)), requisition, 1))
    [row] = await desk.rows("SELECT state, lines FROM requisition")
    assert (row.state, row.lines) == ("reserved", [{"part_number": "P-1", "quantity": 2}])


async def test_who_leaves_owns_nothing_any_more(desk: Desk) -> None:
    general, urgent = await desk.ask("general"), await desk.ask("urgent")
    left = {JUNIOR_A, EXPERT_D}
    people = tuple(each for each in SAMPLE.people if each.id not in left)
    region = SAMPLE.regions[0].model_copy(update={"emergency_experts": (SENIOR_C,)})
    document = SAMPLE.model_copy(update={"people": people, "regions": (region, SAMPLE.regions[1])})
    await desk.put(document, 1)
    assert (await desk.ticket(general)).engineer_id == JUNIOR_B
    assert (await desk.ticket(urgent)).engineer_id == SENIOR_C
    assert len(await desk.rows("SELECT 1 FROM person WHERE NOT active")) == 2


async def test_who_stops_being_an_engineer_keeps_no_work(desk: Desk) -> None:
    request_id = await desk.ask("general")
    benched = {JUNIOR_A: {"roles": ("care",)}}
    people = tuple(each.model_copy(update=benched.get(each.id, {})) for each in SAMPLE.people)
    await desk.put(SAMPLE.model_copy(update={"people": people}), 1)
    assert (await desk.ticket(request_id)).engineer_id == JUNIOR_B


async def test_who_leaves_guides_nothing_any_more(desk: Desk) -> None:
    request_id = await desk.ask("important")
    region = SAMPLE.regions[0].model_copy(update={"supervisors": (DUTY_LEAD_G,)})
    people = tuple(each for each in SAMPLE.people if each.id != SUPERVISOR_F)
    teams = ()
    changed = {"people": people, "regions": (region, SAMPLE.regions[1]), "teams": teams}
    await desk.put(SAMPLE.model_copy(update=changed), 1)
    ticket = await desk.ticket(request_id)
    assert (ticket.engineer_id, ticket.supervisor_id) == (SENIOR_C, DUTY_LEAD_G)


async def test_silence_is_reminded_of_and_then_closed_as_unconfirmed(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask())
    await desk.rows("UPDATE ticket SET state = 'resolved' RETURNING id")
    await desk.rows("UPDATE capacity SET working = 0 RETURNING 1")

    async def ask(tx: Tx) -> None:
        found = await store.load_ticket(tx, ticket.id)
        assert found is not None
        await ask_customer(tx, found, "https://example.org")

    await desk.database.transact(ask)
    asked_at = clock.now()
    for day in (1, 2, 3, 4, 5, 6, 7, 8):
        later = asked_at + timedelta(days=day, minutes=1)

        async def tick(tx: Tx, later: Any = later) -> Any:
            tx.now = later
            return await heed_silence(tx, later, "https://example.org")

        due = await desk.database.transact(tick)
        assert due is None or due > later
    names = await desk.names(ticket.id)
    assert names[2:] == [
        *["customer_message_requested"] * 4, "result_unconfirmed", "ticket_closed",
    ]  # fmt: skip
    links = {data["link"] for name, _, data in await desk.told(ticket.id) if name.startswith("customer")}
    assert len(links) == 4
    assert (await desk.told(ticket.id))[-1][2]["reason"] == "unconfirmed"
