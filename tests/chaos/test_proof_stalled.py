"""A relay that is suspended in the middle of a claim holds up its own claim and nobody else's."""

import asyncio
import time
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from chaos.checkers import Report
from chaos.processes import Replica, running
from chaos.proxy import Direction, FaultProxy
from testbed.ground import Ground
from testbed.load import Load, Pace, load_on
from testbed.proof import Proof
from testbed.suite import DIRECT, Ways, replica_of
from testbed.verdict import Judge

CLAIM = """Of three replicas one is suspended while it holds claimed events: what the others find is
delivered meanwhile. What it had claimed is delivered when it goes on, or, if it does not, once
PostgreSQL has ended its transaction."""

IN_CLAIM: Final = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'aftercare-maker-relay'
        AND state = 'idle in transaction' AND clock_timestamp() - state_change > interval '0.1 s'
"""
CLAIMED: Final = """
    WITH free AS (SELECT FROM maker.outbox FOR UPDATE SKIP LOCKED)
    SELECT (SELECT count(*) FROM maker.outbox) - (SELECT count(*) FROM free)
"""
WAITING: Final = "SELECT count(*) FROM maker.outbox"
# Confirmations take so long that it can be met in a claim; its looks at the queues still end in time.
SLOW: Final = 0.6  # seconds
WITHIN: Final = 20.0  # seconds; less than the 30 that PostgreSQL lets a transaction idle
ENDED_WITHIN: Final = 60.0


async def prove(events: int, proof: Proof, ground: Ground, *, comes_back: bool) -> None:
    async with FaultProxy("127.0.0.1", ground.broker.port, proof.seed, timeline=proof.timeline) as proxy:
        stalled, *others = (
            replica_of("maker", number, ground, proof.folder, proof.timeline, ways)
            for number, ways in ((1, Ways(broker=proxy.port)), (2, DIRECT), (3, DIRECT))
        )
        replicas = [stalled, *others, replica_of("keeper", 1, ground, proof.folder, proof.timeline)]
        db = await asyncpg.connect(ground.database_url("postgres"))
        async with (
            running(*replicas),
            load_on(ground, [stalled.port], proof.journal, proof.seed, Pace()) as load,
        ):
            proxy.delay(SLOW, direction=Direction.DOWN)
            claimed = await suspend_in_claim(db, load, stalled)
            await load.writer.write(load.things.draw_shuffled(events), "live")
            delivered = await seconds_until(db, WAITING, claimed, WITHIN)
            still_claimed = await db.fetchval(CLAIMED)
            if comes_back:
                stalled.resume()
            ended = await seconds_until(db, WAITING, 0, ENDED_WITHIN)
            stalled.resume()
            proxy.heal()
            proof.counts |= {
                "events claimed by the suspended relay": claimed,
                "events written meanwhile": events,
                "seconds until these were sent": round(delivered, 1),
                "seconds until its claim was sent": round(ended, 1),
            }
            found = {"claim_lost_hold": claimed - still_claimed} if still_claimed != claimed else {}
            judge = Judge(ground, load.things, proof.journal, replicas)
            verdict = await judge.verdict(within=30)
        await db.close()
        await proof.conclude(ground, [Report("claim held meanwhile", claimed, found, ()), *verdict])


async def suspend_in_claim(db: Any, load: Load, replica: Replica) -> int:
    """Post to it until it is met holding a claim, and suspend it there; returns how many events it holds."""
    async with asyncio.timeout(60):
        while True:
            while not await db.fetchval(IN_CLAIM):
                await load.client.make(load.things.draw())
            replica.suspend()
            # The others' claims are over in a moment, and the transaction found may have been any relay's.
            await asyncio.sleep(0.5)
            held: int = await db.fetchval(CLAIMED)
            if held:
                return held
            replica.resume()


async def seconds_until(db: Any, query: str, wanted: int, within: float) -> float:
    began = time.monotonic()
    async with asyncio.timeout(within):
        while True:
            if await db.fetchval(query) == wanted:
                return time.monotonic() - began
            await asyncio.sleep(0.02)


async def test_a_suspended_relay_holds_up_no_other(ground: Ground, seed: int, tmp_path: Path) -> None:
    await prove(200, Proof("stalled-relay", CLAIM, seed, tmp_path), ground, comes_back=True)


@pytest.mark.proof
async def test_a_relay_suspended_for_good_loses_its_claim_to_the_others(
    ground: Ground, seed: int, tmp_path: Path
) -> None:
    proof = Proof("stalled-relay", CLAIM, seed, tmp_path, published=True)
    await prove(5_000, proof, ground, comes_back=False)
