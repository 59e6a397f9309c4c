"""Tasks of other departments over HTTP: lists, one with what was said, and the commands."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from dispatch.access import Viewer
from dispatch.tasks import commands, store
from dispatch.tasks.access import PEOPLE
from dispatch.tasks.actions import perform
from dispatch.tasks.lists import InDepartment, Mine, Shown, conditions, find, list_page
from dispatch.tasks.store import Head
from dispatch.tasks.views import HeadView, ListedTask, TaskDetail, TaskView
from shared.db import Tx
from shared.http.auth import Caller, Principal, allow
from shared.http.cursor import Page, Paged
from shared.http.etag import IfTold, Precondition, PreconditionMissing, show_version
from shared.http.idempotency import idempotent
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx

router: Final = APIRouter(route_class=ServiceRoute)

_READING: Final = [Depends(allow(*PEOPLE))]
_DOING: Final = [Depends(allow(*PEOPLE)), Depends(idempotent())]


@router.get("/department-tasks", dependencies=_READING)
async def tasks(
    tx: ReadTx,
    caller: Caller,
    paging: Paged,
    department: InDepartment = None,
    show: Shown = "open",
    mine: Mine = False,
) -> Page[ListedTask]:
    """Open ones first, in each what is needed first, so that the overdue lead; of one's departments alone."""
    which = await conditions(tx, Viewer.of(caller), department, show, mine)
    found = await list_page(tx, which, paging.after, paging.limit)
    shown = [ListedTask.of(each.task, tx.now, ticket=HeadView.of(each.head)) for each in found]
    places = {each.task.id: each.place for each in found}
    page: Page[ListedTask] = paging.page(shown, key=lambda each: places[each.id])  # type: ignore[arg-type]
    return page


@router.get("/department-tasks/{task_id}", dependencies=_READING)
async def task(tx: ReadTx, caller: Caller, task_id: UUID, response: Response) -> TaskDetail:
    """One task with what was done and said about it; its version is the ETag."""
    seen = await find(tx, Viewer.of(caller), task_id)
    show_version(response, seen.task.version)
    ticket = seen.ticket
    head = Head(ticket.number, ticket.title, ticket.product_line, ticket.severity)
    lines = TaskDetail.told(await store.list_lines(tx, task_id))
    detail = TaskDetail.of(seen.task, tx.now, ticket=HeadView.of(head), lines=lines)
    assert isinstance(detail, TaskDetail)
    return detail


class Doing:
    """How a command on a task arrives: from whom, on which version, in which transaction."""

    def __init__(self, response: Response, tx: WriteTx, caller: Caller, told: IfTold, task_id: UUID) -> None:
        self.tx: Tx = tx
        self._principal: Principal = caller
        self._response = response
        self._told = told
        self._task_id = task_id

    async def do(self, command: commands.Command) -> TaskView:
        seen = self._told
        if seen is None and not isinstance(command, commands.Comment):
            if command.base_version is None:
                raise PreconditionMissing
            seen = Precondition(frozenset({str(command.base_version)}))
        changed = await perform(self.tx, self._task_id, command, Viewer.of(self._principal), seen)
        show_version(self._response, changed.version)
        return TaskView.of(changed, self.tx.now)


Done = Annotated[Doing, Depends()]


@router.post("/department-tasks/{task_id}/accept", dependencies=_DOING)
async def accept(doing: Done, command: commands.Accept) -> TaskView:
    """Somebody of the department is at it, and answers for it from now on."""
    return await doing.do(command)


@router.post("/department-tasks/{task_id}/finish", dependencies=_DOING)
async def finish(doing: Done, command: commands.Finish) -> TaskView:
    """It is done; the last one that blocks lets the ticket go on."""
    return await doing.do(command)


@router.post("/department-tasks/{task_id}/decline", dependencies=_DOING)
async def decline(doing: Done, command: commands.Decline) -> TaskView:
    """The department cannot or will not; who asked decides what next."""
    return await doing.do(command)


@router.post("/department-tasks/{task_id}/reassign", dependencies=_DOING)
async def reassign(doing: Done, command: commands.Reassign) -> TaskView:
    """Somebody else of the department answers for it, and has to accept it."""
    return await doing.do(command)


@router.post("/department-tasks/{task_id}/withdraw", dependencies=_DOING)
async def withdraw(doing: Done, command: commands.Withdraw) -> TaskView:
    """It is not needed any more."""
    return await doing.do(command)


@router.post("/department-tasks/{task_id}/reopen", dependencies=_DOING)
async def reopen(doing: Done, command: commands.Reopen) -> TaskView:
    """It is needed after all, perhaps at another time."""
    return await doing.do(command)


@router.post("/department-tasks/{task_id}/comments", dependencies=_DOING)
async def comment(doing: Done, command: commands.Comment) -> TaskView:
    """Something to be known about it; no version has to be told."""
    return await doing.do(command)
