"""The whole service on one screen."""

from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter

from shared.context import ServiceContext
from shared.http.transaction import ServiceRoute
from shared.process.loops import Loop
from shared.process.service import Service
from sla_monitor.alerts.loops import loops as ladders
from sla_monitor.alerts.routes import router as alerts
from sla_monitor.board.past import router as past
from sla_monitor.board.routes import router as board
from sla_monitor.board.routes import site
from sla_monitor.calendars.editing import router as calendar_editor
from sla_monitor.calendars.routes import router as calendars
from sla_monitor.clocks.consumers import consumers
from sla_monitor.clocks.loops import loops as timers
from sla_monitor.clocks.routes import router as clocks
from sla_monitor.moves.loops import loops as moving
from sla_monitor.moves.routes import router as moves
from sla_monitor.policies.editor import router as policy_editor
from sla_monitor.policies.routes import router as policies
from sla_monitor.replay.explained import router as explained
from sla_monitor.replay.imports import consumers as imports
from sla_monitor.replay.loops import loops as replaying
from sla_monitor.replay.pages import router as replay_pages
from sla_monitor.replay.routes import router as replays
from sla_monitor.service_policy.routes import router as service_policy
from sla_monitor.sinks.loops import loops as lanes
from sla_monitor.sinks.routes import router as sinks
from sla_monitor.tables import metadata

HERE = Path(__file__).parent

router = APIRouter(route_class=ServiceRoute)
for each in (
    clocks,
    alerts,
    sinks,
    calendars,
    calendar_editor,
    replays,
    replay_pages,
    explained,
    policies,
    policy_editor,
    moves,
    service_policy,
    past,
    board,
):
    router.include_router(each)


def loops(context: ServiceContext) -> Sequence[Loop]:
    return (*timers(context), *ladders(context), *lanes(context), *replaying(context), *moving(context))


service = Service(
    name="sla",
    router=router,
    consumers=(*consumers, *imports),
    loops=loops,
    metadata=metadata,
    migrations=HERE / "migrations",
    site=site,
    hears=True,
)
