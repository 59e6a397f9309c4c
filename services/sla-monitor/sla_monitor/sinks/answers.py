"""The forms in which sinks and their messages are told and set up over HTTP. A secret goes in, never out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field, SecretStr, StringConstraints

from shared.events.terms import Code
from shared.sent import Sent
from sla_monitor.sinks.actions import Wanted
from sla_monitor.sinks.rules import Terms
from sla_monitor.sinks.store import Sink

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Secret = Annotated[SecretStr, Field(max_length=4000)]


class SinkShown(BaseModel):
    """A sink as it was set up, and how it fares."""

    id: UUID
    kind: str = Field(examples=["webhook"])
    name: str
    config: Mapping[str, Any]
    has_secret: bool
    terms: Terms
    enabled: bool
    failing_since: datetime | None
    last_error: str | None
    last_sent_at: datetime | None
    waiting: int = Field(description="Messages that are still to be delivered.")
    unknown: int = Field(description="Messages that a crash left without an answer; a person decides.")
    given_up: int
    version: int

    @classmethod
    def of(cls, sink: Sink, unsent: Any | None) -> SinkShown:
        same = {name: getattr(sink, name) for name in cls.model_fields if hasattr(sink, name)}
        counts = {name: getattr(unsent, name, 0) for name in ("waiting", "unknown", "given_up")}
        return cls(**same, **counts, has_secret=bool(sink.secret))


class ChangedSink(Sent):
    """A sink as it shall be; `config` depends on its kind, a secret that is left out stays as it is."""

    name: Name
    config: dict[str, Any] = Field(default={})
    secret: Secret | None = None
    terms: Terms = Terms()
    enabled: bool = True

    @property
    def wanted(self) -> Wanted:
        secret = None if self.secret is None else self.secret.get_secret_value()
        return Wanted(self.name, self.config, self.terms, self.enabled, secret)


class NewSink(ChangedSink):
    """A sink of one of the kinds there are."""

    kind: Code = Field(examples=["webhook", "mail", "alertmanager", "apprise"])


class Span(Sent):
    """The time in which messages were made, from an instant up to another."""

    since: AwareDatetime
    until: AwareDatetime


class Replayed(BaseModel):
    """How many messages are sent again, under the ids they had."""

    messages: int


class Tried(BaseModel):
    """The message that says no more than that it is a test."""

    message: UUID


class MessageShown(BaseModel):
    """A message to a sink, and what became of it."""

    id: UUID = Field(description="What the receiver knows it by: `webhook-id`, Message-ID.")
    what: str = Field(examples=["breach"])
    alerts: int = Field(description="How many it lists.")
    made_at: datetime
    state: Literal["pending", "sending", "sent", "failed", "unknown", "given_up"]
    attempts: int
    next_attempt_at: datetime | None
    sent_at: datetime | None
    last_error: str | None

    @classmethod
    def of(cls, row: Any) -> MessageShown:
        return cls(**{name: getattr(row, name) for name in cls.model_fields})
