"""The whole service on one screen."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from fastapi import APIRouter

from intake.accounts.routes import router as accounts
from intake.answers import routes as answer_routes
from intake.answers.pages import router as answer_pages
from intake.answers.routes import router as answers
from intake.asides.routes import router as asides
from intake.attachments.routes import router as attachments
from intake.calls.actions import miss_forgotten
from intake.calls.routes import router as calls
from intake.channels.doors import router as doors
from intake.channels.mail.loops import mail_doors
from intake.channels.routes import router as channels
from intake.channels.webhook import router as webhook
from intake.contacts.routes import router as contacts
from intake.customers.pages import router as customer_pages
from intake.customers.routes import router as customers
from intake.desk import feeds
from intake.desk.routes import router as desk
from intake.devices.routes import router as devices
from intake.duplicates.routes import router as duplicates
from intake.forms.routes import router as forms
from intake.imports.routes import router as imports
from intake.incidents.actions import propose
from intake.incidents.routes import router as incidents
from intake.knowledge import routes as knowledge_routes
from intake.knowledge.public import router as self_help
from intake.knowledge.routes import router as knowledge
from intake.messages.consumers import on_customer_message_requested
from intake.notes.routes import router as notes
from intake.places.routes import router as places
from intake.progress.consumers import consumers as story
from intake.progress.routes import router as progress
from intake.pulling.loops import pulling
from intake.requests.consumers import on_ticket_ended, on_ticket_opened, on_ticket_reopened
from intake.requests.loops import watch_for_tickets
from intake.requests.routes import router as requests
from intake.search.loops import make_findable
from intake.sending.consumers import on_clock_started
from intake.sending.loops import acknowledging, sending
from intake.sending.routes import router as sends
from intake.tables import metadata
from intake.triage.routes import router as triage
from shared.context import ServiceContext
from shared.events import dispatch, feedback, sla
from shared.http.pages import Link, Site
from shared.i18n import N_
from shared.inbox import on
from shared.process.loops import Loop
from shared.process.service import Service

PACKAGE = Path(__file__).parent

router = APIRouter()
# The doors of providers come last: `/channels/{channel}` would answer for the doors that have a name.
for feature in (
    channels,
    webhook,
    calls,
    requests,
    attachments,
    imports,
    incidents,
    duplicates,
    knowledge,
    self_help,
    desk,
    notes,
    answers,
    answer_pages,
    forms,
    progress,
    places,
    customers,
    customer_pages,
    contacts,
    devices,
    sends,
    asides,
    triage,
    accounts,
    doors,
):
    router.include_router(feature)


def loops(context: ServiceContext) -> Sequence[Loop]:
    return (
        Loop("forgotten-calls", miss_forgotten, every=timedelta(seconds=5)),
        Loop("bursts", propose, every=timedelta(seconds=30)),
        Loop("findable", make_findable, every=timedelta(seconds=2)),
        Loop("tickets", watch_for_tickets, every=timedelta(seconds=10)),
        sending(context),
        acknowledging(context),
        pulling(context),
        *mail_doors(context),
    )


service = Service(
    "intake",
    router=router,
    consumers=(
        on(dispatch.TicketOpened, on_ticket_opened),
        on(dispatch.TicketClosed, on_ticket_ended),
        on(dispatch.TicketCancelled, on_ticket_ended),
        on(dispatch.TicketReopened, on_ticket_reopened),
        on(dispatch.CustomerMessageRequested, on_customer_message_requested),
        on(feedback.CustomerMessageRequested, on_customer_message_requested),
        on(sla.ClockStarted, on_clock_started),
        *story,
    ),
    loops=loops,
    metadata=metadata,
    migrations=PACKAGE / "migrations",
    site=Site(
        PACKAGE,
        links=(
            Link("/intake/desk", N_("Service desk"), N_("What came in, and what was answered."), feeds.ROLES),
            Link(
                "/intake/knowledge",
                N_("Knowledge base"),
                N_("Answers, repair cases and manuals."),
                knowledge_routes.READERS,
            ),
            Link(
                "/intake/templates",
                N_("Answer templates"),
                N_("What is answered often, ready to be chosen."),
                answer_routes.READERS,
            ),
            Link(
                "/intake/devices",
                N_("Products"),
                N_("What was sold, and what its warranty covers."),
                feeds.ROLES,
            ),
            Link(
                "/intake/renewals",
                N_("Renewals"),
                N_("Service contracts that end soon."),
                feeds.ROLES,
            ),
        ),
        feeds=(feeds.REQUESTS,),
    ),
)
