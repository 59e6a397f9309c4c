"""The customer's page: reached by a secret link, looking changes nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.requests import Request
from fastapi.responses import HTMLResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from feedback.surveys import actions, rules, store
from shared.http.auth import allow, public
from shared.http.pages import page
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx

router = APIRouter(route_class=ServiceRoute)

Token = Annotated[str, StringConstraints(min_length=32, max_length=32, pattern=r"^[\w-]+$")]


class AnswerForm(BaseModel):
    """What the page sends; `shown_at` and `proof` come with it and tell people from link scanners."""

    model_config = ConfigDict(extra="forbid")

    score: Annotated[int, Field(ge=1, le=5)]
    comment: Annotated[str, StringConstraints(max_length=2000, strip_whitespace=True)] = ""
    shown_at: AwareDatetime
    proof: Annotated[str, StringConstraints(max_length=128)]


class RegionScore(BaseModel):
    """How satisfied one region's customers are; the mean is of answered surveys, 1 bad to 5 good (R112)."""

    region: str
    sent: int
    answered: int
    mean: float | None
    counts: list[int] = Field(description="How many gave 1, 2, 3, 4 and 5.")


@router.get("/survey/{token}", dependencies=[Depends(public())], include_in_schema=False)
async def show_survey(token: Token, request: Request, tx: ReadTx) -> HTMLResponse:
    """Ask for the score."""
    asked = await store.load_by_token(tx, rules.token_hash(token), tx.now)
    return _ask(request, token, tx.now, asked.score)


@router.post("/survey/{token}", dependencies=[Depends(public())], include_in_schema=False)
async def answer_survey(
    token: Token, request: Request, tx: WriteTx, form: Annotated[AnswerForm, Form()]
) -> HTMLResponse:
    """Keep the answer and say thank you."""
    given = rules.Given(form.score, form.shown_at, form.proof)
    if not await actions.keep_answer(tx, token, given, form.comment):
        return _ask(request, token, tx.now, None, again=True)
    return page(request, "thanks.html", score=form.score)


@router.get("/scores", dependencies=[Depends(allow("care", "operations", "admin"))])
async def read_scores(tx: ReadTx) -> list[RegionScore]:
    """Customer satisfaction by region."""
    return [
        RegionScore(
            region=row.region,
            sent=row.sent,
            answered=row.answered,
            mean=float(row.mean) if row.mean is not None else None,
            counts=[row.of_1, row.of_2, row.of_3, row.of_4, row.of_5],
        )
        for row in await store.load_scores(tx)
    ]


def _ask(
    request: Request, token: str, now: datetime, score: int | None, *, again: bool = False
) -> HTMLResponse:
    return page(
        request,
        "survey.html",
        score=score,
        again=again,
        shown_at=now.isoformat(),
        proof=rules.proof_of(token, now),
    )
