"""Check policies, and publish them as versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from shared.db import Tx, lock_subjects
from shared.db.audit import record
from shared.errors import AftercareError
from shared.http.auth import Principal
from shared.http.strict import pointer
from sla_monitor.calendars.rules import Calendar
from sla_monitor.calendars.versions import SOONEST
from sla_monitor.clocks.consumers import READ
from sla_monitor.clocks.rules.history import Facts
from sla_monitor.policies import store
from sla_monitor.policies.lint import Finding, lint, say
from sla_monitor.policies.rules import Policy
from sla_monitor.policies.store import Rulebook, Version, load_rulebook
from sla_monitor.policies.vocabulary import vocabulary
from sla_monitor.scope import require_whole_house

WORDS: Final = vocabulary(READ)
FARTHEST: Final = timedelta(days=366)


class PolicyRefused(AftercareError):
    """The policy would not do what it says; `errors` tells what is wrong with which part, and the way out."""

    shown: ClassVar = ("errors",)


class WarningsNotAccepted(AftercareError):
    """The policy may not be meant like this; read `errors`, and send `accept_warnings` if it is."""

    shown: ClassVar = ("errors",)


class ValidityOutOfRange(AftercareError):
    """A version is valid from now on or from an instant of the coming year: the past is judged already."""


class ValidityTaken(AftercareError):
    """Another version is valid from the same instant; choose another one."""

    kind = "conflict"


class VersionUnknown(AftercareError):
    """There is no policy version {version}."""

    kind = "not_found"


class CalendarUnknown(AftercareError):
    """There is no calendar {calendar} to count by; make it first."""


async def check(tx: Tx, policy: Policy) -> tuple[Finding, ...]:
    """What the linter says about `policy`, with the calendars that are in force now."""
    return lint(policy, WORDS, (await load_rulebook(tx)).calendars_at(tx.now), tx.now)


def policy_of(rulebook: Rulebook, version: int) -> Policy:
    """The policy under `version`; `VersionUnknown` when there is none."""
    if all(each.version != version for each in rulebook.policies):
        raise VersionUnknown(version=version)
    return rulebook.policy(version)


def calendar_for(rulebook: Rulebook, policy: Policy, instant: datetime, facts: Facts) -> tuple[str, Calendar]:
    """The name and the version of the calendar by which `policy` counts what begins at `instant`."""
    region = facts.get("region")
    name = policy.calendar_of(region if isinstance(region, str) else None)
    calendar = rulebook.calendars_at(instant).get(name)
    if calendar is None:
        raise CalendarUnknown(calendar=name)
    return name, calendar


async def publish(
    tx: Tx,
    by: Principal,
    policy: Policy,
    valid_from: datetime | None,
    note: str,
    accept_warnings: bool,
    require: Callable[[int], None],
) -> Version:
    """Make `policy` the next version; `require` checks the newest version the author has seen.

    `PolicyRefused` for what the linter calls an error, `WarningsNotAccepted` for what it doubts.
    """
    require_whole_house(by)
    await lock_subjects(tx, {"policy_version"})
    rulebook = await load_rulebook(tx)
    newest = max(each.version for each in rulebook.policies)
    require(newest)
    begins = valid_from or tx.now
    if not tx.now - timedelta(minutes=1) <= begins <= tx.now + FARTHEST:
        raise ValidityOutOfRange
    begins = max(begins, tx.now + SOONEST)
    if any(each.valid_from == begins for each in rulebook.policies):
        raise ValidityTaken
    _accept(await check(tx, policy), accept_warnings)
    row = store.row_of(newest + 1, begins, policy, "edited")
    await store.save_version(tx, {**row, "made_by": by.id, "note": note})
    detail = {"valid_from": begins.isoformat(), "digest": row["digest"], "note": note}
    await record(tx, by.id, "policy.published", str(newest + 1), detail)
    return await store.load_version(tx, newest + 1)


def _accept(findings: Sequence[Finding], accept_warnings: bool) -> None:
    errors = [each for each in findings if each.level == "error"]
    if errors:
        raise PolicyRefused(errors=[as_error(each) for each in errors])
    if findings and not accept_warnings:
        raise WarningsNotAccepted(errors=[as_error(each) for each in findings])


def as_error(finding: Finding) -> Mapping[str, Any]:
    """A finding as problems name what is wrong with a body, in the reader's language."""
    return {
        "source": "body",
        "pointer": pointer(("policy", *finding.path)),
        "detail": " ".join(say(finding)),
        "code": finding.code,
    }
