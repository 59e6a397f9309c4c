"""The page of a department's people, the page of one task, and their forms."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from dispatch.access import Viewer, sees
from dispatch.organisation.store import load_departments, load_names, load_persons
from dispatch.tasks import commands, store
from dispatch.tasks.access import PEOPLE, departments_of, may
from dispatch.tasks.actions import perform
from dispatch.tasks.lists import InDepartment, Mine, Seen, Shown, conditions, find, list_page
from dispatch.tasks.rules import ALLOWED, Task
from dispatch.tickets.pages import checked
from shared.http.auth import Caller, allow
from shared.http.cursor import Paged
from shared.http.etag import Precondition
from shared.http.pages import page
from shared.http.sign_in import local_path
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.i18n import ZONE

router: Final = APIRouter(route_class=ServiceRoute, include_in_schema=False)
HERE: Final = "/dispatch/tasks"


class Filled(BaseModel):
    """A form about a task as it was filled in; which fields matter depends on the command."""

    model_config = ConfigDict(extra="forbid")

    do: Literal["accept", "finish", "decline", "reassign", "withdraw", "reopen", "comment"]
    base_version: Annotated[int, Field(ge=1, le=2**53)]
    csrf: str = ""
    back: Annotated[str, Field(max_length=500)] = ""
    text: str = ""
    person_id: str = ""
    needed_by: datetime | None = None


_MAKE: Final[dict[str, tuple[type[commands.Command], str | None]]] = {
    "accept": (commands.Accept, None),
    "finish": (commands.Finish, "answer"),
    "decline": (commands.Decline, "reason"),
    "reassign": (commands.Reassign, "reason"),
    "withdraw": (commands.Withdraw, "reason"),
    "reopen": (commands.Reopen, "reason"),
    "comment": (commands.Comment, "text"),
}
"""The command of each form, and what it calls the text."""


def command_of(filled: Filled) -> commands.Command:
    """Raises what is wrong with a form as if a program had sent it."""
    kind, name = _MAKE[filled.do]
    fields: dict[str, Any] = {name: filled.text} if name else {}
    if filled.do == "reassign":
        fields["person_id"] = filled.person_id
    if filled.do == "reopen" and filled.needed_by is not None:
        needed_by = filled.needed_by  # a browser's date field knows no zone: the time on the wall here
        fields["needed_by"] = needed_by.replace(tzinfo=needed_by.tzinfo or ZONE)
    return checked(kind, fields)


@router.get("/tasks", dependencies=[Depends(allow(*PEOPLE))])
async def show(
    request: Request,
    tx: ReadTx,
    caller: Caller,
    paging: Paged,
    department: InDepartment = None,
    show: Shown = "open",
    mine: Mine = False,
) -> Response:
    """What somebody's department is asked for, the overdue first; who oversees sees every department's."""
    viewer = Viewer.of(caller)
    everywhere = await load_departments(tx)
    own = departments_of(viewer, everywhere)
    which = await conditions(tx, viewer, department, show, mine)
    found = await list_page(tx, which, paging.after, paging.limit)
    listed = paging.page(found, key=lambda each: each.place)
    count, late = await store.count_late(tx, await conditions(tx, viewer, department, "open", mine), tx.now)
    chosen = {"department": department or "", "show": show, "mine": "true" if mine else ""}
    kept = {name: value for name, value in chosen.items() if value}
    following = urlencode({**kept, "cursor": listed.next}) if listed.next else ""
    return page(
        request,
        "tasks.html",
        found=listed.items,
        names=await load_names(tx, {each.task.owner_id for each in listed.items}),
        departments={each.code: each.name for each in everywhere},
        choice=everywhere if viewer.oversees else own,
        own={each.code for each in own},
        viewer_id=viewer.person_id,
        is_admin=viewer.is_admin,
        open_count=count,
        late_count=late,
        chosen=chosen,
        following=following,
        here_with=f"{HERE}?{urlencode(kept)}",
    )


@router.get("/tasks/{task_id}", dependencies=[Depends(allow(*PEOPLE))])
async def one(request: Request, tx: ReadTx, caller: Caller, task_id: UUID) -> Response:
    """One task: what is asked for, by when, who answers, and what was said."""
    viewer = Viewer.of(caller)
    seen = await find(tx, viewer, task_id)
    lines = await store.list_lines(tx, task_id)
    everywhere = {each.code: each for each in await load_departments(tx)}
    department = everywhere.get(seen.task.department)
    others = await load_persons(tx, department.people if department else ())
    possible = {
        each for each in ALLOWED[seen.task.state] if may(viewer, seen.task, seen.ticket, each, seen.own)
    }
    return page(
        request,
        "task.html",
        task=seen.task,
        ticket=seen.ticket,
        sees_ticket=sees(viewer, seen.ticket),
        department=department.name if department else seen.task.department,
        possible=possible,
        lines=lines,
        names=await load_names(tx, _people(seen, lines)),
        others=[each for each in others.values() if each.active and each.id != seen.task.owner_id],
    )


def _people(seen: Seen, lines: Any) -> set[UUID]:
    known = {seen.task.owner_id, *(each["owner_id"] for each in lines)}
    for principal in (seen.task.asked_by, *(each["by"] for each in lines)):
        try:
            known.add(UUID(principal))
        except (TypeError, ValueError):  # an account that is no employee's, or the service itself
            continue
    return known


@router.post("/tasks/{task_id}", dependencies=[Depends(allow(*PEOPLE))])
async def change(tx: WriteTx, caller: Caller, task_id: UUID, filled: Annotated[Filled, Form()]) -> Response:
    """Do what a form asks for, then show where it came from."""
    command = command_of(filled)
    seen = None if filled.do == "comment" else Precondition(frozenset({str(filled.base_version)}))
    changed: Task = await perform(tx, task_id, command, Viewer.of(caller), seen)
    return RedirectResponse(local_path(filled.back) if filled.back else f"{HERE}/{changed.id}", 303)
