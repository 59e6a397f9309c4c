"""The replicas of the toy services, set up as in production, reachable for faults."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

import toy
from chaos.nursery import Nursery
from chaos.processes import Replica, free_port
from chaos.timeline import Timeline
from shared.http.auth import Principal, mint
from shared.settings import Settings
from testbed.ground import Ground

SECRET: Final = "a-secret-of-the-proofs-and-of-nothing-else"
PUBLIC_URL: Final = "https://proof.example"
_TOYS: Final = str(Path(toy.__file__).parents[1])


@dataclass(frozen=True)
class Ways:
    """Ports of the proxies that stand before the database and the broker; None is the direct way."""

    database: int | None = None
    broker: int | None = None


DIRECT: Final = Ways()
NURSERY: Final = Nursery("shared.process.run", "shared.bus.rabbit", "shared.bus.memory", "toy.services")


def replica_of(
    service: str, number: int, ground: Ground, logs: Path, timeline: Timeline, ways: Ways = DIRECT
) -> Replica:
    """One process of `maker` or `keeper`; or of `together`, both on the memory bus."""
    port = free_port()
    named = {
        "AFTERCARE_PORT": str(port),
        "AFTERCARE_SECRET": SECRET,
        "AFTERCARE_PUBLIC_URL": PUBLIC_URL,
        "AFTERCARE_BUS": "memory" if service == "together" else "rabbitmq",
        "PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), _TOYS))),
        **_addresses(service, ground, ways),
    }
    name = f"{service}-{number}"
    return Replica(name, f"toy.{service}", port, logs, environment=named, timeline=timeline, nursery=NURSERY)


def token() -> str:
    """What the client shows at the door, good for as long as any proof takes."""
    settings = Settings(
        database_url="postgresql://unused/unused",
        bus="memory",
        secret=SecretStr(SECRET),
        public_url=PUBLIC_URL,
    )
    return mint(Principal("proof", frozenset({"adapter"})), settings, timedelta(hours=6))


def _addresses(service: str, ground: Ground, ways: Ways) -> Mapping[str, str]:
    if service == "together":
        return {
            f"AFTERCARE_{each.upper()}_DATABASE_URL": through(ground.database_url(each), ways.database)
            for each in ("maker", "keeper")
        }
    return {
        "AFTERCARE_DATABASE_URL": through(ground.database_url(service), ways.database),
        "AFTERCARE_AMQP_URL": through(ground.amqp_url(service), ways.broker),
    }


def through(url: str, port: int | None) -> str:
    """The same address through a proxy at `port` of this host."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{port or parts.port}")).geturl()
