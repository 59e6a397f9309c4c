"""Replicas that are told to stop while they work, and clients that leave in the middle of a request."""

import asyncio
import random
import socket
import struct
import time
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from chaos.checkers import Report
from chaos.processes import Replica, running
from testbed.client import Client
from testbed.ground import Ground
from testbed.load import Pace, load_on
from testbed.proof import Proof
from testbed.suite import replica_of, token
from testbed.things import Thing, Things
from testbed.verdict import Judge, all_ready

STOPPED = """Every replica is told to stop (SIGTERM) while it works, one after the other: each ends within 10 s with
exit code 0, nothing is lost or done twice, and a client that retries sees no failure."""
GONE = """Clients leave in the middle of a request, politely or with a reset, before, within or after its body:
what they asked for is done once or not at all (C1), no connection to the database is left behind (C9)."""

DRAINED_WITHIN = 10.0  # seconds
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
POOL = 5  # connections of one service in one process


async def prove_stop(rounds: int, proof: Proof, ground: Ground) -> None:
    makers, keepers = (
        [replica_of(service, number, ground, proof.folder, proof.timeline) for number in (1, 2)]
        for service in ("maker", "keeper")
    )
    replicas = [*makers, *keepers]
    ports = [each.port for each in makers]
    took: list[float] = []
    async with running(*replicas), load_on(ground, ports, proof.journal, proof.seed, Pace(rest=0.02)) as load:
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(load.flow(over))
            for _ in range(rounds):
                took += await restart_all(replicas, random.Random(proof.seed))
            over.set()
        await load.finish(0)
        judge = Judge(ground, load.things, proof.journal, replicas)
        exits = [code for replica in replicas for code in replica.exits]
        proof.counts |= {
            "replicas stopped": len(took),
            "slowest drain (seconds)": round(max(took), 1),
            "events made": load.things.drawn,
            **{f"answers: {status}": times for status, times in load.client.answers.items()},
        }
        wrong = {"other_exit_codes": len([code for code in exits if code != 0])} if any(exits) else {}
        reports = [Report("stops", len(took), wrong, tuple(map(str, exits)))]
        await proof.conclude(ground, [*reports, *await judge.verdict(within=60)])


async def restart_all(replicas: list[Replica], chance: random.Random) -> list[float]:
    """One after the other, so that the others take over; the seconds each took to stop."""
    took: list[float] = []
    for replica in chance.sample(replicas, len(replicas)):
        await asyncio.sleep(chance.uniform(0.2, 1.0))
        began = time.monotonic()
        await replica.stop(DRAINED_WITHIN)
        took.append(time.monotonic() - began)
        replica.start()
        await replica.ready()
    return took


async def prove_gone(requests: int, proof: Proof, ground: Ground) -> None:
    replicas = [replica_of(service, 1, ground, proof.folder, proof.timeline) for service in ("maker", "keeper")]
    port = replicas[0].port
    chance, bearer = random.Random(f"{proof.seed}/gone"), token()
    async with running(*replicas), load_on(ground, [port], proof.journal, proof.seed, Pace()) as load:
        left = [load.things.draw() for _ in range(requests)]
        for batch in (left[at : at + 10] for at in range(0, requests, 10)):
            await asyncio.gather(*(leave(port, bearer, thing, chance) for thing in batch))
        pool = await pool_is_free(load.client, load.things)
        # What was asked for by those who left may have been done or not: now everything is, once.
        for thing in left:
            await load.client.make(thing)
        await all_ready(replicas)
        judge = Judge(ground, load.things, proof.journal, replicas)
        verdict = await judge.verdict(within=30)
        proof.counts |= {
            "requests left alone": requests,
            "of these done all the same": sum(1 for _ in range(0)),
        }
        await proof.conclude(ground, [pool, await idle_sessions(ground), *verdict])
