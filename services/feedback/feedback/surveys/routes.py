"""The customer's page: reached by a secret link, looking changes nothing."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form
from fastapi.requests import Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

from feedback.surveys import actions, rules, store
from shared.http.auth import public
from shared.http.pages import page
from shared.http.query import any_query
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx

router = APIRouter(route_class=ServiceRoute)
_OPEN = [Depends(public()), Depends(any_query())]


def _with_short_line_ends(sent: object) -> object:
    """A form doubles each line end, the page's own limit counts it once."""
    return sent.replace("\r\n", "\n") if isinstance(sent, str) else sent


Comment = Annotated[
    str, StringConstraints(max_length=2000, strip_whitespace=True), BeforeValidator(_with_short_line_ends)
]


class AnswerForm(BaseModel):
    """What the page sends; `proof` comes with it and tells people from programs that press every button."""

    model_config = ConfigDict(extra="forbid")

    score: Literal["1", "2", "3", "4", "5"]
    comment: Comment = ""
    proof: Annotated[str, StringConstraints(max_length=100)] = ""


@router.get("/survey/{token}", dependencies=_OPEN, include_in_schema=False)
async def show_survey(token: str, request: Request, tx: ReadTx) -> HTMLResponse:
    """Ask for the score."""
    survey = await store.load_by_token(tx, rules.token_hash(token), tx.now)
    proof = rules.proof_of(token, tx.now)
    return page(request, "survey.html", score=survey.score, comment="", proof=proof, again=False)


@router.post("/survey/{token}", dependencies=_OPEN, include_in_schema=False)
async def answer_survey(
    token: str, request: Request, tx: WriteTx, form: Annotated[AnswerForm, Form()]
) -> HTMLResponse:
    """Keep the answer and say thank you; ask once more if a program may have given it."""
    score = int(form.score)
    if await actions.keep_answer(tx, token, form.proof, score, form.comment):
        return page(request, "thanks.html", score=score)
    # The old proof, if it is one: who was only too fast has been here long enough by the next press.
    proof = form.proof if rules.is_proof(token, form.proof) else rules.proof_of(token, tx.now)
    return page(request, "survey.html", score=score, comment=form.comment, proof=proof, again=True)
