"""What a sink is told and how loudly: which notices become one message and when, and when to try again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Annotated, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from shared.events.terms import Code
from shared.i18n import N_
from shared.outgoing import pause
from shared.sent import Sent

Role = Literal["owner", "supervisor", "team_lead", "leadership", "assignee"]
ROLES: Final[tuple[Role, ...]] = ("owner", "supervisor", "team_lead", "leadership", "assignee")
What = Literal[
    "warning", "breach", "escalation", "called", "returned", "assignment", "retraction", "ended"
]  # fmt: skip
Aspect = Literal["owner", "region", "promise"]
MOST_LISTED: Final = 100  # alerts in one message; more become several messages

KEEP_TRYING: Final = timedelta(hours=24)
_FIRST: Final = timedelta(seconds=5)
_LONGEST: Final = timedelta(minutes=15)  # so long at most after a receiver is back
_FIRST_REST: Final = timedelta(seconds=1)
_LONGEST_REST: Final = timedelta(minutes=1)


class Terms(Sent):
    """What one sink is told, and how loudly.

    roles     it is told only what concerns one of them
    regions   only alerts of these, None is all
    warnings  whether it is told before anything was missed
    group_by  notices that agree in these become one message
    window    seconds after a message in which others like it are gathered
    gather    seconds that a notice waits for others at most
    quiet     no warnings from one time of the day to another; breaches go out at any time
    """

    model_config = ConfigDict(frozen=True)

    roles: tuple[Role, ...] = Field(default=ROLES, min_length=1)
    regions: tuple[Code, ...] | None = Field(default=None, max_length=200)
    warnings: bool = True
    language: Literal["zh-CN", "en"] = "zh-CN"
    group_by: tuple[Aspect, ...] = ("owner", "region", "promise")
    window: Annotated[int, Field(ge=0, le=24 * 3600)] = 300
    gather: Annotated[int, Field(ge=0, le=900)] = 60
    quiet_from: time | None = None
    quiet_until: time | None = None
    zone: str = "Asia/Shanghai"

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise PydanticCustomError("zone_unknown", N_("There is no such time zone"))
        return zone

    @model_validator(mode="after")
    def _whole(self) -> Terms:
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise PydanticCustomError("half_quiet", N_("Quiet hours have a beginning and an end"))
        if any(each is not None and each.tzinfo is not None for each in (self.quiet_from, self.quiet_until)):
            raise PydanticCustomError("zoned_quiet", N_("Quiet hours are local times in `zone`"))
        return self


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notice that no message lists yet."""

    id: UUID
    alert_id: UUID
    what: What
    owner: str
    region: str
    promise: str
    raised_at: datetime


@dataclass(frozen=True, slots=True)
class Group:
    """Notices that become one message now."""

    key: str
    what: What
    notices: tuple[Waiting, ...]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is told now, and when to look at the rest again."""

    groups: tuple[Group, ...]
    again: datetime | None


def gather(
    waiting: Sequence[Waiting], latest: Mapping[str, datetime], terms: Terms, now: datetime
) -> Gathered:
    """The first of a kind at once, those soon after it together: nothing is left out, only put together.

    `latest` says when the last message of each key was made.
    """
    kinds: dict[str, list[Waiting]] = {}
    for each in sorted(waiting, key=lambda each: (each.raised_at, each.id)):
        kinds.setdefault(key_of(each, terms), []).append(each)
    groups: list[Group] = []
    later: list[datetime] = []
    for key, notices in kinds.items():
        ready = _ready_at(notices[0], latest.get(key), terms, now)
        if ready > now:
            later.append(ready)
            continue
        for at in range(0, len(notices), MOST_LISTED):
            groups.append(Group(key, notices[0].what, tuple(notices[at : at + MOST_LISTED])))
    return Gathered(tuple(groups), min(later, default=None))


def key_of(notice: Waiting, terms: Terms) -> str:
    """What notices that may be put together have in common."""
    aspects: dict[Aspect, str] = {
        "owner": notice.owner,
        "region": notice.region,
        "promise": notice.promise,
    }
    named = (f"{name}={aspects[name]}" for name in ("owner", "region", "promise") if name in terms.group_by)
    return " ".join((notice.what, *named))


def _ready_at(first: Waiting, latest: datetime | None, terms: Terms, now: datetime) -> datetime:
    if first.what == "warning" and (over := quiet_over(terms, now)):
        return over
    if latest is None or latest + timedelta(seconds=terms.window) <= now:
        return now
    # The window may end before the patience does.
    return min(first.raised_at + timedelta(seconds=terms.gather), latest + timedelta(seconds=terms.window))


def quiet_over(terms: Terms, now: datetime) -> datetime | None:
    """When the quiet hours that `now` lies in end; None outside of them."""
    if terms.quiet_from is None or terms.quiet_until is None:
        return None
    zone = ZoneInfo(terms.zone)
    local = now.astimezone(zone)
    begins, ends, at = terms.quiet_from, terms.quiet_until, local.time()
    overnight = begins > ends
    inside = (at >= begins or at < ends) if overnight else begins <= at < ends
    if not inside:
        return None
    day = local.date() + timedelta(days=1 if overnight and at >= begins else 0)
    over = datetime.combine(day, ends, zone).astimezone(now.tzinfo)
    # An hour that is told twice may lie on either side of `now`.
    return over if over > now else None


def retry_at(attempts: int, now: datetime, until: datetime, chance: float) -> datetime | None:
    """When to try a message again after `attempts`; None when it is given up.

    The pause doubles, less up to half of it by `chance` (0 to 1).
    """
    if now >= until:
        return None
    return min(now + pause(_FIRST, _LONGEST, attempts, chance), until)


def resume_at(failures: int, now: datetime, chance: float) -> datetime:
    """When a sink that failed so many times in a row is tried again."""
    return now + pause(_FIRST_REST, _LONGEST_REST, failures, chance)
