"""Outgoing webhooks, signed as https://www.standardwebhooks.com says.

`webhook-id` is the message's own and stays the same at every attempt and replay: a receiver that keeps the
ids it has seen gets each message once.
"""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import timedelta
from math import floor
from typing import Final

from pydantic import Field
from standardwebhooks.webhooks import Webhook

from shared.i18n import N_
from shared.outgoing import Answer, Forbidden, Outgoing
from sla_monitor.sinks.kind import Config, Kind, Parcel, SinkUnusable, Undelivered

SHORTEST_KEY: Final = 24  # bytes, as the specification asks
LONGEST_KEY: Final = 64
LONGEST_REST: Final = timedelta(hours=1)


class WebhookConfig(Config):
    """Where messages are posted to."""

    url: str = Field(title=N_("Address"), max_length=2000, examples=["https://example.com/hooks/aftercare"])


def check(config: WebhookConfig, secret: str, outgoing: Outgoing) -> None:
    check_address(config.url, outgoing)
    encoded = secret.removeprefix("whsec_")
    try:
        key = b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        key = b""
    if encoded == secret or not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
        raise SinkUnusable(reason="its secret is whsec_ and 24 to 64 random bytes in base64")


def check_address(url: str, outgoing: Outgoing) -> None:
    """`SinkUnusable` for an address that may not be called."""
    try:
        outgoing.check_url(url)
    except Forbidden as error:
        raise SinkUnusable(reason=str(error)) from None


async def send(parcel: Parcel) -> None:
    content = json.dumps(parcel.body, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    signature = Webhook(parcel.secret).sign(str(parcel.id), parcel.sent_at, content)
    headers = {
        "content-type": "application/json",
        "webhook-id": str(parcel.id),
        "webhook-timestamp": str(floor(parcel.sent_at.timestamp())),
        "webhook-signature": signature,
    }
    accept(await parcel.outgoing.post(parcel.config.url, content.encode(), headers))


def accept(answer: Answer) -> None:
    """`Undelivered` unless the receiver said that it took the message."""
    if 200 <= answer.status < 300:
        return
    asked = answer.headers.get("retry-after", "")
    after = timedelta(seconds=int(asked)) if asked.isascii() and asked.isdigit() and len(asked) < 6 else None
    raise Undelivered(f"answered {answer.status}", min(after, LONGEST_REST) if after else None)


KIND: Final = Kind(
    code="webhook",
    name=N_("Webhook"),
    about=N_("Posts each message to an address, signed (Standard Webhooks)."),
    config=WebhookConfig,
    secret=N_("Signing secret (whsec_…)"),
    check=check,
    send=send,
    drops_duplicates=True,
    tells_ends=True,
)
