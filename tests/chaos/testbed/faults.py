"""What breaks servers and replicas, as actors for a plan."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from chaos.processes import Replica
from chaos.proxy import Direction, FaultProxy
from chaos.schedule import Actor
from testbed.ground import Ground

RELAY_POINTS: Final = ("relay.claimed", "relay.published")
CONSUMER_POINTS: Final = ("consumer.handled", "consumer.committed")
RECOVERED_WITHIN: Final = 90.0  # a broker boots in 10 to 20 s; the replica in hand may be waiting for it


async def kill_broker(ground: Ground) -> None:
    """kill -9, once it serves and what it was told to keep is on its disk."""
    await ground.broker.until_ready()
    await ground.broker.settle()
    await ground.broker.kill()


async def kill_database(ground: Ground) -> None:
    """kill -9, once it serves."""
    await ground.postgres.until_ready()
    await ground.postgres.kill()


def server_deaths(ground: Ground) -> Mapping[str, Actor]:
    """kill -9; what follows in the plan does not wait for the server to be back."""
    return {
        "broker killed": Actor(partial(kill_broker, ground)),
        "database killed": Actor(partial(kill_database, ground)),
    }


def replica_deaths(makers: Sequence[Replica], keepers: Sequence[Replica]) -> Mapping[str, Actor]:
    """kill -9 of one replica, at once or at a crash point; where one process is both, it is in both lists."""

    everyone = list(dict.fromkeys([*makers, *keepers]))

    async def kill(replica: int) -> None:
        chosen = everyone[replica % len(everyone)]
        await chosen.ready(RECOVERED_WITHIN)
        await chosen.kill()

    def dying_at(point: str, replicas: Sequence[Replica]) -> Actor:
        async def begin(replica: int, times: int) -> None:
            chosen = replicas[replica % len(replicas)]
            await chosen.ready(RECOVERED_WITHIN)
            chosen.arm(f"{point}:{times}")
            await chosen.kill()
            await chosen.crashed(RECOVERED_WITHIN)

        return Actor(begin)

    return {
        "replica killed": Actor(kill),
        **{point: dying_at(point, makers) for point in RELAY_POINTS},
        **{point: dying_at(point, keepers) for point in CONSUMER_POINTS},
    }


def network_faults(where: str, proxy: FaultProxy) -> Mapping[str, Actor]:
    """What a network does to the connections through `proxy`; every fault ends by healing."""

    def refuse() -> None:
        proxy.refuse()
        proxy.reset()

    def hold(seconds: float) -> None:
        proxy.delay(seconds, direction=Direction.UP)

    def lose() -> None:
        proxy.reset()
        proxy.heal()

    begins: Mapping[str, Callable[..., object]] = {
        "cut": proxy.cut_after,
        "reset": proxy.reset,
        "stalled": proxy.stall,
        "half-open": proxy.half_open,
        "slow": proxy.delay,
        "refused": refuse,
    }
    return {
        **{f"{where} {name}": Actor(begin, proxy.heal) for name, begin in begins.items()},
        # What is on its way to the server when this ends never gets there: a message, or a COMMIT.
        f"{where} lost": Actor(hold, lose),
    }


def freezing(ground: Ground) -> Mapping[str, Actor]:
    """SIGSTOP: connections stay open, nothing answers."""
    return {"broker frozen": Actor(ground.broker.suspend, ground.broker.resume)}
