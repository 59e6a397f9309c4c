"""What happened to a customer's request, in words for customers, from what other services told (R27).

Pure. The events may come in any order and more than once: they are told by when they happened. Who works on
it is told by function, never by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from shared.i18n import N_

State = Literal[
    "received",
    "open",
    "assigned",
    "visit_agreed",
    "travelling",
    "on_site",
    "working",
    "parts",
    "you",
    "others",
    "resolved",
    "ended",
]
Window = tuple[datetime, datetime]

NOW: Final[Mapping[State, str]] = {
    "received": N_("We received your request."),
    "open": N_("One person answers for your request."),
    "assigned": N_("It is in an engineer’s hands."),
    "visit_agreed": N_("A visit is agreed on."),
    "travelling": N_("The engineer is on the way to you."),
    "on_site": N_("The engineer is at work at your place."),
    "working": N_("We are working on it."),
    "parts": N_("We are waiting for a part."),
    "you": N_("We are waiting for you: please answer here what we asked."),
    "others": N_("We are waiting for somebody else."),
    "resolved": N_("Our work is done. Please tell us whether it is solved."),
    "ended": N_("It is finished."),
}
NEXT: Final[Mapping[State, str]] = {
    "received": N_("Somebody looks at it, and answers for it from then on."),
    "open": N_("You get an answer, or an engineer takes it on."),
    "assigned": N_("We help from afar, or agree with you when somebody comes."),
    "visit_agreed": N_("The engineer sets out."),
    "travelling": N_("The engineer arrives."),
    "on_site": N_("You tell us whether it is solved."),
    "working": N_("You tell us whether it is solved."),
    "parts": N_("The part arrives, and we go on."),
    "you": N_("We hear from you, and go on."),
    "others": N_("We go on as soon as we can."),
    "resolved": N_("You tell us whether it is solved."),
}
WHO: Final = {
    "junior": N_("A service engineer has it."),
    "senior": N_("A senior engineer has it."),
    "emergency": N_("Our emergency team has it."),
}
OPENED: Final = N_("A ticket is open, and one person answers for it.")
ENDED: Final = N_("It is finished.")


@dataclass(frozen=True, slots=True)
class Happened:
    """One event of a ticket or of the parts for it; `kind` is its name without owner and version."""

    id: UUID
    kind: str
    sequence: int
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """What intake itself knows of a request."""

    received_at: datetime
    answered_at: datetime | None = None
    has_ticket: bool = False
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened: its sentence (marked with `N_`), when it is known when, a visit's window."""

    kind: str
    text: str
    at: datetime | None
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """How it stands, what happened in its order, and what comes next.

    window  of the visit that is ahead
    until   by when the customer hears from us again
    """

    state: State
    lines: tuple[Line, ...]
    window: Window | None = None
    until: datetime | None = None

    @property
    def now(self) -> str:
        return NOW[self.state]

    @property
    def next(self) -> str | None:
        return NEXT.get(self.state)


def tell(asked: Asked, happened: Sequence[Happened], now: datetime) -> Story:
    """The story of one request as it stands `now`; what is told twice counts once."""
    ordered = sorted({each.id: each for each in happened}.values(), key=_order)
    telling = _Telling()
    for each in ordered:
        telling.take(each)
    return telling.story(asked, now)


def _order(each: Happened) -> tuple[datetime, int, UUID]:
    """By time before version: what an engineer did without a network is told late."""
    return each.at, each.sequence, each.id


@dataclass
class _Telling:
    """The story so far: one run of the ticket at a time, and what is missing of each requisition."""

    lines: list[Line] = field(default_factory=list)
    state: State = "received"
    window: Window | None = None
    short: set[str] = field(default_factory=set)
    waits: State | None = None
    told_by: datetime | None = None

    def take(self, each: Happened) -> None:
        if (plain := _PLAIN.get(each.kind)) is not None:
            text, self.state = plain
            self._add(Line(each.kind, text, each.at))
        match each.kind:
            case "ticket_assigned":
                self._assigned(each)
            case "assignment_declined" | "assignment_withdrawn":
                self.state = "open"
            case "visit_agreed":
                self._agreed(each)
            case "visit_cancelled":
                self._called_off(each)
            case "engineer_arrived":
                self.window = None
            case "ticket_closed" | "ticket_cancelled":
                self._ended(each)
            case "progress_promised" | "progress_paused":
                self.told_by = _instant(each.facts.get("deadline"))
            case _:
                self._wait(each)

    def _add(self, line: Line, *, instead: str = "", unless: Sequence[str] = ()) -> None:
        """Add a line, in the place of the last of a kind where none of `unless` came after it."""
        for at in range(len(self.lines) - 1, -1, -1):
            if self.lines[at].kind in unless:
                break
            if self.lines[at].kind == instead:
                del self.lines[at]
                break
        self.lines.append(line)

    def _assigned(self, each: Happened) -> None:
        """Whoever was asked before and is not at it any more is no matter of the customer's."""
        self.state, self.window = "assigned", None  # who comes instead agrees on a time of their own
        text = WHO.get(str(each.facts.get("tier")), WHO["junior"])
        self._add(Line(each.kind, text, each.at), instead=each.kind, unless=_AFTER)

    def _agreed(self, each: Happened) -> None:
        begins, ends = _instant(each.facts.get("starts_at")), _instant(each.facts.get("ends_at"))
        self.state = "visit_agreed"
        self.window = (begins, ends) if begins and ends else None
        line = Line(each.kind, N_("A visit was agreed on."), each.at, self.window)
        self._add(line, instead=each.kind, unless=_AFTER)

    def _called_off(self, each: Happened) -> None:
        """Another time is agreed on; whoever is on the way comes back."""
        self.window = None
        if self.state in ("visit_agreed", "travelling", "on_site"):
            self.state = "assigned"
        self._add(Line(each.kind, N_("The visit that was agreed on does not take place."), each.at))

    def _ended(self, each: Happened) -> None:
        reason = each.facts.get("reason")
        text = ENDED
        if each.kind == "ticket_cancelled":
            text = N_("It was ended: nothing was left to do.")
        elif reason == "unconfirmed":
            text = N_("It was ended, as we did not hear from you. Write here if it is not solved.")
        self.state, self.window, self.waits = "ended", None, None
        self.short.clear()
        self._add(Line(each.kind, text, each.at))

    def _wait(self, each: Happened) -> None:
        """Parts make it wait, whoever says so: those that hold them, or the engineer."""
        requisition = str(each.facts.get("requisition"))
        match each.kind:
            case "parts_short":
                self.short.add(requisition)
            case "parts_reserved" | "parts_released":
                self.short.discard(requisition)
            case "ticket_paused":
                self.waits = _WAITING.get(str(each.facts.get("waiting_for")), "others")
            case "ticket_resumed":
                self.waits = None
            case "ticket_progressed":
                self.state = "working" if each.facts.get("remote") else "on_site"

    def story(self, asked: Asked, now: datetime) -> Story:
        begun, lines = Line("received", NOW["received"], asked.received_at), [*self.lines]
        if asked.answered_at is not None:
            lines.append(Line("answered", N_("Somebody answered you."), asked.answered_at))
        known = {each.kind for each in lines}
        if asked.has_ticket and "ticket_opened" not in known:  # opened before its story was kept
            lines.append(Line("ticket_opened", OPENED, None))
        if asked.closed_at is not None and not known & {"ticket_closed", "ticket_cancelled"}:
            lines.append(Line("ticket_closed", ENDED, asked.closed_at))
        lines.sort(key=lambda each: each.at or asked.received_at)
        state = self._state(asked)
        is_ours = state not in ("resolved", "ended")
        is_ahead = is_ours and self.told_by is not None and self.told_by > now
        window = self.window if state in ("visit_agreed", "travelling", "parts", "you", "others") else None
        return Story(state, (begun, *lines), window, self.told_by if is_ahead else None)

    def _state(self, asked: Asked) -> State:
        if asked.closed_at is not None:
            return "ended"
        if self.state == "received" and asked.has_ticket:
            return "open"
        if self.state in ("resolved", "ended"):
            return self.state
        return self.waits or ("parts" if self.short else self.state)


_WAITING: Final[Mapping[str, State]] = {"parts": "parts", "customer": "you"}
_AFTER: Final = ("engineer_arrived", "ticket_reopened", "result_rejected")
"""What was told before one of these stays: somebody was there, or another run begins."""
_PLAIN: Final[Mapping[str, tuple[str, State]]] = {
    "ticket_opened": (OPENED, "open"),
    "engineer_departed": (N_("The engineer set out."), "travelling"),
    "engineer_arrived": (N_("The engineer arrived."), "on_site"),
    "ticket_resolved": (N_("Our work was done."), "resolved"),
    "result_rejected": (N_("You told us that it is not solved yet; we go on."), "assigned"),
    "result_accepted": (N_("You confirmed that it is solved."), "ended"),
    "ticket_reopened": (N_("It was taken up again."), "open"),
}


def _instant(value: Any) -> datetime | None:
    """As it was stored."""
    return datetime.fromisoformat(value) if isinstance(value, str) else None
