"""The customer has the last word; silence is not a yes (R29, R30, decision 10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from dispatch.tickets.rules.states import State

REMIND_AFTER: Final[Sequence[timedelta]] = (timedelta(days=2), timedelta(days=4), timedelta(days=6))
CLOSE_AFTER: Final = timedelta(days=7)
LINK_LIVES: Final = timedelta(days=30)
PROOF_LIVES: Final = timedelta(hours=24)
"""How long a page may stay open before its form is too old."""

Outcome = Literal["accepted", "rejected", "unconfirmed"]


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One question to the customer, about one resolution; `outcome` is None while it is open."""

    id: UUID
    ticket_id: UUID
    episode: int
    asked_at: datetime
    reminders: int
    next_at: datetime
    outcome: Outcome | None
    answered_at: datetime | None
    reason: str | None


def next_at(asked_at: datetime, reminders: int) -> datetime:
    """When to remind again, or, when all reminders are out, when to stop waiting."""
    return asked_at + (REMIND_AFTER[reminders] if reminders < len(REMIND_AFTER) else CLOSE_AFTER)


def due(acceptance: Acceptance, now: datetime) -> Literal["wait", "remind", "close"]:
    """What to do about silence. After an outage one reminder makes up for all that were missed."""
    if acceptance.outcome is not None or now < acceptance.next_at:
        return "wait"
    return "close" if acceptance.reminders >= len(REMIND_AFTER) else "remind"


def may_come_back(acceptance: Acceptance, state: State, episode: int) -> bool:
    """Whether whoever was asked can still say that it is not right after all: their episode was the last."""
    return state == "closed" and acceptance.episode == episode
