"""Histories from a CSV file, row by row: what cannot be read is reported with its line, and passed over."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, BinaryIO, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from shared.events.intake import MOST_HAPPENINGS, HistoryFacts, HistoryHappening, history_subject
from sla_monitor.clocks.rules import Happening
from sla_monitor.clocks.rules.history import Facts
from sla_monitor.replay.mapping import ISO, Condition, Fact, Mapping
from sla_monitor.replay.rules import Recorded

LONGEST_LINE: Final = 1024 * 1024  # bytes; csv itself refuses a field of more than 131,072 characters
LONGEST_NAME: Final = 100
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_SHOWN: Final = 40  # characters of a value that a reason repeats
_KEPT: Final = 100_000  # different instants whose reading is remembered


class Unreadable(ValueError):
    """Why a whole file, or one row of it, cannot be read."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was passed over: the line on which it begins, and why."""

    line: int
    reason: str


class Told(NamedTuple):
    """One thing that happened to a ticket."""

    kind: str
    at: datetime
    facts: HistoryFacts


@dataclass(frozen=True, slots=True)
class Ticket:
    """One ticket as the file tells of it; `line` is that of its first row."""

    name: str
    line: int
    happenings: tuple[Told, ...]


Cells = tuple[str | None, ...]
"""The columns that the mapping reads, in its order; None where nothing stands."""


class _Row(NamedTuple):
    line: int
    order: float
    cells: Cells


@dataclass(frozen=True, slots=True)
class _Header:
    """How many columns a row has, and those that are read."""

    width: int
    pick: Callable[[Sequence[str]], list[str]]


class Reader:
    """Iterate over the tickets of a file; `Unreadable` when its header does not fit the mapping.

    Rows of changes are held until the last one was read, since those of a ticket may stand anywhere;
    of one row per ticket nothing is held but the names.
    """

    def __init__(self, file: BinaryIO, mapping: Mapping, on_bad: Callable[[BadRow], None]) -> None:
        self.mapping = mapping
        self.rows = 0
        self.bytes = 0
        self._file = file
        self._line = 0
        self._bad = on_bad
        self._zone = ZoneInfo(mapping.zone)
        self._missing = frozenset(mapping.missing)
        self._at = {name: place for place, name in enumerate(mapping.columns)}
        self._rules = [(rule, self._at[rule.at], *self._condition(rule.when)) for rule in mapping.events]
        self._fact_places = [self._at[each.column] for each in mapping.facts.values() if each.column]
        # What rows repeat is worked out once.
        self._instant = lru_cache(maxsize=_KEPT)(self._read_instant)
        self._facts = lru_cache(maxsize=_KEPT)(self._read_facts)

    def __iter__(self) -> Iterator[Ticket]:
        if self.mapping.rows == "tickets":
            yield from self._one_by_one()
        else:
            yield from self._together()

    def _one_by_one(self) -> Iterator[Ticket]:
        seen: set[str] = set()
        for name, row in self._records():
            if name in seen:
                self._bad(BadRow(row.line, f"ticket {_short(name)} stands in an earlier row, too"))
                continue
            seen.add(name)
            yield from self._ticket(name, [row])

    def _together(self) -> Iterator[Ticket]:
        tickets: dict[str, list[_Row]] = {}
        for name, row in self._records():
            tickets.setdefault(name, []).append(row)
        for name in list(tickets):
            yield from self._ticket(name, sorted(tickets.pop(name), key=lambda row: (row.order, row.line)))

    def _condition(self, when: Condition | None) -> tuple[Condition | None, int]:
        return (None, 0) if when is None else (when, self._at[when.column])

    def _ticket(self, name: str, rows: Sequence[_Row]) -> Iterator[Ticket]:
        happenings: dict[tuple[str, datetime], Told] = {}
        before: Cells | None = None
        for row in rows:
            try:
                for each in self._happened(row.cells, before):
                    happenings.setdefault((each.kind, each.at), each)
            except Unreadable as reason:
                self._bad(BadRow(row.line, str(reason)))
            else:
                before = row.cells  # what a lost row changed is seen in the next one
        if len(happenings) > MOST_HAPPENINGS:
            self._bad(BadRow(rows[0].line, f"ticket {_short(name)} has over {MOST_HAPPENINGS} events"))
        elif happenings:
            yield Ticket(name, rows[0].line, tuple(happenings.values()))

    def _happened(self, cells: Cells, before: Cells | None) -> list[Told]:
        found = []
        facts = self._facts(tuple(cells[place] for place in self._fact_places))
        for rule, at, when, place in self._rules:
            if when is None or _applies(when, cells[place], before[place] if before else None):
                cell = cells[at]
                if cell is not None:
                    found.append(Told(rule.kind, self._read(rule.at, cell), facts))
        return found

    def _read(self, column: str, cell: str) -> datetime:
        instant: datetime | None = self._instant(cell)
        if instant is None:
            tried = " or ".join(self.mapping.formats)
            raise Unreadable(f"{column} is {_short(cell)}, which is no instant of 1970 to 2199 like {tried}")
        return instant

    def _read_instant(self, cell: str) -> datetime | None:
        for form in self.mapping.formats:
            try:
                read = datetime.fromisoformat(cell) if form == ISO else datetime.strptime(cell, form)  # noqa: DTZ007
                aware = (read if read.tzinfo else read.replace(tzinfo=self._zone)).astimezone(UTC)
            except (ValueError, OverflowError):
                continue
            return aware if EARLIEST <= aware < LATEST else None
        return None

    def _read_facts(self, cells: Cells) -> HistoryFacts:
        given = iter(cells)
        values: dict[str, Any] = {}
        for name, fact in self.mapping.facts.items():
            value = fact.constant if fact.column is None else _translated(fact, next(given))
            is_instant = name == "starts_at" and isinstance(value, str)
            values[name] = self._instant(value) if is_instant else value
        try:
            return HistoryFacts.model_validate(values)
        except ValidationError as error:
            wrong = str(error.errors()[0]["loc"][0])
            raise Unreadable(f"{wrong} cannot be {_short(str(values[wrong]))}") from None

    def _records(self) -> Iterator[tuple[str, _Row]]:
        reader = csv.reader(self._lines(), delimiter=self.mapping.delimiter, strict=True)
        header = self._header(reader)
        while True:
            first = self._line + 1
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._bad(BadRow(first, f"not CSV: {error}"))
                continue
            if not fields:
                continue
            self.rows += 1
            try:
                yield self._row(first, fields, header)
            except Unreadable as reason:
                self._bad(BadRow(first, str(reason)))

    def _header(self, reader: Any) -> _Header:
        try:
            names = [name.strip() for name in next(reader)]
        except StopIteration:
            raise Unreadable("the file has no header") from None
        except csv.Error as error:
            raise Unreadable(f"the header is not CSV: {error}") from None
        wanted = self.mapping.columns
        lacking = [name for name in wanted if name not in names]
        if lacking:
            there = ", ".join(map(_short, names[:50]))
            raise Unreadable(f"the file has no column {', '.join(lacking)}; it has {there}")
        if twice := [name for name in wanted if names.count(name) > 1]:
            raise Unreadable(f"the column {', '.join(twice)} stands twice in the header")
        places = [names.index(name) for name in wanted]
        return _Header(len(names), lambda fields: [fields[place] for place in places])

    def _row(self, line: int, fields: Sequence[str], header: _Header) -> tuple[str, _Row]:
        if len(fields) != header.width:
            raise Unreadable(f"{len(fields)} fields where the header has {header.width}")
        missing = self._missing
        cells = tuple([None if (cell := field.strip()) in missing else cell for field in header.pick(fields)])
        name = cells[self._at[self.mapping.ticket]]
        if name is None:
            raise Unreadable(f"{self.mapping.ticket} is empty")
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise Unreadable(f"{_short(name)} is no name of a ticket: at most {LONGEST_NAME} characters")
        return name, _Row(line, self._order(cells), cells)

    def _order(self, cells: Cells) -> float:
        column = self.mapping.order
        if column is None:
            return 0.0
        cell = cells[self._at[column]] or ""
        try:
            return float(cell)
        except ValueError:
            instant: datetime | None = self._instant(cell)
        if instant is None:
            raise Unreadable(f"{column} is {_short(cell)}, neither a number nor an instant")
        return instant.timestamp()

    def _lines(self) -> Iterator[str]:
        """Lines of text; a line that is too long or in another charset is reported and left out."""
        while raw := self._file.readline(LONGEST_LINE):
            self._line += 1
            self.bytes += len(raw)
            if len(raw) == LONGEST_LINE and not raw.endswith(b"\n"):
                self._skip()
                self._bad(BadRow(self._line, f"the line is longer than {LONGEST_LINE} bytes"))
                continue
            try:
                text = raw.decode(self.mapping.encoding)
            except UnicodeDecodeError as error:
                reason = f"not {self.mapping.encoding} at byte {error.start + 1} of the line"
                self._bad(BadRow(self._line, reason))
                continue
            if "\0" in text:
                self._bad(BadRow(self._line, "the line holds a NUL character"))
                continue
            yield text.removeprefix("\ufeff") if self._line == 1 else text

    def _skip(self) -> None:
        while raw := self._file.readline(LONGEST_LINE):
            self.bytes += len(raw)
            if raw.endswith(b"\n"):
                return


def _applies(condition: Condition, now: str | None, then: str | None) -> bool:
    if now == then:
        return False
    if condition.changes:
        return now is not None
    became = not condition.becomes or (now in condition.becomes and then not in condition.becomes)
    left = not condition.leaves or (then in condition.leaves and now not in condition.leaves)
    return became and left


def _translated(fact: Fact, cell: str | None) -> str | bool | None:
    if cell is None:
        return None
    if not fact.values:
        return cell
    if cell in fact.values:
        return fact.values[cell]
    if fact.otherwise is None:
        known = ", ".join(map(_short, list(fact.values)[:20]))
        raise Unreadable(f"{fact.column} is {_short(cell)}, which the mapping does not name; it has {known}")
    return fact.otherwise


def _short(value: str) -> str:
    cut = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
    return repr(cut)


def happenings_of(told: Sequence[Told | HistoryHappening]) -> tuple[Happening, ...]:
    """An imported history as the fold takes it."""
    return tuple(
        Happening(UUID(int=number), each.kind, number, each.at.astimezone(UTC), _facts(each.facts))
        for number, each in enumerate(told, start=1)
    )


@lru_cache(maxsize=10_000)
def _facts(facts: HistoryFacts) -> Facts:
    known = facts.model_dump(mode="json", exclude_none=True)
    if "team" in known:
        known["centre"] = known.pop("team")  # as our own tickets call those who have the work
    return known


def recorded(source: str, ticket: Ticket) -> Recorded:
    """A ticket of a file as a replay takes it."""
    return Recorded(history_subject(source, ticket.name), ticket.name, happenings_of(ticket.happenings))


__all__ = ["BadRow", "Reader", "Ticket", "Unreadable", "happenings_of", "recorded"]
