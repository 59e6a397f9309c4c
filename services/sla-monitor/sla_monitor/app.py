"""The whole service on one screen."""

from pathlib import Path

from fastapi import APIRouter

from shared.http.transaction import ServiceRoute
from shared.process.service import Service
from sla_monitor.alerts.routes import router as alerts
from sla_monitor.board.routes import router as board
from sla_monitor.board.routes import site
from sla_monitor.clocks.consumers import consumers
from sla_monitor.clocks.loops import loops
from sla_monitor.clocks.routes import router as clocks
from sla_monitor.tables import metadata

HERE = Path(__file__).parent

router = APIRouter(route_class=ServiceRoute)
for each in (clocks, alerts, board):
    router.include_router(each)

service = Service(
    name="sla",
    router=router,
    consumers=consumers,
    loops=loops,
    metadata=metadata,
    migrations=HERE / "migrations",
    site=site,
    hears=True,
)
