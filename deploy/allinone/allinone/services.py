"""The five services, and what follows from them together."""

from __future__ import annotations

from typing import Final

from dispatch.app import service as dispatch
from feedback.app import service as feedback
from intake.app import service as intake
from parts.app import service as parts
from shared.bus import Topology
from shared.process.service import Service, topology_of
from sla_monitor.app import service as sla

SERVICES: Final[tuple[Service, ...]] = (intake, dispatch, sla, parts, feedback)


def topology() -> Topology:
    """Who listens to what, from the services themselves; `topology.json` is its written form."""
    return topology_of(SERVICES)
