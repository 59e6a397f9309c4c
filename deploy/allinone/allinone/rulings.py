"""By what rules a command without a server counts: files as the API gives them, else what ships."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from allinone.faults import NotUsable
from shared.errors import AftercareError
from shared.http import strict
from sla_monitor.calendars.chinese import WEEK, ZONE, chinese_days
from sla_monitor.calendars.rules import Calendar, ExceptionalDay
from sla_monitor.policies.rules import Policy
from sla_monitor.policies.shipped import SHIPPED

YEARS: Final = 2020, 2030
"""Those whose holidays the shipped calendar knows."""
_MOST_FAULTS: Final = 5


class FileUnusable(NotUsable):
    """A file is not there, or does not say what it should."""

    def __init__(self, path: Path, why: object) -> None:
        super().__init__(f"{path} cannot be used: {why}")


@dataclass(frozen=True, slots=True)
class Counting:
    """A calendar: its name, its days that differ from their weekday, and the years it knows those of."""

    name: str
    calendar: Calendar
    days: Mapping[date, ExceptionalDay]
    years: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Rules:
    """What to count by."""

    policy: Policy
    counting: Counting


def read_rules(policy: Path | None, calendar: Path | None) -> Rules:
    """From files, or what ships; `FileUnusable`."""
    return Rules(
        SHIPPED if policy is None else read_policy(policy),
        shipped_counting() if calendar is None else read_calendar(calendar),
    )


@lru_cache(maxsize=4)
def shipped_counting(first_year: int = YEARS[0], last_year: int = YEARS[1]) -> Counting:
    """The calendar that ships, with the holidays of these years."""
    _, days = chinese_days(first_year, last_year)
    calendar = Calendar(ZONE, WEEK, {each.day: each.windows for each in days})
    return Counting(SHIPPED.calendar, calendar, {each.day: each for each in days}, (first_year, last_year))


def read_policy(path: Path) -> Policy:
    """A policy, or a version of one as `GET /sla/policies/{version}` answers."""
    document = read_json(path)
    body = document.get("policy", document) if isinstance(document, dict) else document
    try:
        return Policy.model_validate_json(json.dumps(body))
    except ValidationError as error:
        raise FileUnusable(path, told(error)) from None


def read_calendar(path: Path) -> Counting:
    """A version of a calendar, as `GET /sla/calendars/{name}/versions/{version}` answers."""
    from sla_monitor.calendars.answers import ContentForm
    from sla_monitor.calendars.versions import faults

    document = read_json(path)
    fields = document if isinstance(document, dict) else {}
    try:
        content = ContentForm.model_validate_json(
            json.dumps({name: fields[name] for name in ContentForm.model_fields if name in fields})
        ).content()
        if found := faults(content):
            each = found[0]
            raise FileUnusable(path, f"{'/'.join(map(str, each.path))}: {each.detail}")
        calendar = content.calendar()
    except ValidationError as error:
        raise FileUnusable(path, told(error)) from None
    except AftercareError as error:
        raise FileUnusable(path, error) from None
    name = fields.get("calendar", path.stem)
    return Counting(str(name), calendar, {each.day: each for each in content.days}, None)


def read_json(path: Path) -> Any:
    """A JSON file; `FileUnusable`."""
    try:
        return strict.parse(path.read_bytes())
    except OSError as error:
        raise FileUnusable(path, error.strerror) from None
    except (strict.NotJson, strict.UnacceptableJson) as error:
        raise FileUnusable(path, error) from None


def told(error: ValidationError) -> str:
    """What is wrong where, without repeating what was read."""
    found = error.errors(include_input=False, include_url=False)
    lines = [f"{'/'.join(map(str, each['loc'])) or 'it'}: {each['msg']}" for each in found[:_MOST_FAULTS]]
    more = len(found) - len(lines)
    return "; ".join(lines) + (f"; and {more} more" if more else "")
