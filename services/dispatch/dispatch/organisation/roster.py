"""When somebody is at work: the weekly pattern of a shift, with the days that differ from it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from shared.events.terms import Code
from shared.i18n import N_, ZONE
from shared.sent import Sent

Interval: TypeAlias = tuple[datetime, datetime]
"""From the first instant up to, but without, the second."""
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")


def _wall(told: str) -> str:
    if not _TIME.fullmatch(told):
        raise PydanticCustomError("wall_time", N_("a time of day is written 09:00; the day ends at 24:00"))
    return told


Wall = Annotated[str, AfterValidator(_wall)]


class _Part(Sent):
    model_config = ConfigDict(frozen=True)


class Hours(_Part):
    """From one time of the day to another, Asia/Shanghai; an end that is not later lies on the next day."""

    begins: Wall
    ends: Wall

    def on(self, day: date) -> Interval:
        begins, ends = _instant(day, self.begins), _instant(day, self.ends)
        return begins, ends if ends > begins else _instant(day + timedelta(days=1), self.ends)


def _instant(day: date, wall: str) -> datetime:
    if wall == "24:00":
        return _instant(day + timedelta(days=1), "00:00")
    return datetime.combine(day, time.fromisoformat(wall), ZONE)


class Working(_Part):
    """The hours of some days of each week."""

    days: Annotated[tuple[Weekday, ...], Field(min_length=1, max_length=7)]
    hours: Annotated[tuple[Hours, ...], Field(min_length=1, max_length=4)]


class OtherDay(_Part):
    """A day that is not like the week says; without hours it is off."""

    day: date
    hours: Annotated[tuple[Hours, ...], Field(max_length=4)] = ()


class Shift(_Part):
    """A pattern of working time that people and teams refer to."""

    code: Code
    weekly: Annotated[tuple[Working, ...], Field(max_length=7)]
    other_days: Annotated[tuple[OtherDay, ...], Field(max_length=400)] = ()

    def intervals(self, begins: datetime, ends: datetime) -> tuple[Interval, ...]:
        """Every stretch of work that touches the time between two instants, in order."""
        return joined(each for each in self._stretches(begins, ends) if each[0] < ends and each[1] > begins)

    def _stretches(self, begins: datetime, ends: datetime) -> Iterator[Interval]:
        differing = {each.day: each.hours for each in self.other_days}
        day = begins.astimezone(ZONE).date() - timedelta(days=1)  # last night's may not be over
        while day <= ends.astimezone(ZONE).date():
            yield from (hours.on(day) for hours in differing.get(day, self._usual(day)))
            day += timedelta(days=1)

    def _usual(self, day: date) -> Sequence[Hours]:
        name = WEEKDAYS[day.weekday()]
        return [hours for each in self.weekly if name in each.days for hours in each.hours]


def day_of(instant: datetime) -> date:
    """The day on the wall calendar."""
    return instant.astimezone(ZONE).date()


def joined(intervals: Iterator[Interval] | Sequence[Interval]) -> tuple[Interval, ...]:
    """The same time in as few intervals as can be, in order."""
    found: list[Interval] = []
    for begins, ends in sorted(intervals):
        if found and begins <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], ends))
        else:
            found.append((begins, ends))
    return tuple(found)


def earliest(
    since: datetime,
    length: timedelta,
    latest: datetime,
    working: Sequence[Interval] | None,
    busy: Sequence[Interval],
) -> datetime | None:
    """The first instant from `since` to `latest` from which `length` lies within work and meets nothing else.

    The whole of it is looked at, not its beginning alone. `working` None is always; both are in order.
    """
    for begins, ends in ((since, None),) if working is None else working:
        at = max(begins, since)
        for taken_from, taken_to in busy:
            if taken_from < at + length and taken_to > at:
                at = taken_to
        if at > latest:
            return None
        if ends is None or at + length <= ends:
            return at
    return None
