"""A page's messages, signed as all of Meta's are."""

import json
from typing import Any

from contracts.providers import Genuine, named
from contracts.signing import META, meta_signed


def event(number: int, **told: Any) -> dict[str, Any]:
    """One event between a person and the page; a message unless told otherwise."""
    said = {"message": {"mid": f"m_{number}", "text": "水泵漏水 😀"}}
    return {
        "sender": {"id": str(2 * 10**15 + number)},
        "recipient": {"id": "1906385232743451"},
        "timestamp": 1_760_000_000_123,
        **(told or said),
    }


def batch(*events: Any, object: str = "page") -> bytes:
    entry = {"id": "1906385232743451", "time": 1_760_000_000_456, "messaging": list(events)}
    return json.dumps({"object": object, "entry": [entry]}).encode()


genuine = Genuine(
    channel="messenger",
    secrets=META,
    message=lambda number: batch(event(number)),
    sign=meta_signed,
    proof="x-hub-signature-256",
    ids=named("mid"),
)
