"""The whole service on one screen."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from fastapi import APIRouter

from parts.catalogue.routes import router as catalogue
from parts.desk import feeds
from parts.desk.routes import router as desk
from parts.invariants import router as invariants
from parts.requisitions.consumers import on_parts_requested, on_ticket_ended
from parts.requisitions.loops import release_expired, serve_waiting
from parts.requisitions.routes import router as requisitions
from parts.stock.routes import router as stock
from parts.tables import metadata
from shared.context import ServiceContext
from shared.events.dispatch import PartsRequested, TicketCancelled, TicketClosed
from shared.http.pages import Link, Site
from shared.i18n import N_
from shared.inbox import on
from shared.process.loops import Loop
from shared.process.service import Service

PACKAGE = Path(__file__).parent

router = APIRouter()
for feature in (catalogue, stock, requisitions, desk, invariants):
    router.include_router(feature)


def loops(context: ServiceContext) -> Sequence[Loop]:
    return (
        Loop("holds", release_expired, every=timedelta(minutes=1)),
        Loop("waiting", serve_waiting, every=timedelta(seconds=5)),
    )


service = Service(
    "parts",
    router=router,
    consumers=(
        on(PartsRequested, on_parts_requested),
        on(TicketClosed, on_ticket_ended),
        on(TicketCancelled, on_ticket_ended),
    ),
    loops=loops,
    metadata=metadata,
    migrations=PACKAGE / "migrations",
    site=Site(
        PACKAGE,
        links=(Link("/parts/desk", N_("Parts"), N_("Stock, and what is held for whom."), feeds.ROLES),),
        feeds=feeds.ALL,
    ),
)
