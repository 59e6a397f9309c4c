"""The broker is away, and nobody who writes notices."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from chaos.checkers import Report
from chaos.processes import running
from shared.bus.rabbit import RabbitBus
from testbed.client import Client, Done
from testbed.ground import Ground
from testbed.load import Pace, load_on
from testbed.proof import Proof
from testbed.suite import replica_of
from testbed.things import Things
from testbed.verdict import Judge
from testbed.watch import Look, Watch, watching
from toy.services import TOPOLOGY

CLAIM = """While the broker is down writes go on at their rate, `/health/ready` stays true and
`/health/flow` turns red; afterwards everything drains."""
POSTERS = 4
# Of the rate before. The short form runs beside other tests, and shows only that writes never stop.
SLOWEST, SLOWEST_BESIDE_OTHERS = 0.5, 0.05
REST, REST_BESIDE_OTHERS = 0.0, 0.15  # seconds from an answer to the next request
RED_WITHIN = 5.0  # seconds


@pytest.fixture
def watchdog(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> RabbitBus:
    """Of a process that never connects, and gives itself up after 2 s of that instead of two minutes."""
    monkeypatch.setattr("shared.bus.rabbit.STUCK_SECONDS", 2.0)
    return RabbitBus(ground.amqp_url("maker"), "maker", TOPOLOGY)


@dataclass(frozen=True)
class Window:
    """A stretch of time, and the requests that were sent and answered in it."""

    begin: float
    end: float
    done: Sequence[Done]

    @classmethod
    def of(cls, client: Client, begin: float, end: float) -> "Window":
        return cls(begin, end, [each for each in client.done if begin <= each.at < end])

    @property
    def rate(self) -> float:
        return len(self.done) / (self.end - self.begin)

    @property
    def p99(self) -> float:
        return sorted(each.seconds for each in self.done)[int(0.99 * len(self.done))]


async def prove(seconds: float, proof: Proof, ground: Ground, watchdog: RabbitBus) -> None:
    replicas = [replica_of(each, 1, ground, proof.folder, proof.timeline) for each in ("maker", "keeper")]
    ports = [replicas[0].port]
    rest = REST if proof.published else REST_BESIDE_OTHERS
    async with (
        running(*replicas),
        watching(replicas) as watch,
        load_on(ground, ports, proof.journal, proof.seed, Pace()) as load,
    ):
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(POSTERS):
                group.create_task(post(load.client, load.things, over, rest))
            await watch.until(0, green, within=30)
            before, during = await take_broker_away(ground, load.client, seconds)
            over.set()
        waiting = await waiting_events(ground)
        at_once = await start_asking(ground, watchdog)
        back = time.monotonic()
        judge = Judge(ground, load.things, proof.journal, replicas)
        verdict = await judge.verdict(within=60 + seconds)
        drained = time.monotonic() - back
        green_after = await watch.until(back, green, within=30)
        red_after = watch.first(during.begin, red)
        later = await watchdog.stuck()
        proof.counts |= {
            "broker down (seconds)": round(during.end - during.begin, 1),
            "writes per second before": round(before.rate, 1),
            "writes per second while it was down": round(during.rate, 1),
            "rate while down, of the rate before": round(during.rate / before.rate, 2),
            "p99 before (ms)": round(1000 * before.p99, 1),
            "p99 while it was down (ms)": round(1000 * during.p99, 1),
            "seconds until flow was red": round(red_after or -1, 1),
            "events waiting when it came back": waiting,
            "seconds until all had been received and all was calm": round(drained, 1),
            "seconds until flow was green": round(green_after, 1),
        }
        health = check_health(watch, during, red_after)
        slowest = SLOWEST if proof.published else SLOWEST_BESIDE_OTHERS
        writes = check_writes(load.client, before, during, slowest)
        reports = [writes, health, check_watchdog(at_once, later)]
        await proof.conclude(ground, [*reports, *verdict])


async def post(client: Client, things: Things, until: asyncio.Event, rest: float) -> None:
    while not until.is_set():
        await client.make(things.draw())
        await asyncio.sleep(rest)


async def take_broker_away(ground: Ground, client: Client, seconds: float) -> tuple[Window, Window]:
    """Returns the time before, and the time in which it was down."""
    began = time.monotonic()
    await asyncio.sleep(max(3.0, seconds / 3))
    stopping = time.monotonic()
    await ground.broker.stop()
    down = time.monotonic()
    await asyncio.sleep(seconds)
    end = time.monotonic()
    return Window.of(client, began, stopping), Window.of(client, down, end)


async def start_asking(ground: Ground, watchdog: RabbitBus) -> bool:
    """Bring the broker back, and say whether the watchdog, asked all the time, gave up until then."""
    starting = asyncio.create_task(ground.broker.start())
    gave_up = False
    while not (await asyncio.wait([starting], timeout=0.2))[0]:
        gave_up |= await watchdog.stuck()
    await starting
    return gave_up | await watchdog.stuck()


async def waiting_events(ground: Ground) -> int:
    db = await asyncpg.connect(ground.database_url("postgres"))
    try:
        count: int = await db.fetchval("SELECT count(*) FROM maker.outbox")
        return count
    finally:
        await db.close()


def green(look: Look) -> bool:
    return look.flow == 200


def red(look: Look) -> bool:
    return look.flow == 503


def check_writes(client: Client, before: Window, during: Window, slowest: float) -> Report:
    """Every request was accepted at the first try, and not many fewer than before."""
    found = {f"answered_{status}": times for status, times in client.answers.items() if status != "201"}
    if during.rate < slowest * before.rate:
        found["slower"] = 1
    return Report("writes", len(during.done), found, (f"{before.rate:.1f}/s, then {during.rate:.1f}/s",))


def check_health(watch: Watch, during: Window, red_after: float | None) -> Report:
    """Always ready; red soon, and then as long as the broker is away."""
    looks = watch.during(during.begin, during.end)
    found = {
        "not_ready": sum(look.ready != 200 for look in looks),
        "never_red": int(red_after is None),
        "red_too_late": int(red_after is not None and red_after > RED_WITHIN),
        "green_again": sum(look.flow == 200 for look in looks if look.at > during.begin + RED_WITHIN),
    }
    return Report("health", len(looks), {kind: times for kind, times in found.items() if times}, ())


def check_watchdog(at_once: bool, later: bool) -> Report:
    """A process that still has to reconnect when the broker is back is not stuck; one that never does is."""
    found = {"gave_up_at_once": int(at_once), "never_gave_up": int(not later)}
    return Report("watchdog", 2, {kind: times for kind, times in found.items() if times}, ())


async def test_writes_go_on_while_the_broker_is_away(
    ground: Ground, watchdog: RabbitBus, seed: int, tmp_path: Path
) -> None:
    await prove(8, Proof("broker-away", CLAIM, seed, tmp_path), ground, watchdog)


@pytest.mark.proof
async def test_writes_go_on_while_the_broker_is_away_for_a_minute(
    ground: Ground, watchdog: RabbitBus, seed: int, tmp_path: Path
) -> None:
    await prove(60, Proof("broker-away", CLAIM, seed, tmp_path, published=True), ground, watchdog)
