"""What happened to a request, one after the other: messages, notes, calls, and that it was solved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from intake.calls import store as calls
from intake.messages import store as messages
from intake.notes import store as notes
from intake.requests.store import Request
from shared.clock import made_at
from shared.db import Tx

What = Literal["message", "note", "call", "solved"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened; `it` is the row, for a call with its events."""

    at: datetime
    what: What
    it: Any


@dataclass(frozen=True, slots=True)
class Call:
    """One call with what the telephone system told of it, in order; times are as the system had them."""

    id: Any
    state: str
    recorded: bool
    events: Sequence[Any]


async def load(tx: Tx, asked: Request) -> list[Entry]:
    """The oldest first; what is merged into the request stands in its place among the rest."""
    said = [
        Entry(made_at(each.id), "message", each) for each in await messages.load_conversation(tx, asked.id)
    ]
    noted = [Entry(made_at(each.id), "note", each) for each in await notes.load_of(tx, asked.id)]
    rang = await _calls(tx, asked)
    return in_order([*rang, *said, *noted, *_solved(asked, said)])


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """By time; at one time as they were given."""
    return sorted(entries, key=lambda entry: entry.at)


def _solved(asked: Request, said: Sequence[Entry]) -> Sequence[Entry]:
    """Behind the answer that it was: that was made in the transaction whose beginning is the instant."""
    if asked.solved_at is None:
        return ()
    answers = (each.at for each in said if each.it.direction == "out" and each.at >= asked.solved_at)
    return (Entry(next(answers, asked.solved_at), "solved", asked),)


async def _calls(tx: Tx, asked: Request) -> list[Entry]:
    found = await calls.load_of_request(tx, asked.id)
    told = await calls.load_events(tx, [each.id for each in found])
    return [
        Entry(each.rang_at, "call", Call(each.id, each.state, each.recorded, told[each.id])) for each in found
    ]
