"""What becomes of what a phone did while it was away, pure.

A phone sends its commands when it is back, in the order they were given. Each was decided on the ticket as
the phone knew it. What only adds to a ticket is done whatever has happened since. What moves it is done where
nothing has happened since but such additions, is recognised where the same person did it already on another
phone, and is else a conflict: kept, and shown to the person as a question. Nothing is dropped or guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal

from dispatch.leadership.rules import ACKNOWLEDGED
from dispatch.progress.rules import INFORMED
from dispatch.remote.rules import HELPED
from dispatch.solutions.rules import DECIDED, PROPOSED
from dispatch.support.rules import TOLD as SUPPORT
from dispatch.tasks.steps import TOLD
from dispatch.tickets.rules import MOVES, Command, State
from dispatch.warroom.rules import NOTED

Outcome = Literal["applied", "already", "conflict", "refused"]
"""Done now; was done already; cannot be done any more as it was meant; could never be done as it was sent."""

ADDS: Final[frozenset[Command]] = frozenset(
    {"request_parts", "inform_customer", "ask_department", "tick", "log_work", "offer_visit"}
)
"""What commutes: it adds to a ticket, and takes nothing back that somebody else may have done."""
_ADDITIONS: Final = frozenset(
    {
        ACKNOWLEDGED,
        INFORMED,
        PROPOSED,
        DECIDED,
        NOTED,
        HELPED,
        "parts_requested",
        "work_noted",
        "visit_offered",
        *TOLD,
        *SUPPORT,
    }
)
"""What a history says of additions."""
_SAID: Final[Mapping[Command, str]] = {
    "accept": "assignment_accepted",
    "decline": "assignment_declined",
    "agree_visit": "visit_agreed",
    "offer_visit": "visit_offered",
    "cancel_visit": "visit_cancelled",
    "depart": "engineer_departed",
    "arrive": "engineer_arrived",
    "begin_work": "ticket_progressed",
    "pause": "ticket_paused",
    "resume": "ticket_resumed",
    "request_parts": "parts_requested",
    "inform_customer": INFORMED,
    "ask_department": "task_asked",
    "escalate": "ticket_escalated",
    "propose_plan": "plan_proposed",
    "resolve": "ticket_resolved",
}
"""What a history calls a command that was carried out."""
LEADS_TO: Final[Mapping[Command, State]] = {
    name: move.to[0]
    for name, move in MOVES.items()
    if name == "accept" or (len(move.to) == 1 and name != "assign")
}
"""Where a command leads whatever the ticket is: what a phone without a network may count on.

Who accepts may find a visit agreed: what they can do then is the same.
"""


Line = Mapping[str, Any]
"""A line of a ticket's history."""


def done_before(command: Command, says: Line, since: Iterable[Line], by: str) -> int | None:
    """The version in which `by` did the very same after the version it was decided on; None if they did not.

    `says` is what a history keeps of it. It was done on another phone then, or on this one, which never
    heard the answer.
    """
    same = (line for line in since if line["by"] == by and line["what"] == _SAID.get(command))
    return next(
        (line["version"] for line in same if all(line["facts"].get(name) == says[name] for name in says)),
        None,
    )


def is_overtaken(command: Command, since: Iterable[Line]) -> bool:
    """Whether what happened since forbids to carry it out unseen."""
    return command not in ADDS and any(line["what"] not in _ADDITIONS for line in since)


def happened_at(done_at: datetime, sent_at: datetime, now: datetime, earliest: datetime) -> datetime:
    """When something was done that a phone tells of later, by our clock.

    `done_at` and `sent_at` are the phone's clock, which is as wrong now as it was then: what counts is how
    long ago it was done when it was sent, before `now`. Never before `earliest`, the step it followed, so
    that an arrival cannot be dated before it was left for.
    """
    return max(earliest, min(now, now - (sent_at - done_at)))
