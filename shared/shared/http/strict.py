"""JSON without surprises: what RFC 8259 leaves open is refused, with a pointer to where it stands.

Refused: invalid UTF-8, a byte order mark, duplicate keys, NaN and infinities, numbers beyond a double,
integers of more than 64 digits, U+0000 and lone surrogates (also as escapes), more than 32 levels, more
than 20,000 values. PostgreSQL stores no U+0000, no driver encodes a lone surrogate, and of two equal keys
each parser picks another: found here they are a 422, found later a 500 or a hole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final, NoReturn

from shared.errors import AftercareError
from shared.i18n.language import N_, gettext

DEEPEST: Final = 32  # levels of nesting; ours need 6
MOST_VALUES: Final = 30_000  # members and items together; the triage rules that are shipped have about 21,500
LONGEST_INTEGER: Final = 64  # digits; the time int() takes grows with their square
LONGEST_NUMBER: Final = 1_000  # characters of any number

_STRING: Final = r'"(?:[^"\\]|\\.)*+"'
_STRINGS: Final = re.compile(_STRING.encode(), re.DOTALL)
_TOKEN: Final = re.compile(rf"{_STRING}|[\[\]{{}},:]|[^\s\[\]{{}},:\"]+", re.DOTALL)
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
# A surrogate escape may be half of a pair, so these only say "look closer".
_SUSPECT: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")

# By how the parser's own texts begin: what is wrong, in words that have a translation.
_FAULTS: Final = {
    "Expecting property name": N_("a key in double quotes is expected"),
    "Expecting ':'": N_("a colon is expected"),
    "Expecting ','": N_("a comma or a closing bracket is expected"),
    "Expecting value": N_("a value is expected"),
    "Extra data": N_("there is something after the end"),
    "Unterminated string": N_("there is the beginning of a text without an end"),
    "Invalid control character": N_("there is a control character that must be escaped"),
    "Invalid \\": N_("there is an invalid escape"),
    "Illegal trailing comma": N_("there is a comma after the last member"),
}
_KEY_CHARACTER: Final = N_("a key at {place} has a character that cannot be stored")
_CHARACTER: Final = N_("the text at {place} has a character that cannot be stored")
_NOT_FINITE: Final = N_("the number at {place} is NaN or infinite, which JSON does not know")


class NotJson(AftercareError):
    """The body is not JSON: {fault} at character {at}."""

    status: ClassVar = 400

    def __init__(self, fault: str, at: int) -> None:
        super().__init__(fault=gettext(fault), at=at + 1)


class UnacceptableJson(AftercareError):
    """The body cannot be accepted: {fault}."""

    shown: ClassVar = ("errors",)

    def __init__(self, fault: str, code: str, path: Sequence[str | int] = ()) -> None:
        place = pointer(path)
        shown = place or gettext("the top level")
        told = gettext(fault).format(place=shown, most=MOST_VALUES, deepest=DEEPEST)
        error = {"source": "body", "pointer": place, "detail": told, "code": code}
        super().__init__(fault=told, errors=[error])


class _Refused(ValueError):
    """A hook of the parser met something; `_locate` finds out where."""


def parse(raw: bytes) -> Any:
    """The value of a JSON text; `NotJson` or `UnacceptableJson` says what is wrong and where."""
    text = _decoded(raw)
    _measure(raw)
    try:
        value = _DECODER.decode(text)
    except _Refused:
        _locate(text)
    except json.JSONDecodeError as error:
        raise NotJson(_told(error), at=error.pos) from None
    if _SUSPECT.search(raw):
        _locate(text)
    return value


def storable(text: str) -> bool:
    """Whether PostgreSQL and every driver can carry this text: no U+0000, no lone surrogate."""
    return _UNSTORABLE.search(text) is None


def _decoded(raw: bytes) -> str:
    if raw.startswith(b"\xef\xbb\xbf"):
        raise NotJson(N_("there is a byte order mark"), at=0)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise NotJson(N_("there is invalid UTF-8"), at=len(raw[: error.start].decode())) from None


def _told(error: json.JSONDecodeError) -> str:
    known = (fault for begins, fault in _FAULTS.items() if error.msg.startswith(begins))
    return next(known, N_("there is something unexpected"))


def _measure(raw: bytes) -> None:
    """Refuse by size and shape before anything is built; small bodies cost three counts."""
    opened = raw.count(b"[") + raw.count(b"{")
    if opened <= DEEPEST and opened + raw.count(b",") < MOST_VALUES:
        return
    shape = _STRINGS.sub(b"", raw)
    depth = 0
    for bracket in shape.translate(None, _NOT_BRACKETS)[: 2 * MOST_VALUES]:  # beyond them are too many values
        depth += 1 if bracket in b"[{" else -1
        if depth > DEEPEST:
            raise UnacceptableJson(N_("it is nested deeper than {deepest} levels"), "too_deep")
    if shape.count(b"[") + shape.count(b"{") + shape.count(b",") >= MOST_VALUES:
        raise UnacceptableJson(N_("it holds more than {most} values"), "too_many_values")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Refused
    return members


def _finite(text: str) -> float:
    if len(text) > LONGEST_NUMBER:
        raise _Refused
    number = float(text)
    if number - number != 0:  # infinite
        raise _Refused
    return number


def _short(text: str) -> int:
    if len(text) > LONGEST_INTEGER + 1:  # a sign
        raise _Refused
    return int(text)


def _refuse(_: str) -> NoReturn:
    raise _Refused


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_int=_short, parse_constant=_refuse
)


def _locate(text: str) -> None:
    """Walk the tokens of a well-formed text and raise at the first that is refused; else return."""
    path: list[str | int] = []
    seen: list[set[str] | None] = []  # the keys of each open object; None for an array
    key_next = False
    for token in _tokens(text):
        match token:
            case "{" | "[":
                seen.append(set() if token == "{" else None)
                path.append("" if token == "{" else 0)
                key_next = token == "{"
            case "}" | "]":
                seen.pop()
                path.pop()
                key_next = False
            case ",":
                last = path[-1]
                key_next = not isinstance(last, int)
                if isinstance(last, int):
                    path[-1] = last + 1
            case ":":
                key_next = False
            case _ if key_next:
                keys = seen[-1]
                assert keys is not None
                _check_key(token, keys, path)
            case _:
                _check_value(token, path)


def _tokens(text: str) -> Iterator[str]:
    return (match[0] for match in _TOKEN.finditer(text))


def _check_key(token: str, keys: set[str], path: list[str | int]) -> None:
    key = json.loads(token)
    if not storable(key):
        raise UnacceptableJson(_KEY_CHARACTER, "character", path[:-1])
    path[-1] = key
    if key in keys:
        raise UnacceptableJson(N_("the key {place} stands twice in its object"), "duplicate_key", path)
    keys.add(key)


def _check_value(token: str, path: list[str | int]) -> None:
    if token.startswith('"'):
        if not storable(json.loads(token)):
            raise UnacceptableJson(_CHARACTER, "character", path)
    elif token in ("NaN", "Infinity", "-Infinity"):
        raise UnacceptableJson(_NOT_FINITE, "number", path)
    elif token not in ("true", "false", "null"):
        try:
            _DECODER.decode(token)
        except _Refused:
            raise UnacceptableJson(N_("the number at {place} is out of range"), "number", path) from None


_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


def pointer(path: Sequence[str | int]) -> str:
    """RFC 6901. What does not look like a name of ours is shown as `*`: keys may carry somebody's data."""
    return "".join(f"/{part}" if isinstance(part, int) or _PLAIN.fullmatch(part) else "/*" for part in path)
