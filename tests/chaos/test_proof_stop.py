"""Replicas that are told to stop while they work, and clients that leave in the middle of a request."""

import asyncio
import random
import socket
import struct
import time
from collections import Counter
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
from testbed.verdict import Judge

STOPPED = """Every replica is told to stop (SIGTERM) while it works, one after the other: each ends
within 10 s with exit code 0, nothing is lost or done twice, and a client that retries sees no
failure."""
GONE = """Clients leave in the middle of a request, politely or with a reset, before, within or
after its body: what they asked for is done once or not at all (C1), no connection to the database
is left behind (C9)."""

DRAINED_WITHIN = 10.0  # seconds
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
LOOKS = 50  # at its sessions, until none is busy
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
    replicas = [
        replica_of(service, 1, ground, proof.folder, proof.timeline) for service in ("maker", "keeper")
    ]
    port = replicas[0].port
    chance = random.Random(f"{proof.seed}/gone")
    async with running(*replicas), load_on(ground, [port], proof.journal, proof.seed, Pace()) as load:
        left = [load.things.draw() for _ in range(requests)]
        for batch in (left[at : at + 10] for at in range(0, requests, 10)):
            await asyncio.gather(*(leave(port, request(thing), chance) for thing in batch))
        pool = await check_pool(load.client, load.things)
        done_alone = await count_made(ground, left)
        for thing in left:
            await load.client.make(thing)
        judge = Judge(ground, load.things, proof.journal, replicas)
        verdict = await judge.verdict(within=30)
        proof.counts |= {"requests left alone": requests, "of these done all the same": done_alone}
        await proof.conclude(ground, [pool, await check_idle(ground), *verdict])


def request(thing: Thing) -> bytes:
    head = (
        "POST /maker/things HTTP/1.1",
        "Host: proof.example",
        f"Authorization: Bearer {token()}",
        f"Idempotency-Key: {thing.key}",
        "Content-Type: application/json",
        f"Content-Length: {len(thing.body)}",
    )
    return "\r\n".join(head).encode() + b"\r\n\r\n" + thing.body


async def leave(port: int, sent: bytes, chance: random.Random) -> None:
    """Send the request, or its beginning, wait a moment perhaps, and hang up."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    whole = chance.random() < 0.7  # what has not arrived cannot be left in the middle
    writer.write(sent if whole else sent[: chance.randrange(1, len(sent))])
    await asyncio.sleep(chance.choice((0.0, chance.uniform(0, 0.02))))
    if chance.random() < 0.5:
        connected: socket.socket = writer.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def check_pool(client: Client, things: Things) -> Report:
    """Every connection of the pool serves again: many at once are answered at the first try."""
    await client.make(things.draw())  # behind all that those who left had asked for
    before = Counter(client.answers)
    wanted = [things.draw() for _ in range(4 * POOL)]
    await asyncio.gather(*(client.make(thing) for thing in wanted))
    answers = client.answers - before
    found = {f"answered_{status}": times for status, times in answers.items() if status != "201"}
    return Report("C9 pool", len(wanted), found, ())


async def check_idle(ground: Ground) -> Report:
    """After all is done the pool's sessions have nothing open, and there are not more than it may have."""
    db = await asyncpg.connect(ground.database_url("postgres"))
    try:
        for _ in range(LOOKS):
            rows = await db.fetch(
                "SELECT state, query FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'aftercare-maker-work'"
            )
            busy = tuple(f"{row['state']}: {row['query']}" for row in rows if row["state"] != "idle")
            if not busy:
                break
            await asyncio.sleep(0.1)  # a loop may be looking for work just now
    finally:
        await db.close()
    found = {"not_idle": len(busy)} if busy else {}
    if len(rows) > POOL:
        found["too_many"] = len(rows) - POOL
    return Report("C9 idle", len(rows), found, busy)


async def count_made(ground: Ground, things: list[Thing]) -> int:
    db = await asyncpg.connect(ground.database_url("postgres"))
    try:
        keys = [thing.key for thing in things]
        count: int = await db.fetchval("SELECT count(*) FROM maker.thing WHERE key = ANY($1::text[])", keys)
        return count
    finally:
        await db.close()


async def test_stopping_replicas_finish_their_work(ground: Ground, seed: int, tmp_path: Path) -> None:
    await prove_stop(1, Proof("graceful-stop", STOPPED, seed, tmp_path), ground)


async def test_clients_that_leave_leave_nothing_behind(ground: Ground, seed: int, tmp_path: Path) -> None:
    await prove_gone(100, Proof("client-gone", GONE, seed, tmp_path), ground)


@pytest.mark.proof
async def test_stopping_replicas_finish_their_work_every_time(
    ground: Ground, seed: int, tmp_path: Path
) -> None:
    await prove_stop(5, Proof("graceful-stop", STOPPED, seed, tmp_path, published=True), ground)


@pytest.mark.proof
async def test_many_clients_that_leave_leave_nothing_behind(
    ground: Ground, seed: int, tmp_path: Path
) -> None:
    await prove_gone(2_000, Proof("client-gone", GONE, seed, tmp_path, published=True), ground)
