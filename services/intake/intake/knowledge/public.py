"""Self-help for customers: what is public and published, found in Chinese and English (R118)."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse

from intake.knowledge import rules, store
from intake.knowledge.input import OpinionForm, Searched
from shared.db import Tx
from shared.http.auth import public
from shared.http.pages import page
from shared.http.query import any_query
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx

router = APIRouter(route_class=ServiceRoute, include_in_schema=False)

SHOWN: Final = 100
MOST_FOUND: Final = 20
_OPEN = [Depends(public()), Depends(any_query())]


@router.get("/help", dependencies=_OPEN)
async def help_page(request: Request, tx: ReadTx, q: Annotated[Searched, Query()] = "") -> HTMLResponse:
    """Search, and what there is."""
    return page(
        request,
        "help.html",
        q=q,
        found=await store.search(tx, rules.asked_for(q), MOST_FOUND, everybody=True) if q else None,
        articles=await store.load_all(tx, SHOWN, drafts=False, everybody=True),
    )


@router.get("/help/{id}", dependencies=_OPEN)
async def help_article(id: UUID, request: Request, tx: ReadTx) -> HTMLResponse:
    """One public article."""
    return await _shown(tx, request, id, thanks=False)


@router.post("/help/{id}", dependencies=_OPEN)
async def opinion(
    id: UUID, request: Request, tx: WriteTx, form: Annotated[OpinionForm, Form()]
) -> HTMLResponse:
    """Whether it helped."""
    answer = await _shown(tx, request, id, thanks=True)
    await store.note_use(tx, [id], "helped" if form.helped == "yes" else "did_not_help", None)
    return answer


async def _shown(tx: Tx, request: Request, id: UUID, *, thanks: bool) -> HTMLResponse:
    article = await store.load(tx, id)
    version = rules.shown_to(article, editor=False, everybody=True)
    if version is None:
        raise store.NoSuchArticle
    content = await store.load_content(tx, id, version)
    return page(request, "help_article.html", article=article, content=content, thanks=thanks)
