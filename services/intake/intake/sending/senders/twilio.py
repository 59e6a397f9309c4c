"""Twilio: SMS, and WhatsApp through Twilio.

Source: https://www.twilio.com/docs/messaging/api/message-resource and https://www.twilio.com/docs/api/errors
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import quote, urlencode

from intake.channels.contract import Account
from intake.sending.contract import (
    Answered,
    HttpCall,
    Outgoing,
    Refused,
    Sender,
    Sent,
    base,
    told,
    trouble,
)

_API: Final = "https://api.twilio.com"
_WHATSAPP: Final = "whatsapp:"
_WINDOW_OVER: Final = 63016
_LONGEST: Final = 1600  # characters


def compose(outgoing: Outgoing, account: Account, token: str) -> HttpCall:
    """From a number of ours, or a messaging service, by which Twilio chooses one."""
    sid, secret = account.secrets["account_sid"], account.secrets["auth_token"]
    form = {"To": outgoing.address, "Body": outgoing.text}
    if account.secrets.get("messaging_service_sid"):
        form["MessagingServiceSid"] = account.secrets["messaging_service_sid"]
    else:
        own = account.secrets["from"].removeprefix(_WHATSAPP)
        form["From"] = f"{_WHATSAPP}{own}" if outgoing.address.startswith(_WHATSAPP) else own
    if outgoing.callback:
        form["StatusCallback"] = outgoing.callback
    return HttpCall(
        f"{base(account, _API)}/2010-04-01/Accounts/{quote(sid, safe='')}/Messages.json",
        urlencode(form).encode(),
        {
            "content-type": "application/x-www-form-urlencoded",
            "authorization": "Basic " + b64encode(f"{sid}:{secret}".encode()).decode(),
        },
    )


def read(status: int, headers: Mapping[str, str], body: bytes) -> Answered:
    said = told(body)
    if status == 201 and isinstance(said.get("sid"), str):
        return Sent(said["sid"])
    detail = f"{said.get('code', '')} {said.get('message', '')}".strip()[:300]
    if said.get("code") == _WINDOW_OVER:
        return Refused(detail, "window_over")
    return trouble(status, headers, detail)


def window(address: str) -> timedelta | None:
    """WhatsApp's; an SMS may be sent at any time."""
    return timedelta(hours=24) if address.startswith(_WHATSAPP) else None


senders = (
    Sender(
        channel="twilio",
        needs=("account_sid", "auth_token"),
        one_of=("from", "messaging_service_sid"),
        compose=compose,
        read=read,
        window=window,
        longest=_LONGEST,
    ),
)
