"""Take what a phone brings: one transaction for each command, so that one that fails takes none with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from fastapi.exceptions import RequestValidationError

from dispatch.access import Viewer, lock_ticket
from dispatch.phone import store
from dispatch.phone.rules import Outcome, done_before, happened_at, is_overtaken
from dispatch.tickets import commands
from dispatch.tickets.commands import Command
from dispatch.tickets.rules import Command as Name
from dispatch.tickets.work import Asked, perform
from shared.db import Database, Tx
from shared.errors import AftercareError
from shared.events.dispatch import VisitAgreed
from shared.http.etag import Precondition
from shared.http.problem import problem_of

_DATED: Final[frozenset[Name]] = frozenset(
    {"accept", "depart", "arrive", "begin_work", "pause", "resume", "resolve"}
)
"""What an engineer does by themselves: it happened when they did it, not when we came to know."""
_TIMES: Final = {"starts_at", "ends_at"}


class Overtaken(AftercareError):
    """This ticket has changed since; what you did is kept, but was not carried out. Look at the ticket."""

    kind = "conflict"


class FollowsWhatFailed(AftercareError):
    """An earlier step of yours on this ticket was not carried out, so this one was not either."""

    kind = "conflict"


class IdUsedTwice(AftercareError):
    """This id was sent before with something else; each command has an id of its own."""

    kind = "conflict"


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing done on a phone.

    make          the command itself; raises what is wrong with it
    base_version  the version of the ticket it was decided on, or
    after         the id of the command it follows, where that was not sent yet
    sent          what came, as it came: it is kept whatever becomes of it
    done_at       by the phone's clock
    """

    id: UUID
    ticket_id: UUID
    name: str
    make: Callable[[], Command]
    base_version: int | None
    after: UUID | None
    sent: Mapping[str, Any]
    done_at: datetime

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(json.dumps(self.sent, sort_keys=True).encode()).digest()


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a deed; `problem` says why where it was not carried out."""

    id: UUID
    outcome: Outcome
    version: int | None
    problem: Mapping[str, Any] | None


async def take(database: Database, deed: Deed, viewer: Viewer, sent_at: datetime, public_url: str) -> Taken:
    """Carry out a deed, once; what cannot be carried out is kept with the reason. Raises outages only."""
    try:
        return await database.transact(
            partial(_try, deed=deed, viewer=viewer, sent_at=sent_at, public_url=public_url)
        )
    except (AftercareError, RequestValidationError) as error:
        outcome: Outcome = "refused" if problem_of(error).status == 422 else "conflict"
        return await database.transact(
            partial(_keep, deed=deed, viewer=viewer, outcome=outcome, problem=_told(error))
        )


async def _try(tx: Tx, deed: Deed, viewer: Viewer, sent_at: datetime, public_url: str) -> Taken:
    if known := await store.claim(tx, _row(deed, viewer, tx.now)):
        return _again(deed, known)
    command = deed.make()
    ticket = await lock_ticket(tx, viewer, deed.ticket_id, command.name)
    since = await store.list_since(tx, ticket.id, await _base(tx, deed, viewer))
    outcome: Outcome = "already"
    version = done_before(command.name, _says(command), since, viewer.id)
    if version is None:
        if is_overtaken(command.name, since):
            raise Overtaken
        earliest = await store.last_moment(tx, ticket.id)
        at = happened_at(deed.done_at, sent_at, tx.now, earliest) if command.name in _DATED else None
        asked = Asked(
            viewer, Precondition(frozenset({str(ticket.version)})), public_url, at=at, from_phone=True
        )
        version, outcome = (await perform(tx, ticket.id, command, asked)).version, "applied"
    await store.settle(tx, viewer.id, deed.id, outcome, version)
    return Taken(deed.id, outcome, version, None)


def _says(command: Command) -> dict[str, Any]:
    """What a history keeps of a command, beside that it was carried out."""
    match command:
        case commands.Decline():
            names = {"reason"}
        case commands.Pause():
            names = {"waiting_for", "note"}
        case commands.RequestParts():
            names = {"lines"}
        case commands.InformCustomer():
            names = {"text"}
        case commands.AskDepartment():
            return {"department": command.department, "text": command.what}
        case commands.Escalate():
            return {"level": command.to, "reason": command.reason, "text": command.tried}
        case commands.ProposePlan():
            return {"minutes": command.minutes, "text": "\n".join(command.steps)}
        case commands.Resolve():
            names = {"work_note"}
        case commands.AgreeVisit():
            visit = VisitAgreed(
                visit_id=UUID(int=0), engineer_id=UUID(int=0), **command.model_dump(include=_TIMES)
            )
            return visit.model_dump(mode="json", include=_TIMES)
        case _:
            names = set()
    return command.model_dump(mode="json", include=names)


async def _base(tx: Tx, deed: Deed, viewer: Viewer) -> int:
    """The version that a deed was decided on; of one that follows another, what that one made."""
    if deed.after is None:
        assert deed.base_version is not None
        return deed.base_version
    before = await store.find(tx, viewer.id, deed.after)
    if before is None or before["version"] is None or before["ticket_id"] != deed.ticket_id:
        raise FollowsWhatFailed
    version: int = before["version"]
    return version


async def _keep(tx: Tx, deed: Deed, viewer: Viewer, outcome: Outcome, problem: Mapping[str, Any]) -> Taken:
    if known := await store.claim(tx, _row(deed, viewer, tx.now)):
        return _again(deed, known)
    await store.settle(tx, viewer.id, deed.id, outcome, None, problem)
    return Taken(deed.id, outcome, None, problem)


def _again(deed: Deed, known: store.Row) -> Taken:
    """The answer that was given before."""
    if known["digest"] != deed.digest:
        return Taken(deed.id, "refused", None, _told(IdUsedTwice()))
    return Taken(deed.id, known["outcome"], known["version"], known["problem"])


def _told(error: Exception) -> dict[str, Any]:
    """A problem as it is kept and shown: in the language of whoever sent the deed."""
    problem = problem_of(error)
    told = {"type": f"/problems/{problem.slug}", "title": problem.title, "detail": problem.detail}
    return told | dict(problem.members)


def _row(deed: Deed, viewer: Viewer, now: datetime) -> dict[str, Any]:
    return {
        "person": viewer.id,
        "id": deed.id,
        "ticket_id": deed.ticket_id,
        "name": deed.name,
        "sent": dict(deed.sent),
        "digest": deed.digest,
        "done_at": deed.done_at,
        "received_at": now,
        "outcome": "conflict",
    }
