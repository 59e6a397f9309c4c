"""Set sinks up, try them, and send again what they were sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final
from uuid import UUID

from pydantic import ValidationError

from shared.clock import uuid7
from shared.db import Tx, lock_subjects
from shared.db.audit import record
from shared.errors import AftercareError
from shared.http.problem import InvalidInput, describe
from shared.outgoing import Outgoing
from sla_monitor.policies.rules import is_countable
from sla_monitor.sinks import queue, store
from sla_monitor.sinks.kind import Config, Kind
from sla_monitor.sinks.messages import TEST, body_of
from sla_monitor.sinks.registry import kind_of
from sla_monitor.sinks.rules import KEEP_TRYING, Terms
from sla_monitor.sinks.store import Sink

LONGEST_REPLAY: Final = timedelta(days=31)


class NameTaken(AftercareError):
    """Another sink is called {name}."""

    kind = "conflict"


class ReplayOutOfRange(AftercareError):
    """A replay begins before it ends, and spans at most {days} days."""

    status: ClassVar = 422


@dataclass(frozen=True, slots=True)
class Wanted:
    """A sink as somebody wants it; a secret of None is the one it has."""

    name: str
    config: Mapping[str, Any]
    terms: Terms
    enabled: bool
    secret: str | None = field(repr=False)


async def add_sink(tx: Tx, by: str, outgoing: Outgoing, code: str, wanted: Wanted) -> Sink:
    """A new sink, told of every alert from now on; `SinkUnusable` says what could never work."""
    kind = kind_of(code)
    secret = wanted.secret or ""
    config = _checked(kind, wanted.config, secret, outgoing)
    sink = Sink(
        id=uuid7(),
        kind=code,
        name=wanted.name,
        config=config,
        secret=secret,
        terms=wanted.terms,
        enabled=wanted.enabled,
        failures=0,
        failing_since=None,
        resume_at=None,
        last_error=None,
        last_sent_at=None,
        version=1,
    )
    await _save(tx, by, "sink added", sink)
    return sink


async def change_sink(
    tx: Tx, by: str, outgoing: Outgoing, id: UUID, wanted: Wanted, require: Callable[[int], None]
) -> Sink:
    """A sink set up anew, and tried at once; `require` checks the version that was seen."""
    before = await store.lock_sink(tx, id)
    require(before.version)
    secret = before.secret if wanted.secret is None else wanted.secret
    config = _checked(kind_of(before.kind), wanted.config, secret, outgoing)
    sink = replace(
        before,
        name=wanted.name,
        config=config,
        secret=secret,
        terms=wanted.terms,
        enabled=wanted.enabled,
        version=before.version + 1,
    )
    await _save(tx, by, "sink changed", sink)
    return sink


async def retire_sink(tx: Tx, by: str, id: UUID, require: Callable[[int], None]) -> None:
    """A sink that is told nothing any more."""
    sink = await store.lock_sink(tx, id)
    require(sink.version)
    await store.retire_sink(tx, id)
    await record(tx, by, "sink retired", str(id), {"name": sink.name})


async def try_sink(tx: Tx, by: str, id: UUID) -> UUID:
    """Send a message that says no more than that it is a test; its id."""
    sink = await store.lock_sink(tx, id)
    message = uuid7()
    body = body_of(TEST, (), (), tx.now)
    row = queue.message_row(message, sink.id, TEST, TEST, body, tx.now, tx.now + KEEP_TRYING)
    await queue.save_messages(tx, [row], [])
    await record(tx, by, "sink tried", str(id), {"message": str(message)})
    return message


async def replay(tx: Tx, by: str, id: UUID, since: datetime, until: datetime) -> int:
    """Send again, under the ids they had, the messages made from `since` to `until`; how many.

    A receiver that has one drops it by its id; one whose fate is open is sent after all.
    """
    # Subtracted, not added: nothing is added to the last days of the year 9999.
    spans = timedelta(0) < until - since <= LONGEST_REPLAY
    if not spans or not (is_countable(since) and is_countable(until)):
        raise ReplayOutOfRange(days=LONGEST_REPLAY.days)
    sink = await store.lock_sink(tx, id)
    number = await queue.send_again(tx, sink.id, since, until, tx.now, tx.now + KEEP_TRYING)
    detail = {"since": since.isoformat(), "until": until.isoformat(), "messages": number}
    await record(tx, by, "sink replayed", str(id), detail)
    return number


def _checked(kind: Kind, config: Mapping[str, Any], secret: str, outgoing: Outgoing) -> dict[str, Any]:
    try:
        checked: Config = kind.config.model_validate(config)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", "config", *fault["loc"])} for fault in error.errors()]
        raise InvalidInput(errors=describe(faults)) from None
    kind.check(checked, secret, outgoing)
    return checked.model_dump(mode="json")


async def _save(tx: Tx, by: str, action: str, sink: Sink) -> None:
    await lock_subjects(tx, {"names of sinks"})
    if any(each.name == sink.name and each.id != sink.id for each in await store.list_sinks(tx)):
        raise NameTaken(name=sink.name)
    await store.save_sink(tx, sink)
    # Neither its secret nor its addresses: an audit is read by many.
    await record(
        tx, by, action, str(sink.id), {"name": sink.name, "kind": sink.kind, "version": sink.version}
    )
