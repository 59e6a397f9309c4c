"""The whole life of a ticket as one table: which command is possible in which state, and where it leads.

The diagram in `docs/tickets.md` is drawn from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

State = Literal[
    "opened",
    "needs_decision",
    "assigned",
    "accepted",
    "visit_agreed",
    "travelling",
    "on_site",
    "working",
    "waiting",
    "resolved",
    "closed",
    "cancelled",
]
Command = Literal[
    "assign",
    "accept",
    "decline",
    "agree_visit",
    "offer_visit",
    "cancel_visit",
    "depart",
    "arrive",
    "begin_work",
    "pause",
    "resume",
    "request_parts",
    "tick",
    "log_work",
    "plan_work",
    "inform_customer",
    "ask_department",
    "escalate",
    "deescalate",
    "propose_plan",
    "sign_plan",
    "resolve",
    "accept_result",
    "reject_result",
    "close_unconfirmed",
    "cancel",
    "reopen",
]

STATES: Final[tuple[State, ...]] = get_args(State)
ENDED: Final[frozenset[State]] = frozenset({"closed", "cancelled"})
"""Nothing is to be done any more; what happens after that is another episode."""
BEFORE_WORK: Final[frozenset[State]] = frozenset({"opened", "needs_decision", "assigned"})
"""Nobody has begun: the rules may choose anew."""
AT_WORK: Final[tuple[State, ...]] = ("accepted", "visit_agreed", "travelling", "on_site", "working")
"""An engineer has taken it, and nothing is waited for."""
WORKING: Final[frozenset[State]] = frozenset({"assigned", *AT_WORK, "waiting"})
"""The states that count as load for the engineer and the supervisor."""
UNRESOLVED: Final[tuple[State, ...]] = ("opened", "needs_decision", "assigned", *AT_WORK, "waiting")


@dataclass(frozen=True, slots=True)
class Move:
    """One command.

    within  the states it is possible in
    to      where it leads; several where that is decided then, none where the ticket stays as it is
    back    it leads to where the ticket was before it waited
    """

    within: frozenset[State]
    to: tuple[State, ...] = ()
    back: bool = False


def _move(within: Iterable[State], *to: State, back: bool = False) -> Move:
    return Move(frozenset(within), to, back)


MOVES: Final[Mapping[Command, Move]] = {
    "assign": _move(UNRESOLVED, "assigned"),
    "accept": _move(("assigned",), "accepted", "visit_agreed"),  # where the one before had agreed a visit
    "decline": _move(("assigned",), "assigned", "needs_decision"),  # the next one, as long as there is one
    "agree_visit": _move(("accepted", "visit_agreed", "on_site", "working", "waiting"), "visit_agreed"),
    "offer_visit": _move(("assigned", "accepted", "visit_agreed", "waiting")),
    "cancel_visit": _move(("accepted", "visit_agreed", "travelling", "on_site"), "accepted"),
    "depart": _move(("accepted", "visit_agreed"), "travelling"),
    "arrive": _move(("travelling",), "on_site"),
    "begin_work": _move(("accepted", "visit_agreed", "on_site"), "working"),  # R26: at the site or from afar
    "pause": _move(AT_WORK, "waiting"),
    "resume": _move(("waiting",), back=True),
    "request_parts": _move(("accepted", "visit_agreed", "on_site", "working", "waiting")),
    "tick": _move((*AT_WORK, "waiting")),
    "log_work": _move((*AT_WORK, "waiting")),
    "plan_work": _move(UNRESOLVED),
    "inform_customer": _move(UNRESOLVED),
    "ask_department": _move(UNRESOLVED),  # what blocks lets it wait besides, where somebody is at work
    "escalate": _move(WORKING),  # who takes it over is asked like anybody who is assigned
    "deescalate": _move(UNRESOLVED),
    "propose_plan": _move(WORKING),
    "sign_plan": _move(UNRESOLVED),
    "resolve": _move(("on_site", "working"), "resolved"),
    "accept_result": _move(("resolved",), "closed"),
    "reject_result": _move(("resolved",), "accepted"),  # R29: the same episode goes on
    "close_unconfirmed": _move(("resolved",), "closed"),
    "cancel": _move(UNRESOLVED, "cancelled"),
    "reopen": _move(sorted(ENDED), "assigned", "needs_decision"),
}
AUTOMATIC: Final[Mapping[str, Move]] = {
    "the engineer left": _move(WORKING, "assigned", "needs_decision"),
    "graded anew": _move(BEFORE_WORK, "assigned", "needs_decision"),
}
"""What happens to a ticket without anybody asking for it."""
ALLOWED: Final[Mapping[State, frozenset[Command]]] = {
    state: frozenset(command for command, move in MOVES.items() if state in move.within) for state in STATES
}
