"""WeCom (企业微信): applications of a company, always sealed. Customer service is a channel of its own.

Source: https://developer.work.weixin.qq.com/document/path/90238 (callbacks) and .../90240 (events)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from intake.channels.contract import Account, Channel, Incoming, NotGenuine, Reply, Unreadable, Verdict, kept
from intake.channels.wechat_crypto import check, unsealed
from intake.channels.wechat_messages import LARGEST, read, verdict_of

_NAME: Final = "WeCom"


def verify(incoming: Incoming, account: Account) -> None:
    """By token and key, for this company and, where an agent is named, for this agent."""
    opened(incoming, account)


def greet(incoming: Incoming, account: Account) -> Reply:
    """`echostr` is sealed; what was in it goes back."""
    return Reply(_unsealed(incoming.query.get("echostr", ""), incoming, account))


def parse(incoming: Incoming, account: Account) -> Sequence[Verdict]:
    """One call is one thing. It is kept opened."""
    xml = opened(incoming, account)
    try:
        told = read(xml)
        agent = account.secrets.get("agent_id")
        if agent and told.get("AgentID", agent) != agent:
            return [kept("other_agent", xml)]
        return [verdict_of(told, xml, incoming, account)]
    except Unreadable:
        return [kept("unreadable", xml)]


def opened(incoming: Incoming, account: Account) -> bytes:
    """What was sealed for this company. Raises `NotGenuine`."""
    try:
        sealed = read(incoming.body).get("Encrypt", "")
    except Unreadable:
        sealed = ""
    return _unsealed(sealed, incoming, account)


def _unsealed(sealed: str, incoming: Incoming, account: Account) -> bytes:
    if not sealed:
        raise NotGenuine(channel=_NAME)
    check(incoming, _NAME, account.secrets["token"], sealed)
    return unsealed(sealed, account.secrets["aes_key"], account.secrets["corp_id"], _NAME)


channel = Channel(
    name="wecom",
    secrets=("token", "aes_key", "corp_id"),
    optional=("agent_id", "secret"),
    verify=verify,
    parse=parse,
    greet=greet,
    acknowledge=Reply(b"success"),
    largest=LARGEST,
)
