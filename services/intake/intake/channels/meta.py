"""What all of Meta's webhooks share: signature, handshake, and batches of entries.

Source: https://developers.facebook.com/docs/graph-api/webhooks/getting-started (X-Hub-Signature-256 over the
body as it was sent, hub.challenge, batches, retries for 36 hours and more) and, for WhatsApp's seven days,
https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from intake.channels.contract import (
    Account,
    Incoming,
    NotGenuine,
    Noticed,
    Reply,
    Unreadable,
    Verdict,
    kept,
    part,
)
from intake.channels.reading import Object

SECRETS: Final = ("app_secret", "verify_token")
LARGEST: Final = 4 * 1024 * 1024  # bytes; Meta says up to 3 MB


def verify(incoming: Incoming, account: Account) -> None:
    """HMAC-SHA256 with the app's secret over the raw bytes; the older SHA-1 header proves nothing."""
    key = account.secrets["app_secret"].encode()
    expected = "sha256=" + hmac.new(key, incoming.body, hashlib.sha256).hexdigest()
    sent = incoming.headers.get("x-hub-signature-256", "")
    if not hmac.compare_digest(sent.encode(), expected.encode()):
        raise NotGenuine(channel="Meta")


def greet(incoming: Incoming, account: Account) -> Reply:
    """Give the challenge back to who knows the token."""
    told = incoming.query
    token = account.secrets["verify_token"].encode()
    knows = hmac.compare_digest(told.get("hub.verify_token", "").encode(), token)
    if not knows or told.get("hub.mode") != "subscribe":
        raise NotGenuine(channel="Meta")
    return Reply(told.get("hub.challenge", "").encode())


def entries(incoming: Incoming) -> Sequence[Any]:
    """What one call tells of: entries of one or many pages or numbers. Raises `Unreadable`."""
    told = incoming.json()
    found: list[Any] = []
    for each in told if isinstance(told, list) else [told]:
        if not isinstance(each, dict) or not isinstance(each.get("entry"), list):
            raise Unreadable
        found.extend(each["entry"])
    if not found:
        raise Unreadable
    return found


def one_by_one(
    elements: Any, read: Callable[[Object], Iterator[Verdict]], otherwise: str = "unreadable"
) -> Iterator[Verdict]:
    """What `read` makes of each; one that is not as documented is kept, and costs the others nothing."""
    for each in elements if isinstance(elements, list) else [elements]:
        try:
            if not isinstance(each, dict):
                raise TypeError
            yield from list(read(each))
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError):
            yield aside(otherwise, each)


def aside(kind: str, element: Any, *names: str) -> Noticed:
    """One element of a batch that asks for nothing."""
    return kept(kind, part(element), *names)
