"""Everything promised about one subject, folded anew: the arithmetic of each deadline, and its evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from shared.db import Tx
from shared.errors import AftercareError
from shared.http.auth import Principal
from sla_monitor.calendars.rules import Calendar
from sla_monitor.clocks import queries, store
from sla_monitor.clocks.evidence import Raised, Said, load_raised, load_received, load_said
from sla_monitor.clocks.rules import Clock, Happening, Interval, evaluate, explain
from sla_monitor.clocks.rules.changes import WITHDRAWN, StoredClock
from sla_monitor.policies.store import Governing, Move, load_moves, load_rulebook

# Told so long after it happened, an event is late: a phone without a network, a mail that was held up.
LATE: Final = timedelta(minutes=1)
# So long after its deadline a clock that still says "running" is no longer one that is just being judged.
BEING_JUDGED: Final = timedelta(seconds=10)
_COMPARED: Final = (
    "requirement", "rule", "measure", "allowance", "severity", "started_at", "deadline", "standing",
    "outcome", "stopped_at", "reason",
)  # fmt: skip


class SubjectUnknown(AftercareError):
    """Nothing is known here of a ticket, request or call {id}."""

    kind = "not_found"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the arithmetic: a piece of time, how much is counted by its end, and has been so far."""

    piece: Interval
    sum: timedelta
    so_far: timedelta


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that is stored otherwise than it follows from the history; None where there is no clock."""

    name: str
    stored: Any
    folded: Any


@dataclass(frozen=True, slots=True)
class Proof:
    """A clock folded anew, its row if there is one by now, and every piece of its time to the deadline."""

    clock: Clock
    stored: StoredClock | None
    lines: Sequence[Line]
    differences: Sequence[Difference]
    said: Sequence[Said]
    raised: Sequence[Raised]


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A clock that was told of and does not follow from the history as it is known now."""

    stored: StoredClock
    differences: Sequence[Difference]
    said: Sequence[Said]
    raised: Sequence[Raised]


@dataclass(frozen=True, slots=True)
class Heard:
    """An event of the history, and when it was received, if that was noted."""

    event: Happening
    received_at: datetime | None

    @property
    def late_by(self) -> timedelta | None:
        """How long after it happened it was received, where that is long."""
        if self.received_at is None or self.received_at - self.event.at < LATE:
            return None
        return self.received_at - self.event.at


@dataclass(frozen=True, slots=True)
class Dossier:
    """A subject's row, what its clocks obey, the clocks, and the events they follow from."""

    subject: Any
    governing: Governing
    folded_at: datetime
    proofs: Sequence[Proof]
    withdrawn: Sequence[Withdrawn]
    history: Sequence[Heard]
    moved: Move | None = None

    @property
    def agrees(self) -> bool:
        """Whether all that is stored follows from the history."""
        judged: Sequence[Proof | Withdrawn] = (*self.proofs, *self.withdrawn)
        return not any(each.differences for each in judged)


async def load_dossier(tx: Tx, viewer: Principal, id: UUID) -> Dossier:
    """What is promised about a subject; `SubjectUnknown` when there is none that `viewer` may see."""
    subject = await queries.load_subject(tx, viewer, id)
    if subject is None:
        raise SubjectUnknown(id=id)
    history = await store.load_history(tx, id)
    received = await load_received(tx, id)
    moved = (await load_moves(tx, [id])).get(id)
    moved_to = moved.policy_version if moved else None
    governing = (await load_rulebook(tx)).at(subject.first_at, subject.region, moved_to)
    clocks = await store.load_clocks(tx, id)
    ids = [each.id for each in clocks]
    said, raised = await load_said(tx, ids), await load_raised(tx, ids)
    stored = {(each.promise, each.occurrence): each for each in clocks}
    proofs = [
        _prove(clock, stored.pop((clock.promise, clock.occurrence), None), governing, tx.now, said, raised)
        for clock in evaluate(governing.policy, governing.calendar, history, tx.now)
    ]
    return Dossier(
        subject=subject,
        governing=governing,
        folded_at=tx.now,
        proofs=proofs,
        withdrawn=[_withdrawn(each, said, raised) for each in stored.values()],
        history=[Heard(each, received.get(each.id)) for each in history],
        moved=moved,
    )


def proof_of(clock: Clock, calendar: Calendar, now: datetime | None = None) -> Proof:
    """The arithmetic of a clock that is compared with nothing.

    Counted is until it ended, of one that runs until `now`, and until the deadline at most.
    """
    pieces = explain(calendar, clock.measure, clock.started_at, clock.deadline, clock.pauses)
    until = clock.stopped_at or (now if clock.outcome == "running" else None)
    return Proof(clock, None, tuple(_summed(pieces, until)), (), (), ())


def _prove(
    clock: Clock,
    stored: StoredClock | None,
    governing: Governing,
    now: datetime,
    said: Mapping[UUID, Sequence[Said]],
    raised: Mapping[UUID, Sequence[Raised]],
) -> Proof:
    return replace(
        proof_of(clock, governing.calendar, now),
        stored=stored,
        differences=tuple(_compare(clock, stored, now)),
        said=said.get(stored.id, ()) if stored else (),
        raised=raised.get(stored.id, ()) if stored else (),
    )


def _summed(pieces: Sequence[Interval], until: datetime | None) -> Iterator[Line]:
    counted = so_far = timedelta(0)
    for piece in pieces:
        if piece.counted and piece.ends is not None:
            counted += piece.ends - piece.begins
            ends = piece.ends if until is None else min(piece.ends, until)
            so_far += max(ends - piece.begins, timedelta(0))
        yield Line(piece, counted, so_far)


def _compare(clock: Clock, stored: StoredClock | None, now: datetime) -> Iterator[Difference]:
    if stored is None:
        yield Difference("outcome", None, clock.outcome)
        return
    for name in _COMPARED:
        kept, follows = getattr(stored, name), getattr(clock, name)
        being_judged = name == "outcome" and kept == "running" and now - clock.deadline < BEING_JUDGED
        if kept != follows and not (being_judged and follows == "breached"):
            yield Difference(name, kept, follows)


def _withdrawn(
    stored: StoredClock,
    said: Mapping[UUID, Sequence[Said]],
    raised: Mapping[UUID, Sequence[Raised]],
) -> Withdrawn:
    is_told = stored.outcome == "cancelled" and stored.reason == WITHDRAWN
    differences = () if is_told else (Difference("outcome", stored.outcome, None),)
    return Withdrawn(stored, differences, said.get(stored.id, ()), raised.get(stored.id, ()))
