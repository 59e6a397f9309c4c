"""What a visit may look like, who may still choose its time, and whose wish a later time is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from dispatch.organisation.roster import day_of
from dispatch.tickets.rules.states import State
from dispatch.visits.slots import Question, Slot
from shared.errors import AftercareError
from shared.events.terms import PersonId
from shared.i18n import N_

EARLIEST: Final = timedelta(hours=-1)  # a visit may be noted down when one is on the way to it already
LATEST: Final = timedelta(days=90)
LONGEST: Final = timedelta(hours=24)
OLDEST_DEVICE_TIME: Final = timedelta(days=7)  # a phone may have been off the network for that long
DEVICE_AHEAD: Final = timedelta(seconds=60)
LINK_LIVES: Final = timedelta(days=30)
SHOWN: Final = 9
"""So many slots on a customer's page: three days of three."""

VisitState = Literal["agreed", "moved", "kept", "cancelled", "no_show", "handed_on", "lapsed"]
"""What became of a visit.

no_show    the customer was not there
handed_on  the engineer changed, and who has it now keeps the appointment: that is a visit of its own
lapsed     the engineer changed, and who has it now is not free then: a time has to be agreed anew
"""
Standing = Literal["open", "nobody", "coming", "ended"]
"""What a customer's page can be used for: to choose; to wait for who comes; not any more."""

_STANDING: Final[dict[State, Standing]] = {
    "opened": "nobody",
    "needs_decision": "nobody",
    "travelling": "coming",
    "on_site": "coming",
    "working": "coming",
    "resolved": "ended",
    "closed": "ended",
    "cancelled": "ended",
}


class NoVisitAgreed(AftercareError):
    """No visit is agreed for this ticket."""

    kind = "conflict"


class SlotGone(AftercareError):
    """This time has been taken meanwhile. Please choose another one."""

    kind = "conflict"


class VisitChanged(AftercareError):
    """The visit has been changed since you opened this page. This is how it stands now."""

    kind = "conflict"


class NothingToChoose(AftercareError):
    """A time cannot be chosen right now."""

    kind = "conflict"


@dataclass(frozen=True, slots=True)
class Visit:
    """A time that was agreed with a customer, and what became of it."""

    id: UUID
    ticket_id: UUID
    engineer_id: PersonId
    starts_at: datetime
    ends_at: datetime
    at_customers_wish: bool
    state: VisitState


def fault_of_visit(starts_at: datetime, ends_at: datetime, now: datetime) -> tuple[str, str] | None:
    """The wrong field of a visit and what is wrong with it; None when it can be agreed."""
    if starts_at < now + EARLIEST:
        return "starts_at", N_("the visit must lie ahead")
    if starts_at > now + LATEST:
        return "starts_at", N_("a visit begins within the next 90 days")
    if not starts_at < ends_at <= starts_at + LONGEST:
        return "ends_at", N_("a visit ends after it begins, within 24 hours")
    return None


def is_plausible(device_time: datetime, now: datetime) -> bool:
    """Whether the clock of a phone may have said so."""
    return now - OLDEST_DEVICE_TIME <= device_time <= now + DEVICE_AHEAD


def standing(state: State, *, same_episode: bool) -> Standing:
    """What the page of a link is for; a link belongs to the episode that it was sent in."""
    return _STANDING.get(state, "open") if same_episode else "ended"


def wished(slot: Slot, held: Visit | None, question: Question) -> bool:
    """Whether it is at the customer's wish that somebody comes no sooner (R58).

    Where a promise runs, only if they could have had a time within it: one that is late because nobody is
    free before is ours to answer for.
    """
    if question.deadline is None:
        first = [each.starts_at for each in question.next(SHOWN)]
        return slot.starts_at > held.starts_at if held else bool(first) and slot.starts_at > first[-1]
    if not slot.after_promise:
        return False
    if held is not None and (held.at_customers_wish or held.starts_at <= question.deadline):
        return True
    return any(not each.after_promise for each in question.next(1))


def to_be_agreed_anew(visits: Collection[Visit]) -> bool:
    """Whether the newest visit of a ticket lapsed, and nothing was agreed since."""
    return max(visits, key=lambda each: each.id).state == "lapsed" if visits else False


def visit_at(visits: Collection[Visit], began_at: datetime, ended_at: datetime) -> UUID | None:
    """The visit that somebody was on from `began_at` to `ended_at` (R33); None where it was none.

    Of several the one with the most of that time; else one that was kept on the same day: who came early or
    stayed longer was on it all the same.
    """
    held = [each for each in visits if each.state in ("agreed", "kept")]
    shared = [(min(each.ends_at, ended_at) - max(each.starts_at, began_at), each.id) for each in held]
    if meeting := [pair for pair in shared if pair[0] > timedelta()]:
        return max(meeting)[1]
    kept = [each for each in held if each.state == "kept" and day_of(each.starts_at) == day_of(began_at)]
    nearest = min(kept, key=lambda each: (abs(each.starts_at - began_at), each.id), default=None)
    return nearest.id if nearest else None
