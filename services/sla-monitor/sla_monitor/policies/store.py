"""Policy versions, and which policy and calendar govern a subject."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, DateTime, Integer, Table, Text, select, text
from sqlalchemy.dialects.postgresql import JSONB

from shared.db import Tx, insert_rows
from sla_monitor.calendars.rules import Calendar
from sla_monitor.calendars.store import load_calendar
from sla_monitor.policies.rules import Policy
from sla_monitor.tables import metadata

policy_version = Table(
    "policy_version",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("valid_from", DateTime(timezone=True), nullable=False),
    Column("body", JSONB, nullable=False),
    Column("source", Text, nullable=False),
    Column("digest", Text, nullable=False),
)


def row_of(version: int, valid_from: datetime, policy: Policy, source: str) -> dict[str, Any]:
    """The row of a policy version."""
    return {
        "version": version,
        "valid_from": valid_from,
        "body": policy.model_dump(mode="json"),
        "source": source,
        "digest": hashlib.sha256(policy.model_dump_json().encode()).hexdigest(),
    }


async def save_version(tx: Tx, row: dict[str, Any]) -> None:
    """Store what `row_of` made."""
    await insert_rows(tx, policy_version, [row])


@dataclass(frozen=True, slots=True)
class Governing:
    """The policy and the calendar a subject's clocks obey, and their versions."""

    policy: Policy
    calendar: Calendar
    versions: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Version:
    version: int
    valid_from: datetime
    digest: str


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All versions, oldest first."""

    policies: Sequence[_Version]
    calendars: Mapping[str, Sequence[_Version]]

    def at(self, instant: datetime) -> Governing:
        """What is in force at `instant`: for a subject, when its history begins.

        So a version published later changes no clock that runs, and a late message finds the version of
        its time.
        """
        policy_version = _in_force(self.policies, instant)
        policy = _policies[policy_version.digest]
        calendar_version = _in_force(self.calendars[policy.calendar], instant)
        calendar = _calendars[calendar_version.digest]
        return Governing(policy, calendar, (policy_version.version, calendar_version.version))


def _in_force(versions: Sequence[_Version], instant: datetime) -> _Version:
    return next((each for each in reversed(versions) if each.valid_from <= instant), versions[0])


# Kept by content: a version never changes, so neither does what its digest stands for.
_policies: Final[dict[str, Policy]] = {}
_calendars: Final[dict[str, Calendar]] = {}

_VERSIONS: Final = text(
    """
    SELECT NULL AS calendar, version, valid_from, digest FROM policy_version
    UNION ALL
    SELECT calendar, version, valid_from, digest FROM calendar_version
    ORDER BY valid_from, version
    """
)


async def load_rulebook(tx: Tx) -> Rulebook:
    """Which versions there are; one statement once their contents are known to this process."""
    policies: list[_Version] = []
    calendars: dict[str, list[_Version]] = {}
    for row in await tx.execute(_VERSIONS):
        kept = policies if row.calendar is None else calendars.setdefault(row.calendar, [])
        kept.append(_Version(row.version, row.valid_from, row.digest))
        if row.calendar is None and row.digest not in _policies:
            _policies[row.digest] = await _load_policy(tx, row.version)
        elif row.calendar is not None and row.digest not in _calendars:
            _calendars[row.digest] = await load_calendar(tx, row.calendar, row.version)
    return Rulebook(policies, calendars)


async def _load_policy(tx: Tx, version: int) -> Policy:
    body = await tx.execute(select(policy_version.c.body).where(policy_version.c.version == version))
    return Policy.model_validate(body.scalar_one())
