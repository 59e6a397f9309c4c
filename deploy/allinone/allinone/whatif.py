"""What another policy or calendar would have made of a history file, worked out without a server."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError

from allinone.faults import NotUsable
from allinone.rulings import (
    Counting,
    FileUnusable,
    read_calendar,
    read_policy,
    shipped_counting,
    told,
)
from sla_monitor.board import words as board_words
from sla_monitor.calendars.rules import Calendar
from sla_monitor.clocks.rules.history import Subject
from sla_monitor.policies.rules import Policy
from sla_monitor.policies.shipped import SHIPPED
from sla_monitor.replay import mapping as mappings
from sla_monitor.replay import words
from sla_monitor.replay.answers import ReportShown
from sla_monitor.replay.reading import BadRow, Reader, Ticket, Unreadable, recorded
from sla_monitor.replay.rules import Changed, Compared, Reason, Recorded, Ruling, Trial
from sla_monitor.replay.tally import Attainment, HeatRow, Tally, heat

SHOWN_BAD: Final = 20
SHOWN_CHANGES: Final = 10
SHOWN_ROWS: Final = 10
_EVERY: Final = 0.5  # seconds between two lines of progress

Progress = Callable[[str], None]


class NoTickets(NotUsable):
    """A file was read and holds nothing."""

    def __init__(self, path: Path, bad: int) -> None:
        super().__init__(f"{path} has no ticket to judge; {bad} rows could not be read")


def to_stderr(line: str) -> None:
    """Progress, which is no part of the answer."""
    print(line, file=sys.stderr, flush=True)


def read_mapping(path: Path) -> mappings.Mapping:
    """How the columns of a file become histories; `FileUnusable`."""
    try:
        return mappings.parse(path.read_text("utf-8"))
    except OSError as error:
        raise FileUnusable(path, error.strerror) from None
    except ValidationError as error:
        raise FileUnusable(path, told(error)) from None
    except ValueError as error:  # not TOML, not JSON, not UTF-8
        raise FileUnusable(path, error) from None


@dataclass
class Bad:
    """Rows that were passed over: how many, and the first of them."""

    count: int = 0
    first: list[BadRow] = field(default_factory=list)

    def note(self, row: BadRow) -> None:
        self.count += 1
        if self.count <= SHOWN_BAD:
            self.first.append(row)


def read_tickets(path: Path, mapping: mappings.Mapping, bad: Bad, progress: Progress) -> Iterator[Ticket]:
    """The tickets of a file, in its order; `FileUnusable` when it is not there or fits no mapping."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            reader = Reader(file, mapping, bad.note)
            told_at = time.monotonic()
            for ticket in reader:
                if time.monotonic() - told_at > _EVERY:
                    told_at = time.monotonic()
                    progress(f"read {reader.rows:,} rows, {reader.bytes / max(size, 1):.0%} of {path.name}")
                yield ticket
    except OSError as error:
        raise FileUnusable(path, error.strerror) from None
    except Unreadable as error:
        raise FileUnusable(path, error) from None


@dataclass(frozen=True, slots=True)
class Rules:
    """What is tried, and what it is compared with; a calendar of None is the one that ships."""

    policy: Policy
    against: Policy
    counting: Counting | None


def read_rules(policy: Path | None, calendar: Path | None, against: Path | None) -> Rules:
    """From files, or what ships; `FileUnusable`."""
    return Rules(
        SHIPPED if policy is None else read_policy(policy),
        SHIPPED if against is None else read_policy(against),
        None if calendar is None else read_calendar(calendar),
    )


@dataclass(frozen=True, slots=True)
class Found:
    """The answer; `changes` are all of them, each with the ticket's name."""

    source: str
    until: datetime
    tally: Tally
    changes: tuple[tuple[str, Changed], ...]
    bad: Bad
    base: Counting
    tried: Counting
    seconds: float


def run(history: Path, mapping: mappings.Mapping, rules: Rules, progress: Progress) -> Found:
    """Read a file, judge each ticket twice as of the last instant in it, and count."""
    began = time.monotonic()
    bad = Bad()
    histories = [recorded(mapping.source, each) for each in read_tickets(history, mapping, bad, progress)]
    for row in bad.first:
        progress(f"line {row.line}: {row.reason}")
    if bad.count:
        progress(f"{bad.count:,} rows were passed over")
    if not histories:
        raise NoTickets(history, bad.count)
    instants = [each.at for one in histories for each in one.happenings]
    base = shipped_counting(min(instants).year - 1, max(instants).year + 1)
    tried = rules.counting or base
    trial = Trial(_always(rules.against, base.calendar), _always(rules.policy, tried.calendar), max(instants))
    tally, changes = Tally(), deque[tuple[str, Changed]]()
    for compared in _folded(histories, trial, progress):
        tally.add(compared)
        changes.extend((compared.name, each) for each in compared.changes)
    seconds = time.monotonic() - began
    return Found(mapping.source, max(instants), tally, tuple(changes), bad, base, tried, seconds)


def _always(policy: Policy, calendar: Calendar) -> Ruling:
    def ruling(id: UUID, subject: Subject) -> tuple[Policy, Calendar]:
        return policy, calendar

    return ruling


def _folded(histories: Sequence[Recorded], trial: Trial, progress: Progress) -> Iterator[Compared]:
    told_at = time.monotonic()
    for number, each in enumerate(histories):
        if time.monotonic() - told_at > _EVERY:
            told_at = time.monotonic()
            progress(f"judged {number:,} of {len(histories):,} tickets")
        yield trial.compare(each)


def document(found: Found) -> dict[str, Any]:
    """As JSON has it: the report of a replay, with every change; instants UTC, lengths in seconds."""
    return {
        "source": found.source,
        "until": found.until.isoformat(),
        "calendar": {"base": found.base.name, "tried": found.tried.name},
        "report": ReportShown.of(found.tally).model_dump(mode="json"),
        "changes": [_change(name, each) for name, each in found.changes],
        "bad_rows": found.bad.count,
        "first_bad_rows": [asdict(each) for each in found.bad.first],
        "seconds": round(found.seconds, 3),
    }


def _change(name: str, changed: Changed) -> dict[str, Any]:
    before, after = changed.before, changed.after
    return {
        "ticket": name,
        "promise": changed.promise,
        "occurrence": changed.occurrence,
        "outcome_before": before.outcome if before else None,
        "outcome_after": after.outcome if after else None,
        "deadline_before": before.deadline.isoformat() if before else None,
        "deadline_after": after.deadline.isoformat() if after else None,
        "reasons": [asdict(each) for each in changed.reasons],
    }


def in_words(found: Found) -> str:
    """The report as people read it."""
    tally = found.tally
    base, tried = tally.whole("base"), tally.whole("tried")
    tickets = f"{tally.replayed:,} tickets of {found.source}"
    lines = [
        f"{tickets}, judged as of {words.moment(found.until, UTC)} UTC in {found.seconds:.1f} s",
        "",
        _HEADS.format("kept in time", "was", "would be", "missed", "would miss"),
        _figures("all response clocks", base, tried),
    ]
    lines += [_figures(code, tally.of("base", code), tally.of("tried", code)) for code in tally.codes]
    lines += _heat("team", heat(tally.teams)) + _heat("region", heat(tally.regions))
    return "\n".join([*lines, *_changes(found)])


_HEADS: Final = "{:<22}{:>10}{:>10}{:>10}{:>12}"


def _figures(name: str, base: Attainment, tried: Attainment) -> str:
    return _HEADS.format(name, _share(base), _share(tried), f"{base.breached:,}", f"{tried.breached:,}")


def _share(found: Attainment) -> str:
    return "—" if found.share is None else f"{found.share:.1%}"


def _heat(name: str, rows: Sequence[HeatRow]) -> list[str]:
    if not rows:
        return []
    lines = ["", _HEADS.format(f"missed by {name}", "was", "would be", "at most", "at hour")]
    for row in rows[:SHOWN_ROWS]:
        most = max(row.hours)
        hour = f"{row.hours.index(most):02}" if most else "—"
        lines.append(_HEADS.format(row.name or "—", f"{row.base:,}", f"{row.tried:,}", f"{most:,}", hour))
    return lines if len(rows) <= SHOWN_ROWS else [*lines, f"and {len(rows) - SHOWN_ROWS} more"]


def _changes(found: Found) -> list[str]:
    lines = ["", f"{found.tally.changed:,} tickets would be judged otherwise"]
    flipped = sorted(found.changes, key=lambda each: not _flips(each[1]))
    for name, each in flipped[:SHOWN_CHANGES]:
        lines.append(f"  {name}  {board_words.promise(each.promise)}: {'; '.join(_told(each, found.tried))}")
    more = len(found.changes) - SHOWN_CHANGES
    return [*lines, f"  and {more:,} more changes (all of them with --json)"] if more > 0 else lines


def _flips(changed: Changed) -> bool:
    return any(reason.why == "outcome" for reason in changed.reasons)


def _told(changed: Changed, counting: Counting) -> list[str]:
    return [_phrase(reason, counting) for reason in changed.reasons]


def _phrase(reason: Reason, counting: Counting) -> str:
    return words.told(reason, counting.calendar.tz)
