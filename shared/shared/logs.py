"""Logs: one JSON object a line on standard output, from which nobody can be recognised.

Two nets. What may be said is listed: fields not named in `ALLOWED` are left out and only their names told;
exceptions appear as classes, places and SQLSTATEs, never with their texts, because drivers quote values in
them; of other libraries' messages only the template is kept, never its arguments. Then every text that
passed is searched for telephone numbers, mail addresses and tokens.

    log = structlog.get_logger(__name__)
    log.warning("relay backs off", attempts=3)
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Iterator, MutableMapping
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, TextIO
from uuid import UUID

import structlog

from shared.trace import trace_id

ALLOWED: Final = frozenset(
    {
        # set here
        *("timestamp", "level", "logger", "event", "service", "trace_id", "exception", "left_out"),
        # HTTP
        *("status", "method", "route", "seconds", "problem"),
        # events and queues
        *("event_id", "event_type", "lane", "queue", "sequence", "attempts", "reason", "batch", "bytes"),
        # processes
        *(
            "task",
            "restarts",
            "error",
            "sqlstate",
            "feed",
            "host",
            "port",
            "version",
            "count",
            "loop",
            "setting",
        ),
        *("partition", "migration", "bus", "pid", "signal", "exit_code"),
    }
)

service_name: Final[ContextVar[str | None]] = ContextVar("service_name", default=None)
"""The service the work under way belongs to."""

MOST_FRAMES: Final = 30
MOST_CAUSES: Final = 8
LONGEST_TEXT: Final = 500

# Their debug and info lines are about bodies, statements and parameters.
_TALKATIVE: Final = (
    "aio_pika",
    "aiormq",
    "asyncpg",
    "sqlalchemy",
    "httpx",
    "httpcore",
    "asyncio",
    "multipart",
)
_ITS_ARGUMENTS_ARE_OURS: Final = "uvicorn.error"  # addresses and process ids

_DATE: Final = r"(?!\d{4}-\d{2}-\d{2})"
_SENSITIVE: Final = re.compile(
    r"(?P<token>eyJ[\w-]{8,}(?:\.[\w-]*){1,4}|(?i:bearer|basic)\s+[\w.~+/=-]+)"
    r"|(?P<mail>[^\s@<>()\"',;:=]+@[^\s@<>()\"',;:=]+)"
    rf"|(?P<phone>(?<![\w.-]){_DATE}\+?\(?\d(?:[ ()./-]?\d){{6,14}}(?![\w-]))"
)


def redact(text: str) -> str:
    """`text` with what looks like a telephone number, a mail address or a token replaced by its kind."""
    return _SENSITIVE.sub(lambda match: f"[{match.lastgroup}]", text)


def describe(error: BaseException) -> list[dict[str, Any]]:
    """An exception and its causes without a single value: class, place, and what PostgreSQL named."""
    return [_link(each) for _, each in zip(range(MOST_CAUSES), _chain(error), strict=False)]


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        cause = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
        waiting += [*getattr(each, "exceptions", ()), *([cause] if cause else [])]


def _link(error: BaseException) -> dict[str, Any]:
    link: dict[str, Any] = {"class": f"{type(error).__module__}.{type(error).__qualname__}"}
    for name in ("sqlstate", "constraint_name", "table_name"):  # a schema's words, never a row's
        if isinstance(value := getattr(error, name, None), str):
            link[name] = value
    link["frames"] = _frames(error.__traceback__)
    return link


def _frames(trace: TracebackType | None) -> list[str]:
    frames = []
    while trace is not None:
        code = trace.tb_frame.f_code
        place = "/".join(code.co_filename.rsplit("/", 3)[-3:])
        frames.append(f"{place}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[-MOST_FRAMES:]


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send all logging of this process, ours and other libraries', through the two nets to `stream`."""
    number = logging.getLevelNamesMapping()[level.upper()]
    out = stream or sys.stdout
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _surroundings,
            _only_allowed,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *names: _Lines(names[0] if names else "aftercare", out),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Foreign()], level=number, force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = name != "uvicorn.access"  # its lines are addresses and queries
    logging.captureWarnings(True)
    sys.excepthook = lambda _, error, __: _last_words(error)
    sys.unraisablehook = lambda hint: _last_words(hint.exc_value)
    threading.excepthook = lambda hint: _last_words(hint.exc_value)


class _Lines:
    """Where the lines of one logger go."""

    def __init__(self, name: str, out: TextIO) -> None:
        self.name = name
        self._out = out

    def msg(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()

    debug = info = warning = error = critical = exception = log = msg


class _Foreign(logging.Handler):
    """What other libraries log, as lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        message: object = record.msg
        if record.name == _ITS_ARGUMENTS_ARE_OURS:
            message = record.getMessage()
        # An f-string or a repr may follow after the first line: asyncio does that with a task's exception.
        text = message.partition("\n")[0] if isinstance(message, str) else type(message).__name__
        structlog.get_logger(record.name).log(record.levelno, text, exc_info=record.exc_info)


def _surroundings(logger: _Lines, _: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    fields["logger"] = logger.name
    fields.setdefault("service", service_name.get())
    fields.setdefault("trace_id", trace_id())
    raised = fields.pop("exc_info", None)
    if raised is True:
        raised = sys.exc_info()
    if isinstance(raised, tuple):
        raised = raised[1]
    if isinstance(raised, BaseException):
        fields["exception"] = describe(raised)
    return fields


def _only_allowed(_: _Lines, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    said = {name: _harmless(value) for name, value in fields.items() if name in ALLOWED and value is not None}
    if left_out := sorted(fields.keys() - ALLOWED):
        said["left_out"] = left_out
    return said


def _harmless(value: Any) -> Any:
    match value:
        case str():
            return redact(value[:LONGEST_TEXT])
        case bool() | int() | float():
            return value
        case UUID():
            return str(value)
        case list() | tuple() | set() | frozenset():
            return [_harmless(each) for each in value]
        case dict():
            return {str(name): _harmless(each) for name, each in value.items()}
        case _:
            return type(value).__name__


def _last_words(error: BaseException | None) -> None:
    structlog.get_logger("aftercare").critical("uncaught exception", exc_info=error)
