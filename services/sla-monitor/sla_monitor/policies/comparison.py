"""What differs between two policies, part by part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sla_monitor.policies.rules import Policy


@dataclass(frozen=True, slots=True)
class Alteration:
    """One part that differs; `promise` is None of the policy as a whole, a value where there is none."""

    promise: str | None
    part: str
    before: str | None
    after: str | None


def compare(before: Policy, after: Policy) -> tuple[Alteration, ...]:
    """Every value that differs, promise by promise in their order."""
    old, new = dict(_values(before)), dict(_values(after))
    return tuple(
        Alteration(*key, old.get(key), new.get(key))
        for key in dict.fromkeys((*new, *old))
        if old.get(key) != new.get(key)
    )


def _values(policy: Policy) -> Iterator[tuple[tuple[str | None, str], str]]:
    body = policy.model_dump(mode="json")
    promises = body.pop("promises")
    for part, value in _leaves(body):
        yield (None, part), value
    for promise in promises:
        code = promise.pop("code")
        for part, value in _leaves(promise):
            yield (code, part), value


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Plain values by where they stand; a list of plain values is one."""
    match value:
        case dict() if value:
            for name, member in value.items():
                yield from _leaves(member, f"{path}.{name}" if path else name)
        case list() if any(isinstance(each, dict) for each in value):
            for place, member in enumerate(value, start=1):
                yield from _leaves(member, f"{path} {place}")
        case list():
            yield path, ", ".join(map(str, value))
        case None | {}:
            return
        case _:
            yield path, str(value)
