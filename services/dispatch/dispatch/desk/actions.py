"""Requests that are one, that are two after all, and that the desk has solved by itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from dispatch.desk import store
from dispatch.desk.store import RequestTold
from dispatch.tickets import rules
from dispatch.tickets import store as tickets
from dispatch.tickets.actions import reopen
from dispatch.tickets.record import Change, record
from dispatch.tickets.rules import Ticket
from dispatch.visits.store import end_visits
from shared.db import Tx, lock_subjects
from shared.events import Event
from shared.events.dispatch import CancelledAs
from shared.events.intake import RequestMerged, RequestSolved, RequestSplit

Causes = Mapping[UUID, Event[Any]]
"""By request."""

_NO_CAUSES: Final[Causes] = {}
_WHY: Final = "the requests were found to be two after all"


async def join(tx: Tx, told: Sequence[Event[RequestMerged] | Event[RequestSplit]]) -> None:
    """Keep which request is part of which, and let the tickets follow."""
    newest = {UUID(event.subject): event for event in sorted(told, key=lambda event: event.version)}
    # Their tickets may be opened right now: each of the two has to see the other.
    await lock_subjects(tx, [str(event.data.main_id) for event in newest.values()])
    news = await store.save_joined(
        tx,
        [
            (each, event.data.main_id, isinstance(event.data, RequestMerged), event.version)
            for each, event in newest.items()
        ],
    )
    await follow(tx, news, newest)


async def solve(tx: Tx, told: Sequence[Event[RequestSolved]]) -> None:
    """There is nothing else to do for them."""
    newest = {UUID(event.subject): event for event in sorted(told, key=lambda event: event.version)}
    news = await store.save_solved(tx, {each: event.version for each, event in newest.items()})
    found = await tickets.lock_by_request(tx, news)
    await _cancel(tx, [(ticket, None) for ticket in found.values()], "solved_at_desk", newest)


async def follow(tx: Tx, requests: Collection[UUID], causes: Causes = _NO_CAUSES) -> None:
    """Bring the tickets of `requests` to what the desk said last; new ones hear what was said before."""
    told = await store.load_requests(tx, requests)
    if not told:
        return
    both = {each.request_id for each in told} | {each.main_id for each in told if each.main_id}
    found = await tickets.lock_by_request(tx, both)
    doubled = list(_doubled(told, found))
    await _cancel(tx, doubled, "duplicate", causes)
    if not causes:  # new tickets; what was said of older ones was heeded then
        gone = {ticket.id for ticket, _ in doubled}
        solved = [found[each.request_id] for each in told if each.solved_version and each.request_id in found]
        here = [(each, None) for each in solved if each.id not in gone and each.request_id in requests]
        await _cancel(tx, here, "solved_at_desk", causes)
    parted = [found[each.request_id] for each in told if _is_parted(each, found)]
    await record(tx, await reopen(tx, parted, _WHY, "desk"), None)


def _doubled(
    told: Sequence[RequestTold], found: Mapping[UUID, Ticket]
) -> Iterator[tuple[Ticket, UUID | None]]:
    """Tickets of requests that are part of one whose ticket is open, with that ticket."""
    for each in told:
        ticket, main = _pair(each, found)
        if each.merged and ticket and main and main.is_open:
            yield ticket, main.id


def _is_parted(each: RequestTold, found: Mapping[UUID, Ticket]) -> bool:
    ticket, main = _pair(each, found)
    return bool(not each.merged and ticket and main and ticket.duplicate_of == main.id)


def _pair(each: RequestTold, found: Mapping[UUID, Ticket]) -> tuple[Ticket | None, Ticket | None]:
    return found.get(each.request_id), found.get(each.main_id) if each.main_id else None


async def _cancel(
    tx: Tx, which: Sequence[tuple[Ticket, UUID | None]], reason: CancelledAs, causes: Causes
) -> None:
    """Those that may still be cancelled; where the customer already tries a result, it goes on."""
    changes = [
        Change(
            ticket,
            rules.cancel(ticket, reason, "", None, duplicate_of),
            cause=causes.get(ticket.request_id),
        )
        for ticket, duplicate_of in which
        if "cancel" in ticket.allowed
    ]
    await end_visits(tx, [change.after.id for change in changes], "cancelled")
    await record(tx, changes, None)
