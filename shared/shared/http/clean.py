"""Text in the address and the headers, held to what the body is held to.

Servers decode paths and queries leniently, so that invalid UTF-8 arrives as U+FFFD and U+0000 arrives as it
is; both are refused here, before a route or a query can see them.
"""

from __future__ import annotations

from typing import ClassVar, Final
from urllib.parse import unquote_to_bytes

from starlette.types import Scope

from shared.errors import AftercareError
from shared.http.problem import invalid
from shared.i18n.language import N_

LONGEST_TARGET: Final = 8192  # bytes of path and query


class MalformedRequest(AftercareError):
    """The request cannot be read in one way only: {fault}."""

    status: ClassVar = 400


class UnsupportedEncoding(AftercareError):
    """Send the body as it is: compressed bodies are not accepted."""

    status: ClassVar = 415
    headers: ClassVar = {"Accept-Encoding": "identity"}


class TargetTooLong(AftercareError):
    """The address is longer than {limit} bytes."""

    status: ClassVar = 414


def check_target(scope: Scope) -> None:
    """Refuse a path or a query that is too long, not UTF-8, or holds U+0000."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    if len(path) + len(query) > LONGEST_TARGET:
        raise TargetTooLong(limit=LONGEST_TARGET)
    if b"%" in path:
        check_text("path", unquote_to_bytes(path))
    elif not path.isascii():
        check_text("path", path)
    if b"%" in query or not query.isascii():
        check_text("query", unquote_to_bytes(query))


def check_headers(scope: Scope) -> int | None:
    """Refuse what two readers could read differently; returns the announced length of the body."""
    length: bytes | None = None
    chunked = False
    for name, value in scope["headers"]:
        if b"\0" in value:
            raise invalid("header", (), N_("a character that cannot be stored"), "character")
        if name == b"content-length":
            if length is not None or not value.isdigit():
                raise MalformedRequest(fault="Content-Length must stand once, as a number")
            length = value
        elif name == b"transfer-encoding":
            chunked = True
        elif name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise UnsupportedEncoding
    if length is None:
        return None
    if chunked:
        raise MalformedRequest(fault="Content-Length and Transfer-Encoding exclude each other")
    return int(length[:20])


def check_text(source: str, raw: bytes) -> None:
    """Refuse percent-decoded bytes that are not UTF-8 or hold U+0000; `source` as in `invalid`."""
    if b"\0" in raw:
        raise invalid(source, (), N_("a character that cannot be stored"), "character")
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise invalid(source, (), N_("not UTF-8"), "character") from None
