"""Every process of the installation dies, again and again, while it works."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from chaos.processes import CRASHED, Replica, running
from chaos.schedule import Fault, between, deal_plan, one_of, play
from testbed.faults import CONSUMER_POINTS, RELAY_POINTS, replica_deaths, server_deaths
from testbed.ground import Ground
from testbed.load import Load, Pace, load_on
from testbed.proof import Proof
from testbed.suite import replica_of
from testbed.verdict import Judge, all_ready

ON_RABBITMQ = """Two replicas of each toy service work on events of 500 subjects, shuffled and one
in ten doubled, while broker, database and replicas are killed, the replicas also at each named
crash point: every event takes effect exactly once, every accepted request was done exactly once (C1
to C3)."""
IN_ONE_PROCESS = """Both toy services in one process on the memory bus work on events of 500
subjects, shuffled and one in ten doubled, while database and process are killed, the process also
at each named crash point: every event takes effect exactly once, every accepted request was done
exactly once (C1 to C3)."""


@dataclass(frozen=True)
class Form:
    """How much work, and how often each thing dies; `calm` is in seconds."""

    events: int
    servers: int
    points: int
    replicas: int
    calm: tuple[float, float]

    def deck(self, ground: Ground) -> list[tuple[int, Fault]]:
        calm = between(*self.calm)
        anyone = {"replica": one_of(0, 1, 2, 3)}
        point = anyone | {"times": one_of(1, 2, 3)}
        servers = ["database killed"] if ground.rabbit is None else ["broker killed", "database killed"]
        return [
            *((self.servers, Fault(name, hold=calm)) for name in servers),
            (self.replicas, Fault("replica killed", hold=calm, arguments=anyone)),
            *(
                (self.points, Fault(name, hold=calm, arguments=point))
                for name in (*RELAY_POINTS, *CONSUMER_POINTS)
            ),
        ]


# A crash point begins with kill -9 at a random instant, so the short form needs no kill of its own.
SHORT = Form(events=300, servers=1, points=1, replicas=0, calm=(0.1, 0.5))
LONG = Form(events=20_000, servers=4, points=4, replicas=12, calm=(0.5, 4.0))


async def prove(form: Form, proof: Proof, ground: Ground) -> None:
    makers, keepers = toys(proof, ground)
    replicas = list(dict.fromkeys([*makers, *keepers]))
    plan = proof.follow(deal_plan(proof.seed, form.deck(ground)))
    actors = {**server_deaths(ground), **replica_deaths(makers, keepers)}
    ports = [each.port for each in makers]
    async with running(*replicas), load_on(ground, ports, proof.journal, proof.seed, Pace()) as load:
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(load.flow(over))
            await play(plan, actors, proof.timeline)
            over.set()
        await ground.postgres.until_ready()
        await load.finish(form.events)
        await all_ready(replicas)
        proof.counts |= counted(load, replicas, Counter(step.fault for step in plan.steps))
        judge = Judge(ground, load.things, proof.journal, replicas)
        await proof.conclude(ground, await judge.verdict(within=90))


def toys(proof: Proof, ground: Ground) -> tuple[list[Replica], list[Replica]]:
    """The replicas of maker and of keeper; without a broker one process is both."""

    def one(service: str, number: int) -> Replica:
        return replica_of(service, number, ground, proof.folder, proof.timeline)

    if ground.rabbit is None:
        both = [one("together", 1)]
        return both, both
    return [one("maker", 1), one("maker", 2)], [one("keeper", 1), one("keeper", 2)]


def counted(load: Load, replicas: list[Replica], faults: Mapping[str, int]) -> dict[str, int | float]:
    exits = Counter(code for replica in replicas for code in replica.exits)
    return {
        "events made": load.things.drawn,
        "events doubled": load.echo.sent,
        "events queued again": load.echo.queued_again,
        "things repeated by the client": load.client.repeated,
        "made though the client was not told": load.client.replayed_after_failure,
        "writes with an end in doubt": load.writer.in_doubt,
        "replicas that died": exits.total(),
        "replicas that died at a crash point": exits[CRASHED],
        **{f"answers: {status}": times for status, times in load.client.answers.items()},
        **{f"fault: {name}": times for name, times in faults.items()},
    }


async def test_nothing_is_lost_or_repeated_whatever_dies(ground: Ground, seed: int, tmp_path: Path) -> None:
    await prove(SHORT, Proof("exactly-once", ON_RABBITMQ, seed, tmp_path), ground)


async def test_nothing_is_lost_or_repeated_in_one_process(
    ground_without_broker: Ground, seed: int, tmp_path: Path
) -> None:
    await prove(SHORT, Proof("exactly-once-memory", IN_ONE_PROCESS, seed, tmp_path), ground_without_broker)


@pytest.mark.proof
async def test_nothing_is_lost_or_repeated_whatever_dies_often(
    ground: Ground, seed: int, tmp_path: Path
) -> None:
    await prove(LONG, Proof("exactly-once", ON_RABBITMQ, seed, tmp_path, published=True), ground)


@pytest.mark.proof
async def test_nothing_is_lost_or_repeated_in_one_process_that_dies_often(
    ground_without_broker: Ground, seed: int, tmp_path: Path
) -> None:
    proof = Proof("exactly-once-memory", IN_ONE_PROCESS, seed, tmp_path, published=True)
    await prove(LONG, proof, ground_without_broker)
