"""The whole service on one screen."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import APIRouter

from dispatch import acceptance, assignment, invariants, organisation, supply, tickets, visits  # noqa: F401
from dispatch.acceptance.loops import acceptance_loops
from dispatch.organisation import routes as organisation_routes
from dispatch.supply.consumers import on_parts_reserved, on_parts_short
from dispatch.tables import metadata
from dispatch.tickets import routes as ticket_routes
from dispatch.tickets.consumers import on_request_reclassified, on_request_registered
from shared.events.intake import RequestReclassified, RequestRegistered
from shared.events.parts import PartsReserved, PartsShort
from shared.http.transaction import ServiceRoute
from shared.inbox import on
from shared.process.service import Service

HERE: Final = Path(__file__).parent

router: Final = APIRouter(route_class=ServiceRoute)
for each in (organisation_routes, ticket_routes, invariants):
    router.include_router(each.router)

service: Final = Service(
    name="dispatch",
    router=router,
    consumers=(
        on(RequestRegistered, on_request_registered),  # first: what is in one batch with it finds its ticket
        on(RequestReclassified, on_request_reclassified),
        on(PartsReserved, on_parts_reserved),
        on(PartsShort, on_parts_short),
    ),
    loops=acceptance_loops,
    metadata=metadata,
    migrations=HERE / "migrations",
)
