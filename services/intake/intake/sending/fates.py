"""What became of each message to a customer, for those who look at a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from intake.sending import store
from intake.sending.rules import Decision, may_decide, state_now
from shared.db import Tx


@dataclass(frozen=True, slots=True)
class Fate:
    """State in the end, why it is so, and what a person may decide."""

    state: str
    why: str | None
    detail: str | None
    sent_at: datetime | None
    due_at: datetime | None
    decisions: tuple[Decision, ...]


async def fates_of(tx: Tx, said: Sequence[Any]) -> dict[UUID, Fate]:
    """By message, for those to the customer."""
    told = await store.load_told(tx, {each.request_id for each in said})
    return {each.id: fate_of(each, told.get(each.id)) for each in said if each.direction == "out"}


def fate_of(row: Any, told: Any | None) -> Fate:
    """Of one message as it stands, and what its provider told of it later."""
    state = state_now(row.state, frozenset(told.states) if told else frozenset())
    late = state == "failed" and row.state != "failed" and told is not None
    # What has waited without a way for less than a day is looked at again by itself.
    asked: tuple[Decision, ...] = ("it_arrived", "send_again")
    decisions = tuple(
        each for each in asked if may_decide(state, each) and (state != "waiting" or stuck(row))
    )
    why = "refused" if late else row.why
    detail = (told.detail or None) if told is not None and late else row.detail
    return Fate(state, why, detail, row.sent_at, row.due_at, decisions)


def stuck(row: Any) -> bool:
    """Whether a message waits for nothing that comes by itself."""
    return row.lane == "" and row.due_at is None


def told_of(fate: Fate | None) -> dict[str, Any]:
    """What an answer over HTTP says of it; nothing of what came in."""
    if fate is None:
        return {}
    return {"state": fate.state, "why": fate.why, "detail": fate.detail, "sent_at": fate.sent_at}
