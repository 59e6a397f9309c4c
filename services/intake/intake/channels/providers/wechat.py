"""WeChat official accounts (微信公众号): XML, plain or sealed.

An account that is set up with an `aes_key` is in safe mode: what is not sealed is refused. Without one only
the address is signed, not what is posted; the same nonce with another body is refused all the same.

Source: https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/Access_Overview.html and
https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Receiving_event_pushes.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from intake.channels.contract import (
    Account,
    Channel,
    DeliveryTold,
    Incoming,
    NotGenuine,
    Reply,
    Unreadable,
    Verdict,
    kept,
)
from intake.channels.wechat_crypto import check, unsealed
from intake.channels.wechat_messages import LARGEST, Told, read, verdict_of, when

_NAME: Final = "WeChat"
_STATES: Final[Mapping[str, Literal["delivered", "failed"]]] = {"success": "delivered"}


def verify(incoming: Incoming, account: Account) -> None:
    """By the token; in safe mode over what is sealed, which has to be for this account."""
    if "aes_key" in account.secrets:
        _opened(incoming, account)
        return
    check(incoming, _NAME, account.secrets["token"])
    read(incoming.body)  # raises `Unreadable`: nothing tells that WeChat wrote it


def greet(incoming: Incoming, account: Account) -> Reply:
    """Give `echostr` back; it is never sealed."""
    check(incoming, _NAME, account.secrets["token"])
    return Reply(incoming.query.get("echostr", "").encode())


def parse(incoming: Incoming, account: Account) -> Sequence[Verdict]:
    """One call is one thing. What came sealed is kept opened."""
    xml = _opened(incoming, account) if "aes_key" in account.secrets else incoming.body
    try:
        told = read(xml)
        if told.get("Event") == "TEMPLATESENDJOBFINISH":
            return [_delivery(told, incoming)]
        return [verdict_of(told, xml, incoming, account)]
    except Unreadable:
        return [kept("unreadable", xml)]


def once(incoming: Incoming, account: Account) -> str | None:
    """In plain mode nothing but a nonce's being new tells a call from one overheard and changed."""
    if "aes_key" in account.secrets:
        return None
    return f"{incoming.query['timestamp']}:{incoming.query.get('nonce', '')}"


def _opened(incoming: Incoming, account: Account) -> bytes:
    try:
        sealed = read(incoming.body).get("Encrypt")
    except Unreadable:
        sealed = None
    if not sealed:
        raise NotGenuine(channel=_NAME)
    check(incoming, _NAME, account.secrets["token"], sealed)
    return unsealed(sealed, account.secrets["aes_key"], account.secrets["app_id"], _NAME)


def _delivery(told: Told, incoming: Incoming) -> DeliveryTold:
    """What became of a template message; in this event alone its id is written MsgID."""
    if not told.get("MsgID"):
        raise Unreadable
    status = told.get("Status", "")
    return DeliveryTold(
        told["MsgID"],
        _STATES.get(status, "failed"),
        when(told, incoming),
        "" if status in _STATES else status,
    )


channel = Channel(
    name="wechat",
    secrets=("token", "app_id"),
    optional=("aes_key", "app_secret"),
    verify=verify,
    parse=parse,
    greet=greet,
    acknowledge=Reply(b"success"),
    once=once,
    largest=LARGEST,
)
