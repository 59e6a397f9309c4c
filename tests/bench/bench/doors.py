"""One POST route beside two floors with its model: one does nothing, one stores with one statement."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from bench.figure import Ratio, Side
from bench.load import post
from bench.stage import Stage, UrlOf
from chaos.processes import Replica

NOOP, PREPARED = "FastAPI route that does nothing", "the same with one prepared statement, committed"
CLIENTS: Final = (1, 32)


def floors(stage: Stage, database: UrlOf, service: str) -> Replica:
    """The process of both floors, with the model of `service`'s route."""
    return stage.replica("bench.floors", AFTERCARE_DATABASE_URL=database(service), AFTERCARE_BUS="memory")


def sides(whole: str, door: str, floors: Replica, body: str, token: str, seconds: float) -> Sequence[Side]:
    """`whole` is what is compared, at the address `door`."""
    base = f"http://127.0.0.1:{floors.port}"
    routes = {NOOP: f"{base}/noop", PREPARED: f"{base}/prepared", whole: door}
    return [
        Side(at(name, clients), partial(post, url, clients, seconds, body, token))
        for clients in CLIENTS
        for name, url in routes.items()
    ]


def at(name: str, clients: int) -> str:
    return f"{name}, {clients} client{'s' if clients > 1 else ''}"


def over_noop(name: str, whole: str, clients: int, *targets: float) -> Ratio:
    return Ratio(name, "requests/s", at(whole, clients), at(NOOP, clients), targets)


def over_prepared(name: str, whole: str, clients: int) -> Ratio:
    return Ratio(name, "requests/s", at(whole, clients), at(PREPARED, clients))


def p50_over_prepared(name: str, whole: str, clients: int, *targets: float) -> Ratio:
    return Ratio(name, "p50 ms", at(whole, clients), at(PREPARED, clients), targets, at_most=True)
