"""What only the memory bus has to prove: it reaches all it must, and nobody holds up anybody."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from shared.bus.memory import NotAllServicesHere
from shared.db import Tx
from shared.events import Event
from shared.process.assembly import Process
from shared.settings import Settings
from toy.events import ThingMade
from toy.services import maker
from toy.stage import SERVICES, Stage, until

pytestmark = pytest.mark.parametrize("bus", ["memory"], indirect=True)


async def test_it_refuses_to_run_where_a_listener_is_not(stage: Stage) -> None:
    settings = {name: Settings.model_validate(stated) for name, stated in stage.settings().items()}
    with pytest.raises(NotAllServicesHere, match="keeper, witness"):
        Process([maker], settings, stage.topology)
    with pytest.raises(NotAllServicesHere, match="witness"):
        Process(SERVICES[:2], settings, stage.topology)


async def test_a_subscriber_that_hangs_holds_up_neither_the_others_nor_the_sending(stage: Stage) -> None:
    hanging: set[str] = set()
    go_on = asyncio.Event()

    async def hang(tx: Tx, events: Sequence[Event[ThingMade]]) -> None:
        hanging.add(tx.lane)
        await go_on.wait()

    async def both_lanes_hang() -> None:
        assert hanging == {"live", "bulk"}

    stage.first = hang
    await stage.start()
    await stage.make(3)
    await stage.make(3, lane="bulk")
    await until(both_lanes_hang)
    await stage.make(20)
    await stage.make(20, lane="bulk")
    await stage.holds("witness.inbox", 46, within=4)  # less than a wait for a connection takes to give up
    assert await stage.count("keeper.inbox") == 0
    go_on.set()
    await stage.settled()
