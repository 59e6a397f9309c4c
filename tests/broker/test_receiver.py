"""What a receiver does with one hand-over, whichever bus brought it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import event as hooks

from shared.db import Database, Tx
from shared.events import Event
from shared.inbox import Receiver, on
from toy.events import ThingIgnored, ThingMade
from toy.services import keeper
from toy.stage import Stage, encoded

pytestmark = pytest.mark.parametrize("bus", ["memory"], indirect=True)  # there is none in between


def statements_of(database: Database) -> list[str]:
    """Fills with what is executed on the database's connections."""
    seen: list[str] = []

    @hooks.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    return seen


def batch(length: int) -> bytes:
    return b"[" + b",".join(encoded(subject=f"thing {each % 50}") for each in range(length)) + b"]"


async def test_the_number_of_statements_does_not_depend_on_the_number_of_events(stage: Stage) -> None:
    database = stage.database("keeper")
    receiver = Receiver(database, keeper.consumers)
    seen = statements_of(database)
    counts = []
    for length in (1, 10, 500):
        seen.clear()
        await receiver.receive([batch(length)], "live")
        counts.append(len(seen))
    await database.close()
    assert counts == [6, 6, 6]  # inbox, locks, read totals, write totals, write effects, write the log


async def test_a_handler_of_several_types_is_called_once_with_all_of_them(stage: Stage) -> None:
    taken: list[list[str]] = []

    async def note(tx: Tx, events: Sequence[Event[Any]]) -> None:
        taken.append([event.type for event in events])

    async def note_apart(tx: Tx, events: Sequence[Event[Any]]) -> None:
        taken.append(["apart"])

    database = stage.database("keeper")
    consumers = (on(ThingMade, note), on(ThingMade, note_apart), on(ThingIgnored, note))
    made = [json.loads(encoded(subject="one", sequence=f"{number:010}")) for number in (1, 3)]
    ignored = json.loads(encoded(subject="one", sequence=f"{2:010}", type=ThingIgnored.type, data={}))
    await Receiver(database, consumers).receive([json.dumps([*made, ignored]).encode()], "live")
    await database.close()
    assert taken == [[ThingMade.type, ThingIgnored.type, ThingMade.type], ["apart"]]


async def test_a_thousand_events_are_written_in_one_statement(stage: Stage) -> None:
    seen = statements_of(stage.maker)
    await stage.make(1000)
    assert [statement.split()[0] for statement in seen] == ["INSERT", "WITH"]  # things; log and outbox
