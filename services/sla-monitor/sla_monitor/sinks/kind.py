"""What a way out is: a value that each module of `kinds` has under the name KIND."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from pydantic import ConfigDict

from shared.errors import AftercareError
from shared.outgoing import Outgoing
from shared.sent import Sent
from sla_monitor.sinks.rules import Terms


class SinkUnusable(AftercareError):
    """This sink cannot work: {reason}."""

    status: ClassVar = 422


class Undelivered(Exception):
    """The receiver did not take a message; `after` is how long it asks to be left alone."""

    def __init__(self, reason: str, after: timedelta | None = None) -> None:
        self.reason = reason
        self.after = after
        super().__init__(reason)


class Config(Sent):
    """What a kind needs to know beside its secret; the page shows a field for each."""

    model_config = ConfigDict(frozen=True)


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message on its way.

    id       the same at every attempt and replay, so that a receiver may drop what it has
    body     what is told, see `messages.body_of`
    """

    id: UUID
    made_at: datetime
    sent_at: datetime
    body: Mapping[str, Any]
    config: Any
    secret: str = field(repr=False)
    terms: Terms
    outgoing: Outgoing


@dataclass(frozen=True, slots=True)
class Kind:
    """A way out.

    name, about       for people, marked with `N_`
    secret            what its secret is called, None when it has none; it is never shown again
    check             raises `SinkUnusable` for what can never work
    send              raises `Undelivered`; whatever else it raises is a failure too
    drops_duplicates  whether the receiver knows a message again, so that it may be repeated after a crash
    tells_ends        whether it is told that what was alerted about is over
    """

    code: str
    name: str
    about: str
    config: type[Config]
    secret: str | None
    check: Callable[[Any, str, Outgoing], None]
    send: Callable[[Parcel], Awaitable[None]]
    drops_duplicates: bool
    tells_ends: bool = False
