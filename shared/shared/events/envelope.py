"""CloudEvents 1.0 around our payloads, and the JSON batch format they travel in.

Source: https://github.com/cloudevents/spec (JSON event format, `sequence` and `distributed tracing`
extensions). The official AMQP binding is for AMQP 1.0; our mapping onto 0-9-1 is a message whose body is
always a JSON batch, content type `application/cloudevents-batch+json`, routing key the events' type.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, ClassVar, Final, Generic, Literal, TypeVar

from pydantic import UUID7, AwareDatetime, BaseModel, ConfigDict, Field, create_model

CONTENT_TYPE: Final = "application/cloudevents-batch+json"
_TYPE: Final = re.compile(r"[a-z]+\.[a-z_]+\.v[1-9][0-9]*")

_types: dict[str, type[Payload]] = {}


class Payload(BaseModel):
    """What happened; subclass it once per event type and version, in the past tense.

    `type` is owner first and versioned (`dispatch.ticket_assigned.v1`). Payloads carry no contact data and
    at most 4 KiB of free text, so that erasing a person touches nothing that was ever published.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if cls.__name__.startswith("_"):
            return  # what several events have in common, not an event
        if not _TYPE.fullmatch(cls.type):
            raise TypeError(f"{cls.__name__}.type is {cls.type!r}; it must look like owner.past_tense.v1")
        if _types.setdefault(cls.type, cls).__qualname__ != cls.__qualname__:
            raise TypeError(f"{cls.type} is already the type of {_types[cls.type].__name__}")

    @classmethod
    def owner(cls) -> str:
        """The service that alone may publish it."""
        return cls.type.partition(".")[0]


def payload_types() -> dict[str, type[Payload]]:
    """Every payload known to this process, by type."""
    return dict(_types)


P = TypeVar("P", bound=Payload, covariant=True)


class Event(BaseModel, Generic[P]):
    """A payload with its envelope.

    id           UUIDv7, made once; the same on every delivery, so it is what duplicates are known by
    subject      the identifier of the aggregate it is about
    sequence     the aggregate's version, ten digits, zero-padded; orders events of one subject
    time         when it happened (not when it was sent)
    traceparent  W3C trace context of the request that caused it
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: UUID7
    source: str = Field(min_length=1, max_length=200)
    type: str
    subject: str = Field(max_length=200, pattern=r"^[^\x00]+$")  # PostgreSQL stores it, except U+0000
    sequence: str = Field(pattern=r"^[0-9]{10}$")
    time: AwareDatetime
    traceparent: str | None = Field(default=None, max_length=200)
    data: P

    @property
    def version(self) -> int:
        """`sequence` as a number."""
        return int(self.sequence)


@cache
def event_model(payload: type[Payload]) -> type[Event[Any]]:
    """The envelope of one payload, its `type` fixed, so that a batch of several types decodes in one pass."""
    fixed: Any = Literal[payload.type]
    return create_model(
        f"{payload.__name__}Event",
        __base__=Event[payload],  # type: ignore[valid-type]
        type=(fixed, ...),
    )
