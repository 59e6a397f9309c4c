"""W3C trace context: one identifier follows a request through HTTP, events and logs.

Source: https://www.w3.org/TR/trace-context/ (version 00).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_FORM: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def current_traceparent() -> str | None:
    """The trace context of the work under way, None outside of any."""
    return _current.get()


def trace_id() -> str | None:
    """The part of the trace context that all of its spans share, for logs."""
    context = _current.get()
    return context.split("-")[1] if context else None


def enter_trace(parent: str | None) -> str:
    """Continue the caller's trace in a span of our own, or begin one when there is none (or a malformed one).

    It lasts as long as the task it is called in; returns the new context.
    """
    if parent and _FORM.fullmatch(parent):
        version, trace, _, flags = parent.split("-")
    else:
        version, trace, flags = "00", f"{random.getrandbits(128):032x}", "01"
    context = f"{version}-{trace}-{random.getrandbits(64):016x}-{flags}"
    _current.set(context)
    return context


@contextmanager
def tracing(parent: str | None) -> Iterator[str]:
    """Like `enter_trace`, for the length of a block."""
    before = _current.get()
    try:
        yield enter_trace(parent)
    finally:
        _current.set(before)
