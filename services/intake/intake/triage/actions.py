"""The rules in force, publishing others, and what others would change."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

from intake.triage import store
from intake.triage.lint import lint
from intake.triage.rules import Rules, Triage, judge, shipped_rules
from intake.triage.ruleset import FIRST_PUBLISHED, Draft, RuleSet
from intake.triage.store import Told
from shared.db import Tx
from shared.db.audit import record
from shared.errors import AftercareError
from shared.http.strict import pointer
from shared.i18n import day_of

_KEPT: Final = 4  # sets of rules ready to judge; more than one while a new one takes over, and in tests
_READY: Final[OrderedDict[str, Rules]] = OrderedDict()


class RulesRefused(AftercareError):
    """These rules would not do what they say; `errors` tells what is wrong with which part."""

    shown: ClassVar = ("errors",)


@dataclass(frozen=True, slots=True)
class Change:
    """A request that other rules would judge otherwise."""

    told: Told
    verdict: Triage


async def in_force(tx: Tx, digest: str | None) -> Rules:
    """The rules whose digest this is, ready to judge; read from the database once per process."""
    if digest is None:
        return shipped_rules()
    if digest not in _READY:
        _READY[digest] = Rules.of(await store.load_by_digest(tx, digest))
        while len(_READY) > _KEPT:
            _READY.popitem(last=False)
    return _READY[digest]


def check(draft: Draft) -> None:
    """Raises `RulesRefused` with everything the linter finds."""
    found = [
        {"source": "body", "pointer": pointer(each.path), "detail": each.say(), "code": each.code}
        for each in lint(draft)
    ]
    if found:
        raise RulesRefused(errors=found)


async def publish(tx: Tx, draft: Draft, by: str, require: Callable[[int], None]) -> RuleSet:
    """Make `draft` the next version: it judges what comes in from now on. Raises `RulesRefused`.

    `require` checks which version the author has seen in force.
    """
    check(draft)
    next_one = await store.next_version(tx)
    require((await store.load_rules(tx)).version)
    rules = RuleSet.of(draft, next_one, day_of(tx.now))
    await store.save_rules(tx, rules, digest_of(rules), by)
    detail = {"digest": digest_of(rules), "note": rules.note}
    await record(tx, by, "triage_rules_published", str(rules.version), detail)
    return rules


def digest_of(rules: RuleSet) -> str:
    document = json.dumps(rules.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(document.encode()).hexdigest()


async def try_out(tx: Tx, draft: Draft, most: int) -> tuple[int, list[Change]]:
    """How many of the newest requests were judged anew, and those that would be judged otherwise."""
    check(draft)
    rules = Rules.of(RuleSet.of(draft, FIRST_PUBLISHED, day_of(tx.now)))
    recent = await store.load_recent(tx, most)
    verdicts = ((each, judge(f"{each.title}\n{each.text}", rules)) for each in recent)
    changed = [
        Change(told, verdict)
        for told, verdict in verdicts
        if (told.kind, told.severity) != (verdict.kind, verdict.severity)
    ]
    return len(recent), changed
