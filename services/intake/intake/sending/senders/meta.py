"""Meta: WhatsApp (Cloud API), Messenger and Instagram, all by the Graph API.

Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/text-messages,
.../whatsapp/support/error-codes,
https://developers.facebook.com/docs/messenger-platform/reference/send-api and
https://developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login/messaging-api
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from intake.channels.contract import Account
from intake.sending.contract import (
    Answered,
    HttpCall,
    Later,
    Outgoing,
    Refused,
    Sender,
    Sent,
    asked_to_wait,
    base,
    posted,
    told,
    trouble,
)

_GRAPH: Final = "https://graph.facebook.com/v23.0"
_INSTAGRAM: Final = "https://graph.instagram.com/v23.0"
_WINDOW: Final = timedelta(hours=24)
# Outside of the 24 hours: WhatsApp's code, and Messenger's and Instagram's of the error "10".
_WINDOW_OVER: Final = frozenset({131047, 2018278, 2534022})
# Too many, too busy, or a token that has ended: whatever the status says, another time is fine.
_PASSING: Final = frozenset({1, 2, 4, 80007, 130429, 131016, 131048, 131056, 190, 613})


def compose_whatsapp(outgoing: Outgoing, account: Account, token: str) -> HttpCall:
    """Who took a user name may have no number: then their id."""
    by_number = outgoing.address.isascii() and outgoing.address.isdigit()
    content = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to" if by_number else "recipient": outgoing.address,
        "type": "text",
        "text": {"preview_url": False, "body": outgoing.text},
    }
    return _posted(account, _GRAPH, account.secrets["phone_number_id"], content)


def compose_messenger(outgoing: Outgoing, account: Account, token: str) -> HttpCall:
    return _posted(account, _GRAPH, "me", {**_to(outgoing), "messaging_type": "RESPONSE"})


def compose_instagram(outgoing: Outgoing, account: Account, token: str) -> HttpCall:
    return _posted(account, _INSTAGRAM, "me", _to(outgoing))


def _to(outgoing: Outgoing) -> dict[str, Any]:
    return {"recipient": {"id": outgoing.address}, "message": {"text": outgoing.text}}


def _posted(account: Account, api: str, node: str, content: Mapping[str, Any]) -> HttpCall:
    bearer = {"authorization": f"Bearer {account.secrets['access_token']}"}
    return posted(f"{base(account, api)}/{node}/messages", content, bearer)


def read(status: int, headers: Mapping[str, str], body: bytes) -> Answered:
    """An id, or an error with a code of its own: that says more than the status."""
    said = told(body)
    messages = said.get("messages")
    if 200 <= status < 300:
        first = messages[0] if isinstance(messages, list) and messages else {}
        id = said.get("message_id") or (first.get("id") if isinstance(first, dict) else None)
        return Sent(str(id) if id else None)
    error = said.get("error")
    fault: Mapping[str, Any] = error if isinstance(error, dict) else {}
    codes = {each for each in (fault.get("code"), fault.get("error_subcode")) if isinstance(each, int)}
    detail = f"{fault.get('code', '')} {fault.get('message', '')}".strip()[:300]
    if codes & _WINDOW_OVER:
        return Refused(detail, "window_over")
    if codes & _PASSING:
        return Later(detail, asked_to_wait(headers))
    return trouble(status, headers, detail)


def window(address: str) -> timedelta | None:
    return _WINDOW


senders = (
    Sender(
        channel="whatsapp",
        needs=("access_token", "phone_number_id"),
        compose=compose_whatsapp,
        read=read,
        window=window,
        longest=4096,
    ),
    Sender(
        channel="messenger",
        needs=("access_token",),
        compose=compose_messenger,
        read=read,
        window=window,
        longest=2000,
    ),
    Sender(
        channel="instagram",
        needs=("access_token",),
        compose=compose_instagram,
        read=read,
        window=window,
        longest=1000,
        in_bytes=True,
    ),
)
