"""Another system gets what its customers are told, signed as https://www.standardwebhooks.com says.

`webhook-id` is the message's own and stays the same at every attempt: a receiver that keeps the ids it has
seen gets each message once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import floor
from typing import Final

from standardwebhooks.webhooks import Webhook

from intake.channels.contract import Account
from intake.sending.contract import Answered, HttpCall, Outgoing, Sender, Sent, trouble
from shared.clock import clock

TYPE: Final = "intake.message.v1"


def compose(outgoing: Outgoing, account: Account, token: str) -> HttpCall:
    """What is said about which request; `external_id` is what that system called it when it came in."""
    said = {
        "type": TYPE,
        "timestamp": outgoing.made_at.isoformat(),
        "data": {
            "message_id": str(outgoing.id),
            "request_id": str(outgoing.request_id),
            "external_id": outgoing.reference,
            "automatic": bool(outgoing.automatic),
            "text": outgoing.text,
        },
    }
    content = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    now = clock.now()
    headers = {
        "content-type": "application/json",
        "webhook-id": str(outgoing.id),
        "webhook-timestamp": str(floor(now.timestamp())),
        "webhook-signature": Webhook(account.secrets["signing_secret"]).sign(str(outgoing.id), now, content),
    }
    return HttpCall(account.secrets["url"], content.encode(), headers)


def read(status: int, headers: Mapping[str, str], body: bytes) -> Answered:
    return Sent() if 200 <= status < 300 else trouble(status, headers, "")


senders = (
    Sender(
        channel="webhook",
        needs=("url", "signing_secret"),
        compose=compose,
        read=read,
        drops_duplicates=True,
        options=(),
    ),
)
