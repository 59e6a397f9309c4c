"""Ask for a replay, and take it further step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import text

from shared.clock import uuid7
from shared.db import Tx
from shared.errors import AftercareError
from sla_monitor.calendars.rules import Calendar
from sla_monitor.calendars.store import load_calendar
from sla_monitor.clocks.rules.changes import StoredClock
from sla_monitor.clocks.rules.history import Subject
from sla_monitor.clocks.store import load_histories
from sla_monitor.policies.rules import Policy
from sla_monitor.policies.store import Move, Rulebook, load_moves, load_rulebook
from sla_monitor.replay import imports, outcomes, store
from sla_monitor.replay.rules import Compared, Recorded, Ruling, Trial, unreproduced
from sla_monitor.replay.store import Replay
from sla_monitor.replay.tally import Tally, total

STEP: Final = 250
"""Subjects of one transaction: a fraction of a second, in a thread, since timers must not wait."""

log: Final = structlog.get_logger(__name__)


class PolicyVersionUnknown(AftercareError):
    """There is no policy version {version}; known are {known}."""


class CalendarVersionUnknown(AftercareError):
    """There is no calendar {name} in version {version}; known are {known}."""


class SourceUnknown(AftercareError):
    """Nothing was imported under the name {name}; known are {known}."""


class NothingToTry(AftercareError):
    """Name a policy version, or give a draft, and not both."""


class StretchEmpty(AftercareError):
    """The stretch of time ends before it begins."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to know; see `Replay`."""

    policy_version: int | None
    policy: Policy | None
    against_version: int | None
    calendar: tuple[str, int] | None
    source: str | None
    begins: datetime
    ends: datetime


async def ask(tx: Tx, by: str, wish: Wish) -> Replay:
    """Store a replay, which the loop then takes up; refused when it names what is not there."""
    if wish.begins >= wish.ends:
        raise StretchEmpty
    rulebook = await load_rulebook(tx)
    until = None
    if wish.source is not None:
        sources = await imports.list_sources(tx)
        known = next((each for each in sources if each.name == wish.source), None)
        if known is None:
            raise SourceUnknown(name=wish.source, known=", ".join(each.name for each in sources) or "none")
        until = known.last_at
    policy = _policy(rulebook, wish)
    if wish.against_version is not None:
        _version(rulebook, wish.against_version)
    if wish.calendar is not None:
        _check_calendar(rulebook, *wish.calendar)
    name, number = wish.calendar or (None, None)
    asked = Replay(
        id=uuid7(), asked_by=by, asked_at=tx.now, policy=policy, policy_version=wish.policy_version,
        against_version=wish.against_version, calendar=name, calendar_version=number, source=wish.source,
        begins=wish.begins, ends=wish.ends, until=until,
        total=await store.count_subjects(tx, wish.source, wish.begins, wish.ends),
        reached_at=None, reached_id=None, tally=Tally(), finished_at=None, failure=None, version=1,
    )  # fmt: skip
    await store.save(tx, asked)
    return asked


def _policy(rulebook: Rulebook, wish: Wish) -> Policy:
    if (wish.policy is None) == (wish.policy_version is None):
        raise NothingToTry
    if wish.policy is None:
        assert wish.policy_version is not None
        return _version(rulebook, wish.policy_version)
    for name in {wish.policy.calendar, *wish.policy.regional.values()}:
        if name not in rulebook.calendars:
            known = ", ".join(rulebook.calendars)
            raise CalendarVersionUnknown(name=name, version="any", known=known)
    return wish.policy


def _version(rulebook: Rulebook, version: int) -> Policy:
    known = [each.version for each in rulebook.policies]
    if version not in known:
        raise PolicyVersionUnknown(version=version, known=", ".join(map(str, known)))
    return rulebook.policy(version)


def _check_calendar(rulebook: Rulebook, name: str, version: int) -> None:
    known = [(each, one.version) for each, all in rulebook.calendars.items() for one in all]
    if (name, version) not in known:
        listed = ", ".join(f"{each} {number}" for each, number in known)
        raise CalendarVersionUnknown(name=name, version=version, known=listed)


# A clock and its history must be of the same moment, or the comparison would find what is not there.
_ONE_MOMENT: Final = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


async def step(tx: Tx, now: datetime) -> datetime | None:
    """Take the oldest replay that nobody works on a bounded step further; when to look again.

    How far it has come commits with what was found on the way, so that after a kill the next step goes on
    from there. A history that cannot be folded ends its replay, with the reason, and not the loop.
    """
    await tx.execute(_ONE_MOMENT)
    job = await store.claim(tx)
    if job is None:
        return None
    rows = await store.next_subjects(tx, job, STEP)
    if not rows:
        await store.save(tx, job.ended(now))
        await outcomes.offer(tx, job)
        return now
    work, until = await _load(tx, job, rows), job.until or now
    try:
        compared, tally = await asyncio.to_thread(work.fold, until)
    except Exception as error:
        log.exception("replay failed", replay=str(job.id))
        await store.save(tx, job.ended(now, f"{type(error).__name__}: {error}"[:500]))
        await outcomes.drop(tx, job.id)
        return now
    job.tally.merge(tally)
    await store.save_changes(tx, job.id, compared)
    await outcomes.save_outcomes(tx, job.id, compared, until)
    last = rows[-1]
    reached = (last.first_at, last.id if job.source is None else last.subject_id)
    await store.save(tx, job.beyond(reached, job.tally))
    return now


@dataclass(frozen=True, slots=True)
class _Work:
    """The histories of one step, and by what they are judged."""

    histories: Sequence[Recorded]
    base: Ruling
    tried: Ruling
    stored: Mapping[UUID, Sequence[StoredClock]] | None

    def fold(self, until: datetime) -> tuple[list[Compared], Tally]:
        trial = Trial(self.base, self.tried, until)
        compared = [trial.compare(each) for each in self.histories]
        tally = total(compared)
        for each in compared:
            if self.stored is not None:
                known = self.stored.get(each.id, ())
                tally.checked += len(known)
                tally.unreproduced += len(unreproduced(known, each.base.clocks))
        return compared, tally


async def _load(tx: Tx, job: Replay, rows: Sequence[Any]) -> _Work:
    rulebook = await load_rulebook(tx)
    tried = await tried_in(tx, job, rulebook)
    against = None if job.against_version is None else by(rulebook, rulebook.policy(job.against_version))
    if job.source is not None:
        histories = [imports.read_row(row) for row in rows]
        return _Work(histories, against or in_force(rulebook, {}), tried, None)
    ids = [row.id for row in rows]
    base = against or in_force(rulebook, await load_moves(tx, ids))
    known = await load_histories(tx, ids)
    histories = [Recorded(row.id, row.title or "", known[row.id]) for row in rows]
    stored = None if against else await store.load_clocks(tx, ids)
    return _Work(histories, base, tried, stored)


async def tried_in(tx: Tx, job: Replay, rulebook: Rulebook) -> Ruling:
    """What a replay tries."""
    calendar = None
    if job.calendar is not None and job.calendar_version is not None:
        calendar = await load_calendar(tx, job.calendar, job.calendar_version)
    return by(rulebook, job.policy, calendar)


def in_force(rulebook: Rulebook, moves: Mapping[UUID, Move]) -> Ruling:
    """What each subject obeyed, those that were moved to another version included."""

    def ruling(id: UUID, subject: Subject) -> tuple[Policy, Calendar]:
        moved_to = moves[id].policy_version if id in moves else None
        governing = rulebook.at(subject.first_at, subject.region, moved_to)
        return governing.policy, governing.calendar

    return ruling


def by(rulebook: Rulebook, policy: Policy, calendar: Calendar | None = None) -> Ruling:
    """One policy for all, by `calendar`, or by those it names as they were in force."""

    def ruling(id: UUID, subject: Subject) -> tuple[Policy, Calendar]:
        if calendar is not None:
            return policy, calendar
        return policy, rulebook.calendar(policy.calendar_of(subject.region), subject.first_at)

    return ruling
