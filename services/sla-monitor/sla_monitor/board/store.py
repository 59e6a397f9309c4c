"""What the board shows: what runs, what was missed today, how today is going, and how fresh all that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from shared.db import Tx
from sla_monitor.alerts.store import LEADERSHIP_TOLD
from sla_monitor.board import words
from sla_monitor.calendars.rules import open_between
from sla_monitor.clocks.attainment import Attainment, attainment_today, tickets_today, today
from sla_monitor.clocks.view import FROM, View, within
from sla_monitor.policies.store import Rulebook, load_rulebook
from sla_monitor.sinks.notices import leadership_heard

MOST: Final = 60  # rows of each list; nobody acts on more at once
COUNTED: Final = 1_000  # beyond that a list only says that there are more
CHOICES: Final = 100  # of one filter


@dataclass(frozen=True, slots=True)
class Entry:
    """A clock as the board shows it."""

    id: UUID
    subject_id: UUID
    kind: str
    title: str | None
    region: str | None
    team: str | None
    channel: str | None
    product_line: str | None
    customer_level: str | None
    promise: str
    requirement: str
    rule: str
    severity: str | None
    started_at: datetime
    deadline: datetime
    allowance: timedelta
    standing: bool
    pause_reason: str | None
    paused_from: datetime | None
    paused_until: datetime | None
    pause_by: str | None
    pause_note: str | None
    stopped_at: datetime | None
    reason: str | None
    alerted_at: datetime | None
    confirmed: bool | None
    alert_id: UUID | None
    alert_version: int | None
    acknowledged_by: str | None
    snoozed_until: datetime | None
    called_at: datetime | None
    measure: str
    first_at: datetime
    policy_version: int
    open: tuple[tuple[datetime, datetime], ...] = ()
    """When people work between start and deadline, where only that counts."""
    pausable: bool = False
    """Whether its policy lets a person pause it."""
    leadership_hears: bool = True
    """Whether a notification channel is there for leadership in its region."""
    kept: bool = True
    """Whether what ended it was promised, if too late; another assignment, say, only takes it away."""

    @property
    def promise_name(self) -> str:
        return words.promise(self.promise)

    @property
    def subject_name(self) -> str:
        return words.SUBJECTS[self.kind]

    @property
    def channel_name(self) -> str:
        return words.CHANNELS.get(self.channel or "", self.channel or "")

    @property
    def reach_name(self) -> str:
        """Whether the engineer's way is across regions: that decides how much time there is."""
        return words.REACH.get(self.requirement, "")

    @property
    def otherwise_name(self) -> str:
        return words.otherwise(self.reason)

    @property
    def short_id(self) -> str:
        """Enough of the identifier to tell subjects apart by eye."""
        return self.subject_id.hex[-6:]

    @property
    def paused_by_hand(self) -> bool:
        return self.pause_reason is not None and self.pause_by is not None

    @property
    def pause_name(self) -> str:
        return words.REASONS.get(self.pause_reason or "", self.pause_reason or "")


_ENTRY: Final = f"""
    SELECT clock.id, clock.subject_id, subject.kind, subject.title, subject.region, subject.team,
           coalesce(subject.channel, request.channel) AS channel, subject.product_line,
           subject.customer_level, clock.promise, clock.requirement, clock.rule, clock.severity,
           clock.started_at, clock.deadline, clock.allowance, clock.standing, clock.pause_reason,
           clock.paused_from, clock.paused_until, clock.pause_by, clock.pause_note, clock.stopped_at,
           clock.reason, clock.alerted_at, clock.confirmed,
           alert.id AS alert_id, alert.version AS alert_version, alert.acknowledged_by,
           alert.snoozed_until,
           (SELECT (SELECT min(at) FROM alert_deed WHERE alert_id = latest.id AND {LEADERSHIP_TOLD})
            FROM alert AS latest WHERE latest.clock_id = clock.id AND latest.revision = clock.revision
            ORDER BY latest.threshold DESC LIMIT 1) AS called_at,
           clock.measure, subject.first_at, clock.policy_version
    {FROM} LEFT JOIN alert
      ON alert.clock_id = clock.id AND alert.threshold = 100 AND alert.revision = clock.revision
"""
_RUNNING: Final = """
    WHERE clock.outcome = 'running' {within} ORDER BY clock.deadline, clock.id LIMIT :most
"""
# By when a miss became known, not by its deadline: what a late message tells of last week is of today, too.
_MISSED: Final = """
    WHERE clock.outcome = 'breached' AND clock.alerted_at >= :since {within}
    ORDER BY clock.alerted_at DESC, clock.id LIMIT :most
"""


async def load_running(tx: Tx, view: View) -> Sequence[Entry]:
    """What runs, the soonest deadline first."""
    found = await tx.execute(within(_ENTRY + _RUNNING, view), {"most": MOST, **view.parameters})
    rulebook = await load_rulebook(tx)
    hears = await leadership_heard(tx)
    return tuple(
        replace(
            each,
            open=_open(each, rulebook),
            pausable=_pausable(each, rulebook),
            leadership_hears=hears(each.region),
        )
        for each in _entries(found)
    )


def _pausable(entry: Entry, rulebook: Rulebook) -> bool:
    promise = rulebook.policy(entry.policy_version).promise(entry.promise)
    return promise is not None and promise.by_hand


def _open(entry: Entry, rulebook: Rulebook) -> tuple[tuple[datetime, datetime], ...]:
    if entry.measure != "working":
        return ()
    calendar = rulebook.at(entry.first_at, entry.region, entry.policy_version).calendar
    return tuple(open_between(calendar, entry.started_at, entry.deadline))


async def load_missed(tx: Tx, view: View) -> Sequence[Entry]:
    """What became known today as missed, the latest first."""
    since = (await today(tx)).begins
    query = within(_ENTRY + _MISSED, view)
    found = await tx.execute(query, {"since": since, "most": MOST, **view.parameters})
    rulebook = await load_rulebook(tx)
    hears = await leadership_heard(tx)
    return tuple(
        replace(each, kept=_kept(each, rulebook), leadership_hears=hears(each.region))
        for each in _entries(found)
    )


def _kept(entry: Entry, rulebook: Rulebook) -> bool:
    promise = rulebook.policy(entry.policy_version).promise(entry.promise)
    return promise is None or entry.reason in promise.stops


def _entries(found: Any) -> tuple[Entry, ...]:
    return tuple(Entry(**row) for row in found.mappings())


@dataclass(frozen=True, slots=True)
class Tile:
    """How one promise goes today; all response promises together, or all tickets, instead (R110)."""

    code: str
    figures: Attainment
    whole: bool = False
    past: bool = False
    """Of a history, not of today."""

    @property
    def id(self) -> str:
        return f"all.{self.code}" if self.whole else self.code

    @property
    def name(self) -> str:
        if not self.whole:
            return words.promise(self.code)
        return (words.PAST if self.past else words.WHOLE)[self.code]

    @property
    def counted(self) -> str:
        """Which promises a whole figure counts; the others have tiles of their own."""
        return words.COUNTED[self.code] if self.whole else ""

    @property
    def tone(self) -> str:
        share = self.figures.share
        if share is None:
            return "plain"
        return "good" if share >= 0.95 else "important" if share >= 0.8 else "urgent"


@dataclass(frozen=True, slots=True)
class Hours:
    """Promises missed today, or in a history, by the hour of their deadline."""

    missed: tuple[int, ...]
    id: str = "hours"
    past: bool = False

    @property
    def most(self) -> int:
        return max(self.missed)


async def load_tiles(tx: Tx, view: View) -> Sequence[Tile | Hours]:
    """All clocks together, the hours, then each promise in the order of the policy."""
    found = await attainment_today(tx, view)
    asked = view.filters.promise
    each = [Tile(code, one) for code, one in found.promises.items() if not asked or code in asked]
    return (Tile("clocks", found.response, whole=True), Hours(found.missed), *each)


async def load_tickets(tx: Tx, view: View) -> Tile:
    """All tickets together; counted apart, because each has to be looked up."""
    return Tile("tickets", await tickets_today(tx, view), whole=True)


@dataclass(frozen=True, slots=True)
class Pulse:
    """What tells a board that is quiet from one that is deaf, and how much there is beside what it shows.

    heard_at  when the last event came in, None before the first
    running   clocks, at most `COUNTED`
    missed    today, at most `COUNTED`
    """

    heard_at: datetime | None
    running: int
    missed: int
    counted: int = COUNTED


_HEARD: Final = text("SELECT max(received_at) FROM history")


# Ordered, so that a count ends with the first so many of an index, wherever on disk they lie.
_ALL_RUNNING: Final = "WHERE clock.outcome = 'running' {within} ORDER BY clock.deadline"
_ALL_MISSED: Final = """
    WHERE clock.outcome = 'breached' AND clock.alerted_at >= :since {within} ORDER BY clock.alerted_at
"""


async def load_pulse(tx: Tx, view: View) -> Pulse:
    """See `Pulse`."""
    since = (await today(tx)).begins
    running = await _count(tx, view, _ALL_RUNNING, {})
    missed = await _count(tx, view, _ALL_MISSED, {"since": since})
    return Pulse((await tx.execute(_HEARD)).scalar_one(), running, missed)


async def _count(tx: Tx, view: View, where: str, parameters: dict[str, Any]) -> int:
    query = within(f"SELECT count(*) FROM (SELECT {FROM} {where} LIMIT :most) AS counted", view)
    found = await tx.execute(query, {"most": COUNTED + 1, **parameters, **view.parameters})
    return int(found.scalar_one())


# The distinct values of a column, each found by the index from the one before.
_VALUES: Final = """
    WITH RECURSIVE known AS (
        SELECT min({column}) AS value FROM subject
        UNION ALL
        SELECT (SELECT min({column}) FROM subject WHERE {column} > value) FROM known WHERE value IS NOT NULL
    )
    SELECT value FROM known WHERE value IS NOT NULL LIMIT :most
"""
_REGIONS: Final = text(_VALUES.format(column="region"))
_TEAMS: Final = text(_VALUES.format(column="team"))


async def load_choices(tx: Tx, view: View, shown: Sequence[Entry]) -> dict[str, Sequence[str]]:
    """What each filter offers; to whom sees only a part, of regions and teams what their view shows."""
    limited = {name for name, _ in view.left} - set(view.filters.chosen)
    policy = (await load_rulebook(tx)).at(tx.now).policy
    chosen = view.filters.chosen
    regions = _seen(shown, "region") if limited else await _values(tx, _REGIONS)
    teams = _seen(shown, "team") if limited else await _values(tx, _TEAMS)
    return {
        "region": sorted({*regions, *chosen.get("region", ())}),
        "team": sorted({*teams, *chosen.get("team", ())}),
        "severity": tuple(words.SEVERITIES),
        "channel": tuple(words.CHANNELS),
        "promise": [promise.code for promise in policy.promises if promise.enabled],
    }


async def _values(tx: Tx, query: Any) -> list[str]:
    return list((await tx.execute(query, {"most": CHOICES})).scalars())


def _seen(shown: Sequence[Entry], name: str) -> list[str]:
    return sorted({value for entry in shown if (value := getattr(entry, name)) is not None})
