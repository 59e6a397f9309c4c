"""The network between services and servers fails in every way TCP knows, and a broker freezes."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from chaos.processes import Replica, running
from chaos.proxy import Direction, FaultProxy
from chaos.schedule import Actor, Fault, Scalar, between, deal_plan, exactly, one_of, play
from testbed.faults import freezing, network_faults
from testbed.ground import Ground
from testbed.load import Pace, load_on
from testbed.proof import Proof
from testbed.suite import Ways, replica_of
from testbed.verdict import Judge, all_ready
from testbed.watch import Watch, watching

CLAIM = """Connections to the database, the broker and the client are cut in the middle of an
answer, reset, stalled in one direction, left half-open, slowed down; the broker freezes: nothing
accepted is lost, nothing takes effect twice (C1 to C3), no session is left in a transaction
(C9)."""

UP, DOWN, BOTH = Direction.UP.value, Direction.DOWN.value, Direction.BOTH.value

# An acknowledgement of the broker has 21 bytes, PostgreSQL's answer to COMMIT 18: a limit below that ends
# inside of one, or of whatever else is answered first.
INSIDE_CONFIRM = {"n_bytes": between(1, 20), "direction": one_of(DOWN)}
INSIDE_MESSAGE = {"n_bytes": between(300, 5000), "direction": one_of(UP)}
INSIDE_COMMIT = {"n_bytes": between(1, 17), "direction": one_of(DOWN)}
ANYWHERE = {"n_bytes": between(1, 5000), "direction": one_of(UP, DOWN, BOTH)}
ONE_WAY = {"direction": one_of(UP, DOWN)}
UNDER_WAY = {"seconds": between(0.05, 0.15)}


@dataclass(frozen=True)
class Form:
    """How many replicas of each service, how much work, what happens how often."""

    replicas: int
    events: int
    pace: Pace
    deck: list[tuple[int, Fault]]


SHORT = Form(
    replicas=1,
    events=250,
    pace=Pace(posters=4, rest=0.05),
    deck=[
        (1, Fault("database cut", hold=exactly(0.4), arguments=INSIDE_COMMIT)),
        (2, Fault("database lost", hold=between(0.8, 1.2), arguments=UNDER_WAY)),
        (1, Fault("broker cut", hold=exactly(1.0), arguments=INSIDE_MESSAGE)),
        (1, Fault("broker cut", hold=exactly(0.6), arguments=INSIDE_CONFIRM)),
        (1, Fault("broker frozen", hold=exactly(4.0))),  # longer than a publisher waits for its confirmation
    ],
)
LONG = Form(
    replicas=2,
    events=10_000,
    pace=Pace(posters=8, rest=0.02),
    deck=[
        (20, Fault("database cut", hold=exactly(0.5), arguments=INSIDE_COMMIT)),
        (20, Fault("database lost", hold=between(0.8, 2.0), arguments=UNDER_WAY)),
        (10, Fault("broker cut", hold=exactly(1.0), arguments=INSIDE_MESSAGE)),
        (10, Fault("broker cut", hold=exactly(1.0), arguments=INSIDE_CONFIRM)),
        (10, Fault("broker lost", hold=between(0.8, 3.0), arguments=UNDER_WAY)),
        (2, Fault("broker frozen", hold=exactly(20.0))),
        *(
            (3, Fault(f"{where} cut", hold=exactly(1.0), arguments=ANYWHERE))
            for where in ("database", "broker")
        ),
        *(
            (times, Fault(f"{where} {what}", hold=hold, arguments=arguments))
            for where in ("database", "broker", "door")
            for times, what, hold, arguments in (
                (3, "reset", between(0.5, 2.0), {}),
                (2, "stalled", between(1.0, 8.0), ONE_WAY),
                (2, "half-open", between(1.0, 8.0), {}),
                (2, "slow", between(2.0, 5.0), {"seconds": between(0.01, 0.3), "jitter": between(0.0, 0.2)}),
                (2, "refused", between(0.5, 3.0), {}),
            )
        ),
        (5, Fault("door cut", hold=exactly(1.0), arguments=ANYWHERE)),
    ],
)


async def prove(form: Form, proof: Proof, ground: Ground) -> None:
    plan = proof.follow(deal_plan(proof.seed, form.deck))
    database, broker = (
        FaultProxy("127.0.0.1", port, proof.seed, name=name, timeline=proof.timeline)
        for name, port in (("database", ground.postgres.port), ("broker", ground.broker.port))
    )
    async with database, broker:
        ways = Ways(database.port, broker.port)
        replicas = [
            replica_of(service, number, ground, proof.folder, proof.timeline, ways)
            for service in ("maker", "keeper")
            for number in range(1, form.replicas + 1)
        ]
        maker = replicas[0]
        door = FaultProxy("127.0.0.1", maker.port, proof.seed, name="door", timeline=proof.timeline)
        actors = {
            **network_faults("database", database),
            **network_faults("broker", broker),
            **network_faults("door", door),
            **freezing(ground),
        }
        async with running(*replicas), door, watching(replicas) as watch:
            ports = [door.port, *(each.port for each in replicas[1 : form.replicas])]
            async with load_on(ground, ports, proof.journal, proof.seed, form.pace) as load:
                over = asyncio.Event()
                async with asyncio.TaskGroup() as group:
                    group.create_task(load.flow(over))
                    await play(
                        plan, {name: when_green(each, watch) for name, each in actors.items()}, proof.timeline
                    )
                    over.set()
                await load.finish(form.events)
                await all_ready(replicas)
                judge = Judge(ground, load.things, proof.journal, replicas)
                verdict = await judge.verdict(within=90)
                proof.counts |= {
                    "events made": load.things.drawn,
                    "events doubled": load.echo.sent,
                    "made though the client was not told": load.client.replayed_after_failure,
                    "messages whose confirmation was lost": unconfirmed(replicas),
                    **{f"answers: {status}": times for status, times in load.client.answers.items()},
                    **{f"fault: {name}": n for name, n in Counter(step.fault for step in plan.steps).items()},
                }
        await proof.conclude(ground, verdict)


def when_green(actor: Actor, watch: Watch) -> Actor:
    """Begins once events flow again: what is broken already cannot be broken in the middle of anything."""

    async def begin(**arguments: Scalar) -> None:
        await watch.until(time.monotonic(), lambda look: look.flow == 200, within=60)
        actor.begin(**arguments)

    return Actor(begin, actor.end)


def unconfirmed(replicas: Iterable[Replica]) -> int:
    """As the relays report it: the evidence that faults fell between a message and its confirmation."""
    lines = (line for replica in replicas for line in replica.log.read_text().splitlines())
    errors = (str(json.loads(line).get("error", "")) for line in lines if line.startswith("{"))
    return sum(int(error.split()[0]) for error in errors if "were not confirmed" in error)


async def test_faults_of_the_network_lose_nothing(ground: Ground, seed: int, tmp_path: Path) -> None:
    await prove(SHORT, Proof("network-faults", CLAIM, seed, tmp_path), ground)


@pytest.mark.proof
async def test_all_faults_of_the_network_lose_nothing(ground: Ground, seed: int, tmp_path: Path) -> None:
    await prove(LONG, Proof("network-faults", CLAIM, seed, tmp_path, published=True), ground)
