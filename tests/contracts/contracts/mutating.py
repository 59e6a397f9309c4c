"""Bodies made odd, always the same way from the same seed: what a provider may send that nobody foresaw."""

from __future__ import annotations

import json
from random import Random
from typing import Any, Final

_ODD: Final[tuple[Any, ...]] = (
    None,
    "",
    " ",
    0,
    -1,
    10**30,
    10**400,
    1.5,
    True,
    [],
    {},
    [[]],
    {"id": {}},
    "\0",
    "\ud800",
    "\u202e\u200b",
    "x" * 5_000,
    "水" * 3_000,
    "'; DROP TABLE request; --",
    "../../etc/passwd",
    "=cmd|'/C calc'!A0",
    "http://169.254.169.254/latest",
    "9" * 40,
    "0001-01-01T00:00:00Z",
)
_BYTES: Final = (
    b"\0",
    b"\xff\xfe",
    b"%00",
    b"&&",
    b"=",
    b"{",
    b"]",
    b'"',
    b"\\u0000",
    b"\\ud800",
    b"<",
    b"1e999",
)


def mutated(random: Random, body: bytes) -> bytes:
    """`body` with one to three things wrong."""
    for _ in range(random.randint(1, 3)):
        body = random.choice((_values, _values, _structure, _bytes))(random, body)
    return body


def _values(random: Random, body: bytes) -> bytes:
    return _json(random, body, lambda holder, key: holder.__setitem__(key, random.choice(_ODD)))


def _structure(random: Random, body: bytes) -> bytes:
    def change(holder: Any, key: Any) -> None:
        match random.randrange(3):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, list):
                holder.extend([holder[key]] * 3)
            case 1:
                holder["new_" + str(key)] = holder[key]
            case _:
                holder[key] = [holder[key]]

    return _json(random, body, change)


def _json(random: Random, body: bytes, change: Any) -> bytes:
    """Change one place of a JSON text; another text is changed as bytes."""
    try:
        value = json.loads(body)
    except ValueError:
        return _bytes(random, body)
    places = list(_places(value))
    if not places:
        return b"null"
    change(*random.choice(places))
    return json.dumps(value, ensure_ascii=random.random() < 0.7).encode("utf-8", "surrogatepass")


def _places(value: Any) -> Any:
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def _bytes(random: Random, body: bytes) -> bytes:
    at = random.randint(0, len(body))
    length = random.choice((1, 1, 2, 10, 100))
    match random.randrange(5):
        case 0:
            return body[:at] + body[at + length :]
        case 1:
            return body[:at] + body[at : at + length] * 2 + body[at + length :]
        case 2:
            return body[:at] + random.choice(_BYTES) + body[at:]
        case 3:
            return body[:at]
        case _:
            return body[:at] + random.randbytes(length) + body[at + length :]
