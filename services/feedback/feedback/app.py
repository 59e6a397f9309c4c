"""The whole service on one screen."""

from pathlib import Path

from fastapi import APIRouter

from feedback.dashboard import feeds
from feedback.dashboard.routes import router as dashboard
from feedback.surveys.consumers import on_ticket_closed
from feedback.surveys.routes import router as surveys
from feedback.tables import metadata
from shared.events.dispatch import TicketClosed
from shared.http.pages import Link, Site
from shared.i18n import N_
from shared.inbox import on
from shared.process.service import Service

PACKAGE = Path(__file__).parent

router = APIRouter()
for feature in (surveys, dashboard):
    router.include_router(feature)

service = Service(
    "feedback",
    router=router,
    consumers=(on(TicketClosed, on_ticket_closed),),
    metadata=metadata,
    migrations=PACKAGE / "migrations",
    site=Site(
        PACKAGE,
        links=(
            Link(
                "/feedback/dashboard", N_("Quality"), N_("How satisfied customers are, and why."), feeds.ROLES
            ),
        ),
        feeds=feeds.ALL,
    ),
)
