"""What happens to one ticket, request or call, in order, and the clocks the shipped policy makes of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sla_monitor.calendars.chinese import WEEK, ZONE, chinese_days
from sla_monitor.calendars.rules import Calendar
from sla_monitor.clocks.rules import Clock, Happening, evaluate
from sla_monitor.policies.shipped import SHIPPED

CHINA = Calendar(ZONE, WEEK, {each.day: each.windows for each in chinese_days(2026, 2027)[1]})


def shanghai(month: int, day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, second, tzinfo=ZoneInfo(ZONE))


def friday(hour: int, minute: int = 0, second: int = 0) -> datetime:
    """20 November 2026, an ordinary working Friday."""
    return shanghai(11, 20, hour, minute, second)


def monday(hour: int, minute: int = 0) -> datetime:
    return shanghai(11, 23, hour, minute)


class Story:
    """What happens to one subject, told in order."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.events: list[Happening] = []

    def then(self, kind: str, at: datetime, **facts: Any) -> Story:
        number = len(self.events) + 1
        self.events.append(Happening(UUID(int=number), f"{self.owner}.{kind}", number, at, facts))
        return self

    def clock(self, promise: str, occurrence: int | None = None, now: datetime | None = None) -> Clock:
        (found,) = [
            each
            for each in evaluate(SHIPPED, CHINA, self.events, now)
            if each.promise == promise and occurrence in (None, each.occurrence)
        ]
        return found

    def promises(self) -> list[str]:
        return [each.promise for each in evaluate(SHIPPED, CHINA, self.events)]


def call() -> Story:
    return Story("intake")


def request(channel: str, at: datetime) -> Story:
    return Story("intake").then("request_registered", at, channel=channel, severity="general")


def ticket(severity: str, at: datetime, *, same_city: bool = True, engineer: str = "1") -> Story:
    return Story("dispatch").then(
        "ticket_assigned", at, severity=severity, same_city=same_city, engineer_id=engineer, episode=1
    )


def agreed(story: Story, at: datetime, starts_at: datetime) -> Story:
    return story.then("visit_agreed", at, starts_at=starts_at.isoformat(), at_customers_wish=False)
