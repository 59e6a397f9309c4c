"""A service is a value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import APIRouter
from sqlalchemy import MetaData

from shared.bus.topology import Topology
from shared.context import ServiceContext
from shared.db.migrate import Migrations
from shared.http.pages import Site
from shared.http.transaction import ServiceRoute
from shared.inbox import Consumer
from shared.process.loops import Loop


def no_loops(context: ServiceContext) -> Sequence[Loop]:
    """For a service that only reacts."""
    return ()


@dataclass(frozen=True, slots=True)
class Service:
    """All that one service is; `run` turns it into a process.

    name        its schema, database role, path prefix and the owner part of its events
    router      its routes, without the prefix
    consumers   which handler reads which event
    loops       its background work, given the context it runs in
    site        its pages
    hears       whether it follows the watermarks of the others
    metadata    its own tables
    migrations  the folder that makes them, None when it has none yet
    """

    name: str
    router: APIRouter = field(default_factory=lambda: APIRouter(route_class=ServiceRoute))
    consumers: tuple[Consumer, ...] = ()
    loops: Callable[[ServiceContext], Sequence[Loop]] = no_loops
    site: Site | None = None
    hears: bool = False
    metadata: MetaData = field(default_factory=MetaData)
    migrations: Path | None = None

    @property
    def history(self) -> Migrations:
        return Migrations(self.name, self.migrations)


def topology_of(services: Iterable[Service]) -> Topology:
    """Who listens to what, if these services are all there are."""
    return Topology.of(
        {each.name: [consumer.payload.type for consumer in each.consumers] for each in services}
    )
