"""What can never be handled is set aside, alone, once, with its bytes and the reason; the rest goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from shared.clock import clock, uuid7_floor
from shared.db import Tx
from shared.events import Event
from shared.inbox.decode import LARGEST_MESSAGE
from shared.inbox.parked import replay_dead_letters
from shared.outbox.emit import LARGEST, EventTooLarge
from toy.events import ThingMade
from toy.stage import Stage, encoded


def id_of_age(age: timedelta) -> str:
    """An identifier as it was made that long ago."""
    return str(UUID(int=uuid7_floor(clock.now() - age).int | 0x7 << 76 | 0b10 << 62 | 7))


async def letters(stage: Stage) -> dict[str, bytes]:
    """What lies in keeper's dead letters: body by reason."""
    rows = await stage.admin.fetch("SELECT reason, body FROM keeper.dead_letter")
    return {row["reason"]: row["body"] for row in rows}


def poison() -> list[bytes]:
    return [
        b"nonsense",
        b"{",
        b"42",
        b"null",
        b'{"a": 1}',
        b"[]",
        encoded(type="maker.thing_lost.v1"),
        encoded(type="maker.thing_made.v2"),
        encoded(id="0b1f1c3e-6a54-4f0e-9a51-2f0c7e6f3d11"),
        encoded(id="ffffffff-ffff-7fff-bfff-ffffffffffff"),
        encoded(id=None),
        encoded(data={"text": "amount is missing"}),
        encoded(subject="not\0storable"),
    ]


async def test_poison_of_every_kind_is_set_aside_and_the_rest_goes_on(stage: Stage) -> None:
    bodies = poison()
    for body in bodies:
        await stage.inject(body)
        await stage.inject(encoded())
    await stage.start()
    await stage.holds("keeper.effect", len(bodies))
    await stage.holds("keeper.dead_letter", len(bodies))
    assert await stage.count("keeper.parked") == 0
    assert await stage.admin.fetchval("SELECT count(DISTINCT error) FROM keeper.dead_letter") > 5
    assert (await letters(stage))["not JSON"] in {b"[nonsense]", b"[{]"}


async def test_a_bad_event_costs_its_99_neighbours_nothing(stage: Stage) -> None:
    bad = encoded(data={"amount": "many"}, note="kept as it came")
    message = [encoded(subject=f"thing {each % 9}") for each in range(99)]
    message.insert(40, bad)
    await stage.start()
    await stage.inject(*message)
    await stage.holds("keeper.dead_letter", 1)
    for _ in range(2):
        await stage.inject(*message)
    await stage.inject(encoded(subject="after all copies"))
    await stage.holds("keeper.effect", 100)
    [row] = await stage.admin.fetch("SELECT * FROM keeper.dead_letter")
    assert json.loads(row["body"]) == [json.loads(bad)]
    assert (row["reason"], row["error"]) == ("not a known event", "/data/amount: int_parsing")


async def test_a_message_above_the_limit_is_set_aside_unread(stage: Stage) -> None:
    large = encoded(note="x" * LARGEST_MESSAGE)
    await stage.inject(large)
    await stage.inject(encoded())
    await stage.start()
    await stage.holds("keeper.effect", 1)
    await stage.holds("keeper.dead_letter", 1)
    assert await letters(stage) == {"too large": b"[" + large + b"]"}


async def test_an_event_above_the_limit_is_refused_where_it_is_made(stage: Stage) -> None:
    with pytest.raises(EventTooLarge, match=str(LARGEST)):
        await stage.make([("large", 1, ThingMade(amount=1, text="x" * LARGEST))])
    await stage.make([("nearly", 1, ThingMade(amount=1, text="x" * (LARGEST - 1000)))])
    await stage.start()
    await stage.settled()
    assert await stage.count("keeper.effect") == 1


async def test_what_the_inbox_cannot_remember_reaches_no_handler(stage: Stage) -> None:
    handled: list[str] = []

    async def note(tx: Tx, events: Sequence[Event[ThingMade]]) -> None:
        handled.extend(event.subject for event in events)

    stage.first = note
    too_old = encoded(id=id_of_age(timedelta(days=121)), subject="too old")
    old = encoded(id=id_of_age(timedelta(days=119)), subject="old")
    soon = encoded(id=id_of_age(timedelta(hours=-23)), subject="soon")
    too_new = encoded(id=id_of_age(timedelta(hours=-25)), subject="too new")
    await stage.inject(too_old, old, soon, too_new)
    await stage.start()
    await stage.holds("keeper.dead_letter", 2)
    await stage.holds("keeper.effect", 2)
    assert sorted(handled) == ["old", "soon"]
    found = {reason: json.loads(body) for reason, body in (await letters(stage)).items()}
    assert found == {"too old": [json.loads(too_old)], "from the future": [json.loads(too_new)]}


async def test_fields_nobody_knows_yet_are_accepted(stage: Stage) -> None:
    await stage.inject(encoded(data={"amount": 3, "colour": "red"}, dataschema="later", extension={"a": [1]}))
    await stage.start()
    await stage.holds("keeper.effect", 1)
    assert await stage.count("keeper.dead_letter") == 0


async def test_an_id_spelled_otherwise_is_the_same_event(stage: Stage) -> None:
    event = json.loads(encoded())
    spelled = [event["id"], event["id"].upper(), event["id"].replace("-", ""), f"urn:uuid:{event['id']}"]
    for each in spelled:
        await stage.inject(json.dumps(event | {"id": each}).encode())
    bug = json.loads(encoded(subject="bug", data={"amount": 1, "fail": True}))
    await stage.inject(json.dumps(bug | {"id": bug["id"].upper()}).encode())
    await stage.inject(encoded(id=id_of_age(timedelta(days=200)).upper()))
    await stage.inject(encoded())
    await stage.start()
    await stage.holds("keeper.effect", 2)
    await stage.holds("keeper.dead_letter", 2)
    assert set(await letters(stage)) == {"too old", "failed too often"}


async def test_a_dead_letter_that_now_decodes_can_be_replayed_and_one_that_does_not_stays(
    stage: Stage,
) -> None:
    """As after the upgrade of a listener to an event's new version."""
    later = encoded(data={"amount": "5"})
    await stage.inject(encoded(data={"amount": "many"}), encoded(data={}))
    await stage.start()
    await stage.holds("keeper.dead_letter", 2)
    await stage.admin.execute(
        "UPDATE keeper.dead_letter SET body = $1 WHERE error LIKE '%int_parsing'", b"[" + later + b"]"
    )
    receiver = stage.process.residents[1].receiver
    ids = [row["id"] for row in await stage.admin.fetch("SELECT id FROM keeper.dead_letter")]
    assert await receiver.database.transact(lambda tx: replay_dead_letters(receiver, tx, ids)) == 1
    await stage.holds("keeper.effect", 1)
    await stage.holds("keeper.dead_letter", 1)
