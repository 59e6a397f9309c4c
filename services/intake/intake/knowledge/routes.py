"""The knowledge base for those who work here: search, read, write, review, and what helps with a request."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from intake.knowledge import actions, rules, store
from intake.knowledge.input import ArticleForm, ReviewForm, Searched, SeenForm, UseForm
from intake.messages import store as messages
from intake.requests import access
from shared.db import Tx
from shared.db.audit import record
from shared.http.auth import Caller, Principal, Role, allow
from shared.http.pages import page
from shared.http.scope import service_of
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.i18n import day_of

router = APIRouter(route_class=ServiceRoute, include_in_schema=False)

READERS: Final[frozenset[Role]] = frozenset(
    {"care", "dispatcher", "operations", "admin", "engineer", "storekeeper", "knowledge"}
)
EDITORS: Final[frozenset[Role]] = frozenset({"care", "knowledge", "admin"})
"""Who looks after the knowledge base (R124: for the knowledge administrator it is the work)."""
_DESK: Final[frozenset[Role]] = frozenset({"care", "dispatcher", "operations", "admin"})
SHOWN: Final = 200
MOST_FOUND: Final = 30
MOST_SUGGESTED: Final = 5

_READERS = [Depends(allow(*READERS))]
_EDITORS = [Depends(allow(*EDITORS))]
_AGENTS = [Depends(allow("care", "dispatcher", "admin"))]


@router.get("/knowledge", dependencies=_READERS)
async def knowledge(
    request: Request, tx: ReadTx, caller: Caller, q: Annotated[Searched, Query()] = ""
) -> HTMLResponse:
    """What is searched for, what is due for review, and everything there is."""
    editor = _edits(caller)
    today = day_of(tx.now)
    articles = await store.load_all(tx, SHOWN, drafts=editor)
    return page(
        request,
        "knowledge.html",
        q=q,
        found=await store.search(tx, rules.asked_for(q), MOST_FOUND) if q else None,
        articles=articles,
        due=await store.load_all(tx, SHOWN, drafts=False, due_on=today) if editor else [],
        uses=await store.load_uses(tx, [each.id for each, _ in articles]),
        today=today,
        next_on=rules.next_review(today),
        may_edit=editor,
    )


@router.get("/knowledge/suggestions", dependencies=[Depends(allow(*_DESK))])
async def suggestions(
    request: Request,
    caller: Caller,
    id: Annotated[UUID | None, Query(alias="request")] = None,
    text: Annotated[Searched, Query()] = "",
) -> HTMLResponse:
    """What may help with a request, or with what is being written; that it was suggested is remembered."""
    find = partial(_suggest, request=request, viewer=caller, request_id=id, text=text)
    return await service_of(request).database.transact(find)


@router.get("/knowledge/new", dependencies=_EDITORS)
async def new(request: Request, tx: ReadTx, caller: Caller) -> HTMLResponse:
    """An empty form."""
    due = rules.next_review(day_of(tx.now))
    about = rules.About("faq", "zh", None, "internal", caller.id, due)
    return page(request, "article_form.html", article=None, about=about, content=rules.Content("", ""))


@router.post("/knowledge", dependencies=_EDITORS)
async def write(tx: WriteTx, caller: Caller, form: Annotated[ArticleForm, Form()]) -> RedirectResponse:
    """A new draft."""
    id = await actions.write(tx, form.about, form.content, caller.id)
    return await _done(tx, caller, id, "article_written")


@router.get("/knowledge/{id}", dependencies=_READERS)
async def one(
    id: UUID, request: Request, tx: ReadTx, caller: Caller, version: Annotated[int, Query(ge=0)] = 0
) -> HTMLResponse:
    """One article; for editors every version of it."""
    article, editor = await store.load(tx, id), _edits(caller)
    shown = version if version and editor else rules.shown_to(article, editor=editor)
    if shown is None:
        raise store.NoSuchArticle
    today = day_of(tx.now)
    return page(
        request,
        "article.html",
        article=article,
        shown=shown,
        content=await store.load_content(tx, id, shown),
        versions=await store.load_versions(tx, id) if editor else [],
        uses=(await store.load_uses(tx, [id]))[id],
        today=today,
        next_on=rules.next_review(today),
        may_edit=editor,
    )


@router.get("/knowledge/{id}/edit", dependencies=_EDITORS)
async def edit(id: UUID, request: Request, tx: ReadTx) -> HTMLResponse:
    """The latest version, to be changed."""
    article = await store.load(tx, id)
    content = await store.load_content(tx, id, article.latest)
    return page(request, "article_form.html", article=article, about=article.about, content=content)


@router.post("/knowledge/{id}", dependencies=_EDITORS)
async def revise(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[ArticleForm, Form()]
) -> RedirectResponse:
    """One more version."""
    await actions.revise(tx, id, form.about, form.content, caller.id, form.seen or 0)
    return await _done(tx, caller, id, "article_revised")


@router.post("/knowledge/{id}/publish", dependencies=_EDITORS)
async def publish(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[SeenForm, Form()]
) -> RedirectResponse:
    """Readers see the latest version."""
    await actions.publish(tx, id, form.seen)
    return await _done(tx, caller, id, "article_published")


@router.post("/knowledge/{id}/retire", dependencies=_EDITORS)
async def retire(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[SeenForm, Form()]
) -> RedirectResponse:
    """Nobody finds it any more."""
    await actions.retire(tx, id)
    return await _done(tx, caller, id, "article_retired")


@router.post("/knowledge/{id}/review", dependencies=_EDITORS)
async def review(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[ReviewForm, Form()]
) -> RedirectResponse:
    """It was read and is right."""
    await actions.review(tx, id, form.seen, form.next_on)
    return await _done(tx, caller, id, "article_reviewed")


@router.post("/knowledge/{id}/uses", dependencies=_AGENTS, status_code=204)
async def use(id: UUID, tx: WriteTx, caller: Caller, form: Annotated[UseForm, Form()]) -> Response:
    """It went into an answer, or helped."""
    await access.load(tx, caller, form.request)
    await store.note_use(tx, [(await store.load(tx, id)).id], form.what, form.request)
    return Response(status_code=204)


async def _suggest(
    tx: Tx, request: Request, viewer: Principal, request_id: UUID | None, text: str
) -> HTMLResponse:
    about, product_line, used = "", None, {}
    if request_id is not None:
        asked = await access.load(tx, viewer, request_id)
        said = await messages.load_conversation(tx, request_id)
        first = next((each.text for each in said if each.direction == "in"), "")
        about, product_line = f"{asked.title}\n{first}", asked.product_line
        used = await store.load_used(tx, request_id)
    found: list[store.Found] = []
    # What is being written says best what is needed; without it, or where it finds nothing, the request does.
    for words in (text, about):
        wanted = rules.asked_for(words)
        least = rules.least_overlap(wanted)
        found = found or await store.search(
            tx, wanted, MOST_SUGGESTED, least=least, product_line=product_line
        )
    if request_id is not None:
        await store.note_use(tx, [each.id for each in found], "suggested", request_id)
    return page(request, "suggestions.html", found=found, used=used, asked_id=request_id)


async def _done(tx: Tx, caller: Principal, id: UUID, action: str) -> RedirectResponse:
    await record(tx, caller.id, action, str(id), {})
    return RedirectResponse(f"/intake/knowledge/{id}", status_code=303)


def _edits(caller: Principal) -> bool:
    return bool(caller.roles & EDITORS)
