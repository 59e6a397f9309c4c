"""A person lets a promise stand for a reason, or count again: an event of its subject like any other.

So live clocks, repair, replays and dossiers agree on it. It holds from now on and never from before: what was
decided by then stays decided, and who said so late has that in the dossier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from shared.db import Tx, lock_subjects
from shared.db.audit import record
from shared.errors import AftercareError
from shared.events import Payload
from shared.events.sla import PromisesPaused, PromisesResumed
from shared.http.auth import Principal
from shared.http.problem import invalid
from shared.i18n.language import N_
from shared.outbox.emit import emit
from sla_monitor.clocks import queries, store
from sla_monitor.clocks.actions import take
from sla_monitor.clocks.rules import Clock, Happening, Pause, evaluate
from sla_monitor.clocks.rules.hand import LONGEST, Reason, refuse_pause, standing_by_hand
from sla_monitor.clocks.rules.history import PAUSED, RESUMED, SAID_HERE
from sla_monitor.clocks.telling import person
from sla_monitor.policies.store import Governing, load_moves, load_rulebook


class PromiseDecided(AftercareError):
    """This promise is decided already ({outcome}); a pause would change nothing."""

    kind = "conflict"
    shown: ClassVar = ("outcome", "deadline", "stopped_at")


class PromiseNotPausable(AftercareError):
    """The policy does not let this promise be paused by hand."""

    kind = "conflict"


class PromisePausedAlready(AftercareError):
    """This promise is paused by hand already; let it count again before you pause it for another reason."""

    kind = "conflict"
    shown: ClassVar = ("since", "until", "reason", "by")


class PromiseNotPaused(AftercareError):
    """Nobody has paused this promise by hand, or the pause is over: it is {outcome}."""

    kind = "conflict"
    shown: ClassVar = ("outcome", "deadline", "stopped_at")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to stand: until it is resumed or until an instant, one promise or all of its subject."""

    reason: Reason
    note: str
    until: datetime | None
    whole: bool


@dataclass(frozen=True, slots=True)
class _Held:
    """A clock as it is stored and as it follows now, with the history that it follows from, held."""

    row: Any
    clock: Clock | None
    history: list[Happening]
    governing: Governing

    @property
    def by_hand(self) -> bool:
        promise = self.governing.policy.promise(self.row.promise)
        return promise is not None and promise.by_hand

    @property
    def sequence(self) -> int:
        """Of what is said next about its subject."""
        return 1 + sum(each.kind in SAID_HERE for each in self.history)

    def after(self, happening: Happening, now: datetime) -> Clock | None:
        """The clock if that happened, too."""
        return _find(self.governing, [*self.history, happening], self.row, now)

    @property
    def present(self) -> dict[str, Any]:
        """How it stands, for whom somebody was faster."""
        known = self.clock or self.row
        return {
            "outcome": known.outcome,
            "deadline": known.deadline.isoformat(),
            "stopped_at": known.stopped_at.isoformat() if known.stopped_at else None,
        }


async def pause_clock(tx: Tx, by: Principal, id: UUID, wish: Wish) -> Any:
    """Let a clock that `by` may see stand from now on; its row afterwards.

    `ClockUnknown`, `PromiseNotPausable`, `PromiseDecided`, `PromisePausedAlready`; an end that is past or too
    far ahead is refused as invalid.
    """
    if wish.until is not None and not tx.now < wish.until <= tx.now + LONGEST:
        detail = N_("a pause ends within the next {days} days")
        raise invalid("body", ("until",), detail, "pause_end", days=LONGEST.days)
    held = await _hold(tx, by, id)
    happening, payload = _said(tx, held, PAUSED, by, wish.whole, wish)
    match refuse_pause(held.by_hand, held.clock, tx.now):
        case "decided":
            raise PromiseDecided(**held.present)
        case "not_pausable":
            raise PromiseNotPausable
        case "paused_already":
            raise PromisePausedAlready(**_told(held, tx.now))
    then = held.after(happening, tx.now)
    if (
        then is None or standing_by_hand(then, tx.now) is None
    ):  # a start of it that nothing can reach any more
        raise PromiseNotPausable
    return await _say(tx, by, held, happening, payload)


async def resume_clock(tx: Tx, by: Principal, id: UUID, whole: bool) -> Any:
    """Let a clock that somebody paused by hand count again from now on; its row afterwards.

    `ClockUnknown`, `PromiseNotPaused`.
    """
    held = await _hold(tx, by, id)
    if held.clock is None or held.clock.outcome != "running" or not standing_by_hand(held.clock, tx.now):
        raise PromiseNotPaused(**held.present)
    happening, payload = _said(tx, held, RESUMED, by, whole)
    return await _say(tx, by, held, happening, payload)


async def _hold(tx: Tx, by: Principal, id: UUID) -> _Held:
    subject_id = (await queries.load_clock(tx, by, id)).subject_id
    await lock_subjects(tx, [str(subject_id)])
    await store.lock_clocks(tx, [subject_id])
    row = await queries.load_clock(tx, by, id)
    history = await store.load_history(tx, subject_id)
    moved = (await load_moves(tx, [subject_id])).get(subject_id)
    rulebook = await load_rulebook(tx)
    governing = rulebook.at(history[0].at, row.region, moved.policy_version if moved else None)
    clock = _find(governing, history, row, tx.now)
    return _Held(row, clock, history, governing)


def _find(governing: Governing, history: list[Happening], row: Any, now: datetime) -> Clock | None:
    clocks = evaluate(governing.policy, governing.calendar, history, now)
    key = row.promise, row.occurrence
    return next((each for each in clocks if (each.promise, each.occurrence) == key), None)


def _said(
    tx: Tx, held: _Held, kind: str, by: Principal, whole: bool, wish: Wish | None = None
) -> tuple[Happening, Payload]:
    """What is said, as the history keeps it and as the world hears it."""
    row = held.row
    about: dict[str, Any] = {
        "about": row.subject_id,
        "about_kind": row.kind,
        "promise": None if whole else row.promise,
        "by": person(by.id),
    }
    facts: dict[str, Any] = {"paused_by" if wish else "resumed_by": by.id}
    if not whole:
        facts["promise"] = row.promise
    payload: Payload = PromisesResumed(**about)
    if wish is not None:
        payload = PromisesPaused(**about, reason=wish.reason, note=wish.note, until=wish.until)
        facts |= {"pause_reason": wish.reason, "pause_note": wish.note}
        facts |= {"until": wish.until.isoformat()} if wish.until else {}
    return Happening(row.id, kind, held.sequence, tx.now, facts), payload


def _told(held: _Held, now: datetime) -> Mapping[str, Any]:
    """The pause that is there, for whom somebody was faster."""
    assert held.clock is not None
    pause: Pause | None = standing_by_hand(held.clock, now)
    assert pause is not None
    until = pause.ends.isoformat() if pause.ends else None
    return {"since": pause.begins.isoformat(), "until": until, "reason": pause.reason, "by": pause.by}


async def _say(tx: Tx, by: Principal, held: _Held, happening: Happening, payload: Payload) -> Any:
    """Tell it, add it to the history under the same id, and bring the clocks to what follows."""
    row, facts = held.row, dict(happening.facts)
    id = emit(tx, payload, subject=row.subject_id, sequence=happening.sequence)
    await take(tx, [(row.subject_id, replace(happening, id=id))], {})
    action = "clock paused" if happening.kind == PAUSED else "clock resumed"
    await record(tx, by.id, action, str(row.id), facts)
    return await queries.load_clock(tx, by, row.id)
