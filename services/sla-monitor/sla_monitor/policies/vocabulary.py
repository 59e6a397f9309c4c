"""What a policy may speak of: the events that reach histories here, and the facts that they tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from types import UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin
from uuid import UUID

from shared.events import Payload
from shared.events.language import OWNERS
from shared.events.terms import Site
from sla_monitor.clocks.rules.history import kind_of
from sla_monitor.policies.rules import About

Values: TypeAlias = frozenset[str | bool]


@dataclass(frozen=True)
class Vocabulary:
    """Events without the versions of their forms, and facts.

    known  every event that anybody publishes
    heard  those that are read here, and what each is about
    facts  what is told of a subject, with the values it may have; None where it may have any
    """

    known: frozenset[str]
    heard: Mapping[str, About]
    facts: Mapping[About, Mapping[str, Values | None]]

    def may_happen(self, about: About, kinds: Iterable[str]) -> frozenset[str]:
        """Those of `kinds` that can be part of such a subject's history."""
        return frozenset(kind for kind in kinds if self.heard.get(kind) == about)


def vocabulary(read: Iterable[type[Payload]]) -> Vocabulary:
    """The words of a house whose histories are made of the payloads `read`."""
    heard: dict[str, About] = {}
    facts: dict[About, dict[str, Values | None]] = {"ticket": {}, "request": {}, "call": {}}
    for payload in read:
        kind = _without_version(payload.type)
        heard[kind] = kind_of(kind)
        facts[heard[kind]] |= dict(_facts_of(payload))
    return Vocabulary(frozenset(_published()), heard, facts)


def _published() -> Iterator[str]:
    for module in chain.from_iterable(OWNERS.values()):
        for each in vars(module).values():
            if isinstance(each, type) and issubclass(each, Payload) and hasattr(each, "type"):
                yield _without_version(each.type)


def _without_version(event: str) -> str:
    return event.rpartition(".")[0]


def _facts_of(payload: type[Payload]) -> Iterator[tuple[str, Values | None]]:
    """As the consumers take them out of a payload."""
    for name, field in payload.model_fields.items():
        for form in _members(field.annotation):
            if form is Site:
                yield from (("region", None), ("city", None))
            elif form is bool:
                yield name, frozenset((True, False))
            elif get_origin(form) is Literal:
                yield name, frozenset(get_args(form))
            elif form in (str, int, UUID, datetime) and name != "reason":  # prose, where it is no choice
                yield name, None


def _members(form: Any) -> tuple[Any, ...]:
    """The alternatives of a union, or the one form there is, without what restricts it."""
    match get_origin(form):
        case origin if origin is Annotated:
            return (get_args(form)[0],)
        case origin if origin in (Union, UnionType):
            return tuple(each for part in get_args(form) for each in _members(part))
        case _:
            return (form,)
