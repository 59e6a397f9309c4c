"""Calendars as they are sent and told over HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from shared.sent import Sent
from sla_monitor.calendars.rules import (
    DAY,
    Calendar,
    ExceptionalDay,
    Provenance,
    Window,
    add_working,
    open_between,
    window,
)
from sla_monitor.calendars.store import Head, UnconfirmedYear
from sla_monitor.calendars.versions import (
    FIRST_YEAR,
    LAST_YEAR,
    MOST_DAYS,
    Content,
    DayChange,
    DayKind,
    Difference,
    Version,
    Windows,
    kind_of,
)
from sla_monitor.policies.rules import Policy

_TIME: Final = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?"
Opening = Annotated[str, StringConstraints(pattern=rf"^{_TIME}$"), Field(examples=["09:00"])]
Closing = Annotated[str, StringConstraints(pattern=rf"^({_TIME}|24:00)$"), Field(examples=["18:00"])]
Day = Annotated[date, Field(ge=date(FIRST_YEAR, 1, 1), le=date(LAST_YEAR, 12, 30))]
_TEXT: Final = r"^[^\x00-\x1f\x7f]+$"  # one line that can be stored
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True, pattern=_TEXT)]
Source = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True, pattern=_TEXT)]
MOST_WINDOWS: Final = 12  # of one day
MOST_INTERVALS: Final = 100  # of one sum; it says how many more there are


def clock_time(seconds: int) -> str:
    """Seconds after midnight as a clock shows them; the seconds only where there are any."""
    if seconds == DAY:
        return "24:00"
    hours, rest = divmod(seconds % DAY, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours:02}:{minutes:02}" + (f":{left:02}" if left else "")


def _time(text: str) -> time:
    return time() if text == "24:00" else time.fromisoformat(text)


class Hours(Sent):
    """A window of working time; one that does not close later than it opens closes on the next day."""

    opens: Opening
    closes: Closing

    @classmethod
    def of(cls, shown: Window) -> Hours:
        return cls(opens=clock_time(shown.opens), closes=clock_time(shown.closes))

    def window(self) -> Window:
        return window(_time(self.opens), _time(self.closes))


class DayForm(Sent):
    """A day that differs from its weekday; without windows nobody works."""

    day: Day
    windows: list[Hours] = Field(default=[], max_length=MOST_WINDOWS)
    name: Name = Field(examples=["国庆节"])
    provenance: Provenance = "entered"

    @classmethod
    def of(cls, known: ExceptionalDay) -> DayForm:
        windows = [Hours.of(each) for each in known.windows]
        return cls(day=known.day, windows=windows, name=known.name, provenance=known.provenance)

    def known(self) -> ExceptionalDay:
        return ExceptionalDay(self.day, _windows(self.windows), self.name, self.provenance)


class ContentForm(Sent):
    """What a version says: all of it, the days of every year, too."""

    zone: str = Field(max_length=100, examples=["Asia/Shanghai"])
    week: list[Annotated[list[Hours], Field(max_length=MOST_WINDOWS)]] = Field(
        min_length=7, max_length=7, description="Monday first."
    )
    days: list[DayForm] = Field(default=[], max_length=MOST_DAYS)
    source: Source = "entered by a person"

    @classmethod
    def of(cls, content: Content) -> ContentForm:
        # What was counted by before need not be checked again, and there may be a lot of it.
        return cls.model_construct(
            zone=content.zone,
            week=[[Hours.of(each) for each in windows] for windows in content.week],
            days=[DayForm.of(each) for each in content.days],
            source=content.source,
        )

    def content(self) -> Content:
        return Content(
            self.zone, tuple(map(_windows, self.week)), tuple(each.known() for each in self.days), self.source
        )


class NewVersion(ContentForm):
    """A version to publish; it takes effect now, or at a later instant."""

    valid_from: Annotated[AwareDatetime, Field(lt=datetime(LAST_YEAR, 1, 1, tzinfo=UTC))] | None = None


def _windows(hours: Iterable[Hours]) -> Windows:
    return tuple(each.window() for each in hours)


class HeadShown(BaseModel):
    """A version, without what it says."""

    version: int
    valid_from: datetime
    zone: str
    source: str
    digest: str = Field(description="Equal for versions that count alike.")
    made_at: datetime
    made_by: str | None = Field(description="Null for the version that shipped.")

    @classmethod
    def of(cls, head: Head) -> HeadShown:
        return cls(**{name: getattr(head, name) for name in cls.model_fields})


class CalendarShown(BaseModel):
    """A calendar: the version in force, the last one, and the years it is not sure of."""

    name: str
    in_force: int
    last: int = Field(description="What If-Match asks for when another one is published.")
    zone: str
    default: bool = Field(description="Whether it counts wherever no other one does.")
    regions: list[str] = Field(description="Where it counts instead of the default.")
    unconfirmed_years: list[int]

    @classmethod
    def of(
        cls, heads: list[Head], governing: Head, policy: Policy, warnings: Iterable[UnconfirmedYear]
    ) -> CalendarShown:
        return cls(
            name=governing.calendar,
            default=policy.calendar == governing.calendar,
            regions=sorted(region for region, name in policy.regional.items() if name == governing.calendar),
            in_force=governing.version,
            last=max(head.version for head in heads),
            zone=governing.zone,
            unconfirmed_years=[each.year for each in warnings if each.calendar == governing.calendar],
        )


class CalendarWithVersions(CalendarShown):
    """A calendar and its versions, in the order in which they apply."""

    versions: list[HeadShown]


class VersionShown(ContentForm):
    """A version with all it says."""

    version: int
    valid_from: datetime
    digest: str
    made_at: datetime
    made_by: str | None

    @classmethod
    def whole(cls, shown: Version) -> VersionShown:
        known = cls.model_fields.keys() - ContentForm.model_fields.keys()
        head = {name: getattr(shown, name) for name in known}
        return cls.model_construct(**dict(ContentForm.of(shown.content)), **head)


class DayShown(BaseModel):
    """One day of a year; `name` and `provenance` where it differs from its weekday."""

    day: date
    kind: DayKind
    windows: list[Hours]
    name: str | None
    provenance: Provenance | None

    @classmethod
    def all(cls, content: Content, year: int) -> list[DayShown]:
        exceptions = content.in_year(year)
        first, last = date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal()
        return [
            cls.of(content, day, exceptions.get(day)) for day in map(date.fromordinal, range(first, last + 1))
        ]

    @classmethod
    def of(cls, content: Content, day: date, exception: ExceptionalDay | None) -> DayShown:
        windows = content.week[day.weekday()] if exception is None else exception.windows
        return cls(
            day=day,
            kind=kind_of(content, day, exception),
            windows=[Hours.of(each) for each in windows],
            name=exception.name if exception else None,
            provenance=exception.provenance if exception else None,
        )


class DayChangeShown(BaseModel):
    """A day before and after; null where it is as its weekday."""

    day: date
    before: DayForm | None
    after: DayForm | None

    @classmethod
    def of(cls, change: DayChange) -> DayChangeShown:
        before, after = (each and DayForm.of(each) for each in (change.before, change.after))
        return cls(day=change.day, before=before, after=after)


class Proposal(BaseModel):
    """What could be published, and what that would change; nothing has been stored."""

    content: ContentForm
    changes: list[DayChangeShown]
    left_out: int = Field(description="Entries that name times of a day instead of days.")

    @classmethod
    def of(cls, content: Content, difference: Difference, left_out: int) -> Proposal:
        changes = [DayChangeShown.of(each) for each in difference.days]
        return cls(content=ContentForm.of(content), changes=changes, left_out=left_out)


class Counted(BaseModel):
    """A piece of working time."""

    begins: datetime
    ends: datetime
    seconds: float


class Sum(BaseModel):
    """When so much working time has passed, and the pieces it is made of."""

    start: datetime
    working_seconds: float
    end: datetime
    counted: list[Counted]
    more: int = Field(description="Pieces that are not listed.")

    @classmethod
    def of(cls, calendar: Calendar, start: datetime, amount: timedelta) -> Sum:
        end = add_working(calendar, start, amount)
        pieces = open_between(calendar, start, end)
        counted = [
            Counted(begins=begins, ends=ends, seconds=(ends - begins).total_seconds())
            for begins, ends in islice(pieces, MOST_INTERVALS)
        ]
        more = sum(1 for _ in pieces)
        return cls(start=start, working_seconds=amount.total_seconds(), end=end, counted=counted, more=more)


How = Literal["add", "instead"]
"""Whether days of a file or a country stand beside those of these years, or instead of them."""
