"""People merge requests that are one, and split them again; nothing of either is lost."""

from __future__ import annotations

from uuid import UUID

from intake.duplicates import rules, store
from intake.duplicates.rules import Suggestion
from intake.requests import store as requests
from intake.requests.store import Request
from shared.db import Tx
from shared.errors import AftercareError
from shared.events.intake import RequestMerged, RequestSplit
from shared.outbox.emit import emit


class SameRequest(AftercareError):
    """A request cannot be merged with itself; name another one."""


class DifferentCustomers(AftercareError):
    """These are of different customers, who must not read each other's words."""

    kind = "conflict"


class MergedAlready(AftercareError):
    """One of the two is merged with another request already; split it first, or merge with that one."""

    kind = "conflict"


class NotMerged(AftercareError):
    """These two are not merged; load the page again."""

    kind = "conflict"


async def suggestions(tx: Tx, of: Request) -> list[Suggestion]:
    """Requests that seem to be the same as this one, and that nobody decided about."""
    told = await store.load_told(
        tx, of.customer_id, of.received_at - rules.WINDOW, of.received_at + rules.WINDOW
    )
    mine = next((each for each in told if each.id == of.id), None)
    if mine is None:
        return []
    pairs = await store.load_pairs(tx, [each.id for each in told])
    decided = {request for request, main, _ in pairs if main == of.id}
    decided |= {main for request, main, _ in pairs if request == of.id}
    # What is part of another one already is looked at there.
    decided |= {request for request, _, state in pairs if state == "merged"}
    if of.id in {request for request, _, state in pairs if state == "merged"}:
        return []
    return rules.suggest(mine, told, decided)


async def merge(tx: Tx, one: UUID, other: UUID, by: UUID) -> UUID:
    """The newer of the two becomes part of the older one, whose id is returned."""
    main, newer = await _lock_both(tx, one, other)
    if main.customer_id != newer.customer_id:
        raise DifferentCustomers
    pairs = await store.load_pairs(tx, sorted((one, other)))
    parts = {request for request, _, state in pairs if state == "merged"}
    wholes = {whole for _, whole, state in pairs if state == "merged"}
    if newer.id in parts | wholes or main.id in parts:
        raise MergedAlready
    await store.save_step(tx, newer.id, main.id, "merged", str(by))
    await _tell(tx, newer, main, RequestMerged(main_id=main.id, ticket_id=newer.ticket_id, by=by))
    return main.id


async def split(tx: Tx, duplicate: UUID, main: UUID, by: UUID) -> None:
    """They are two after all; each has what it had."""
    older, newer = await _lock_both(tx, duplicate, main)
    if (newer.id, older.id, "merged") not in await store.load_pairs(tx, [newer.id]):
        raise NotMerged
    await store.save_step(tx, newer.id, older.id, "split", str(by))
    await _tell(tx, newer, older, RequestSplit(main_id=older.id, ticket_id=newer.ticket_id, by=by))


async def keep_apart(tx: Tx, one: UUID, other: UUID, by: UUID) -> None:
    """They only look alike; it is not suggested again."""
    older, newer = await _lock_both(tx, one, other)
    if (newer.id, older.id, "merged") in await store.load_pairs(tx, [newer.id]):
        raise MergedAlready
    await store.save_step(tx, newer.id, older.id, "kept_apart", str(by))


async def _lock_both(tx: Tx, one: UUID, other: UUID) -> tuple[Request, Request]:
    """The older and the newer, held."""
    if one == other:
        raise SameRequest
    held = [await requests.lock(tx, each) for each in sorted((one, other))]
    older, newer = sorted(held, key=lambda it: (it.received_at, it.id))
    return older, newer


async def _tell(tx: Tx, newer: Request, main: Request, payload: RequestMerged | RequestSplit) -> None:
    for each in (newer, main):
        await requests.save(tx, each.id)
    emit(tx, payload, subject=newer.id, sequence=newer.version + 1)
