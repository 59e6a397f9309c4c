"""The quality dashboard, and its figures for other programs."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from fastapi.requests import Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from feedback.dashboard import feeds, store
from feedback.dashboard.scope import sees
from shared.http.auth import Caller, allow
from shared.http.pages import page
from shared.http.transaction import ReadTx, ServiceRoute

router = APIRouter(route_class=ServiceRoute)


class RegionScore(BaseModel):
    """How satisfied one region's customers are, of the surveys sent in the last 90 days (R112)."""

    region: str = Field(examples=["east"])
    sent: int = Field(examples=[40])
    answered: int = Field(examples=[25])
    csat: float | None = Field(
        examples=[0.88], description="Share of answers that are 4 or 5; null for fewer than 3 answers."
    )
    mean: float | None = Field(examples=[4.36], description="1 bad to 5 good; null for fewer than 3 answers.")
    counts: list[int] = Field(examples=[[1, 1, 1, 7, 15]], description="How many gave 1, 2, 3, 4 and 5.")


@router.get("/scores", dependencies=[Depends(allow(*feeds.ROLES))])
async def read_scores(tx: ReadTx, viewer: Caller) -> list[RegionScore]:
    """Customer satisfaction by region."""
    return [
        RegionScore(
            region=region,
            sent=found.sent,
            answered=found.answered,
            csat=found.csat,
            mean=found.mean,
            counts=list(found.counts),
        )
        for region, found in (await store.load_satisfaction(tx)).items()
        if sees(viewer, region)
    ]


@router.get("/dashboard", dependencies=[Depends(allow(*feeds.ROLES))], include_in_schema=False)
async def dashboard(request: Request, tx: ReadTx, viewer: Caller) -> HTMLResponse:
    """Satisfaction by region, and what customers said, live."""
    return page(request, "dashboard.html", **await feeds.shown(tx, viewer))
