"""Bytes into events. What cannot be decoded is set aside, alone, with the reason."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import Field, TypeAdapter, ValidationError

from shared.clock import uuid7_floor
from shared.events.envelope import Event, Payload, event_model

LARGEST_MESSAGE: Final = 1024 * 1024  # bytes; our relay sends at most 256 KiB
_FUTURE: Final = timedelta(days=1)
Span = tuple[UUID, UUID]
"""The first identifier the inbox may still know, and the first that cannot have been made yet."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_.]*")


@dataclass(frozen=True, slots=True)
class Poison:
    """Something that will never decode, with its bytes."""

    body: bytes
    reason: str
    error: str
    event_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """The events of some messages, where each came from, and what was no event."""

    events: list[Event[Any]]
    sources: dict[UUID, bytes]
    poison: list[Poison]


class Decoder:
    """Decodes the events of a known set of payloads; `keep` is how far back the inbox remembers."""

    def __init__(self, payloads: Iterable[type[Payload]], keep: timedelta) -> None:
        self._keep = keep
        models = tuple(event_model(payload) for payload in sorted(payloads, key=lambda each: each.type))
        known: Any = reduce(or_, models) if models else Event[Payload]
        one: Any = Annotated[known, Field(discriminator="type")] if len(models) > 1 else known
        self._batch: TypeAdapter[list[Event[Any]]] = TypeAdapter(list[one])
        self._one: TypeAdapter[Event[Any]] = TypeAdapter(one)

    def decode(self, bodies: Iterable[bytes], now: datetime) -> Decoded:
        """All events of `bodies`; a bad one never costs its neighbours."""
        decoded = Decoded([], {}, [])
        span = uuid7_floor(now - self._keep), uuid7_floor(now + _FUTURE)
        for body in bodies:
            try:
                events = self._batch.validate_json(body) if len(body) <= LARGEST_MESSAGE else None
            except ValidationError:
                self._one_by_one(body, span, decoded)
                continue
            if events is None:
                decoded.poison.append(Poison(body, "too large", f"a message of {len(body)} bytes"))
                continue
            for event in events:
                _take(event, body, span, decoded)
        return decoded

    def _one_by_one(self, body: bytes, span: Span, decoded: Decoded) -> None:
        try:
            items = json.loads(body)
        except (ValueError, RecursionError) as error:
            decoded.poison.append(Poison(body, "not JSON", type(error).__name__))
            return
        for item in items if isinstance(items, list) else [items]:
            alone = json.dumps([item], ensure_ascii=False).encode(errors="surrogatepass")
            try:
                event = self._one.validate_json(alone[1:-1])
            except ValidationError as error:
                decoded.poison.append(Poison(alone, "not a known event", _explain(error)))
            else:
                _take(event, alone, span, decoded)


def _take(event: Event[Any], body: bytes, span: Span, decoded: Decoded) -> None:
    oldest, newest = span
    if oldest <= event.id < newest:
        decoded.events.append(event)
        decoded.sources[event.id] = body
    elif event.id < oldest:
        error = "made before what the inbox remembers"
        decoded.poison.append(Poison(extract(body, event.id), "too old", error, event.id))
    else:
        error = "made later than now, by its id"
        decoded.poison.append(Poison(extract(body, event.id), "from the future", error, event.id))


def extract(body: bytes, event_id: UUID) -> bytes:
    """The batch of one event, all its fields kept, from the message that carried it."""
    [item] = [item for item in json.loads(body) if UUID(item["id"]) == event_id][:1]  # spelled in any way
    return json.dumps([item], ensure_ascii=False).encode()


def _explain(error: ValidationError) -> str:
    """Where and why, never the value: it may be somebody's name."""
    faults = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"/{'/'.join(map(_place, fault['loc']))}: {fault['type']}" for fault in faults[:5])


def _place(part: int | str) -> str:
    """A name of ours; what else may be the key of a mapping, so content."""
    return str(part) if isinstance(part, int) or _NAME.fullmatch(part) else "*"
