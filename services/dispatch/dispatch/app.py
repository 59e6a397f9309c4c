"""The whole service on one screen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fastapi import APIRouter

from dispatch import invariants
from dispatch.acceptance import routes as acceptance
from dispatch.acceptance.loops import acceptance_loops
from dispatch.access import OVERSEERS
from dispatch.assignment import routes as assignment
from dispatch.availability import pages as availability_pages
from dispatch.availability import routes as availability
from dispatch.availability.loops import leave_loops
from dispatch.board import feeds
from dispatch.board import routes as board
from dispatch.board import views as board_views
from dispatch.days import pages as day_pages
from dispatch.days import routes as days
from dispatch.desk.consumers import (
    on_customer_changed,
    on_customer_erased,
    on_request_merged,
    on_request_solved,
    on_request_split,
)
from dispatch.evidence import routes as evidence
from dispatch.incidents.consumers import consumers as incidents
from dispatch.jobs import routes as jobs
from dispatch.leadership import routes as leadership
from dispatch.offers.loops import offer_loops
from dispatch.organisation import routes as organisation
from dispatch.phone import routes as phone
from dispatch.progress.consumers import on_answer_given
from dispatch.promises.consumers import consumers as promises
from dispatch.reach import routes as reach
from dispatch.remote import routes as remote
from dispatch.solutions import routes as solutions
from dispatch.supply.consumers import (
    on_parts_ended,
    on_parts_expected,
    on_parts_reserved,
    on_parts_short,
)
from dispatch.support import routes as support
from dispatch.tables import metadata
from dispatch.tasks import pages as task_pages
from dispatch.tasks import routes as tasks
from dispatch.tickets import pages as ticket_pages
from dispatch.tickets import routes as tickets
from dispatch.tickets.consumers import on_request_reclassified, on_request_registered
from dispatch.urgent import routes as urgent
from dispatch.visits import pages as visit_pages
from dispatch.visits import routes as visits
from dispatch.warroom import pages as warroom_pages
from dispatch.warroom import routes as warroom
from dispatch.warroom.feeds import WARROOM
from shared.context import ServiceContext
from shared.events.intake import (
    AnswerGiven,
    CustomerChanged,
    CustomerErased,
    RequestMerged,
    RequestReclassified,
    RequestRegistered,
    RequestSolved,
    RequestSplit,
)
from shared.events.parts import PartsExpected, PartsReleased, PartsReserved, PartsShort, PartsUsed
from shared.http.pages import Link, Site
from shared.i18n import N_
from shared.inbox import on
from shared.process.loops import Loop
from shared.process.service import Service

PACKAGE: Final = Path(__file__).parent

router: Final = APIRouter()
for feature in (
    organisation,
    jobs,
    availability,
    availability_pages,
    assignment,
    tickets,
    ticket_pages,
    leadership,
    solutions,
    urgent,
    visits,
    visit_pages,
    tasks,
    task_pages,
    warroom,
    warroom_pages,
    remote,
    support,
    acceptance,
    board,
    days,
    day_pages,
    phone,
    evidence,
    reach,
    invariants,
):
    router.include_router(feature.router)


def _loops(context: ServiceContext) -> Sequence[Loop]:
    return (*acceptance_loops(context), *leave_loops(), *offer_loops())


service: Final = Service(
    "dispatch",
    router=router,
    consumers=(
        on(RequestRegistered, on_request_registered),  # first: what is in one batch with it finds its ticket
        on(RequestReclassified, on_request_reclassified),
        on(AnswerGiven, on_answer_given),
        on(RequestMerged, on_request_merged),
        on(RequestSplit, on_request_split),
        on(RequestSolved, on_request_solved),
        on(CustomerChanged, on_customer_changed),
        on(CustomerErased, on_customer_erased),
        on(PartsReserved, on_parts_reserved),
        on(PartsShort, on_parts_short),
        on(PartsExpected, on_parts_expected),
        on(PartsReleased, on_parts_expected),
        on(PartsUsed, on_parts_ended),
        on(PartsReleased, on_parts_ended),
        *promises,
        *incidents,
    ),
    loops=_loops,
    metadata=metadata,
    migrations=PACKAGE / "migrations",
    site=Site(
        PACKAGE,
        links=(
            Link(
                "/dispatch/board",
                N_("Dispatch board"),
                N_("Who does what, and what needs a decision."),
                frozenset(OVERSEERS),
            ),
            Link(
                "/dispatch/people/page",
                N_("People"),
                N_("Who is away, who is on call, and who can what."),
                frozenset(OVERSEERS),
            ),
            Link(
                "/dispatch/tasks",
                N_("Department tasks"),
                N_("What other departments are asked for on tickets, the overdue first."),
                frozenset({"department", *OVERSEERS}),
            ),
            Link(
                "/dispatch/app", N_("My work"), N_("Your jobs, the next one on top."), frozenset({"engineer"})
            ),
        ),
        feeds=(feeds.BOARD, feeds.FIGURES, board_views.GRID, board_views.QUEUE, feeds.WORK, WARROOM),
    ),
)
