"""Who wants to hear no more of us where, and what is not sent to them then. Pure.

A person may ask for it in one word alone, or somebody notes it in the customer's file. What a person of ours
answers is sent all the same, and what the customer has to decide; nothing else is.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from typing import Final
from uuid import UUID

from intake.channels.contract import Arrived, Opted, Verdict
from shared.events.terms import Channel

STOPPED: Final = ("service", "survey", "marketing")
"""The purposes that one word ends, and begins again; what is recorded of calls is another matter."""

_OUT: Final = frozenset(
    ("stop", "stopall", "unsubscribe", "optout", "opt out", "td", "退订", "退訂", "取消订阅", "取消訂閱")
)
_IN: Final = frozenset(("start", "unstop", "恢复订阅", "恢復訂閱", "重新订阅", "重新訂閱"))
# In an SMS alone these mean it too: "回T退订", "拒收请回复R", and what carriers elsewhere take for it.
_OUT_BY_SMS: Final = frozenset(("t", "r", "cancel", "end", "quit", "revoke"))
_AROUND: Final = " \t\r\n.,!。，！\"'“”‘’"

# What a program sends, by the consent it needs; what is not here is an answer, or the customer has to decide.
_NEEDS: Final[Mapping[str | None, tuple[str, ...]]] = {
    "progress": ("service",),
    "incident": ("service",),
    "acknowledgement": ("service",),
    "please_accept_reminder": ("service",),
    "survey": ("service", "survey"),
}
_CHANNELS: Final[Mapping[str, Channel]] = {"email": "email", "chat": "web_chat", "webhook": "webhook"}


def wish_of(text: str, channel: Channel) -> bool | None:
    """True for no more, False for again, None for whatever else a person says."""
    if channel == "web_chat":
        return None  # somebody is talking with us, and may mean a machine
    word = unicodedata.normalize("NFKC", text).strip(_AROUND).casefold()
    if word in _OUT or (channel == "sms" and word in _OUT_BY_SMS):
        return True
    return False if word in _IN else None


def wished(verdict: Verdict) -> Verdict:
    """A message that is such a word alone is a wish; everything else is what it was."""
    if not isinstance(verdict, Arrived):
        return verdict
    out = wish_of(verdict.message.text, verdict.message.channel)
    return verdict if out is None else Opted(verdict.message, out)


def channel_of(lane: str, address: str) -> Channel:
    """By which kind of channel a lane reaches an address, as consent is noted."""
    name = lane.partition("/")[0]
    if name == "twilio":
        return "social" if ":" in address else "sms"
    return _CHANNELS.get(name, "social")


def channels_of(channel: str) -> Collection[str]:
    """Where the customer of a request is answered: forms and calls have no way back of their own."""
    return ("sms", "email") if channel in ("web_form", "phone") else (channel,)


def unwanted(template: str | None, withdrawn: Collection[str]) -> str | None:
    """The purpose by which a message must not be sent, of those withdrawn where it would go."""
    return next((each for each in _NEEDS.get(template, ()) if each in withdrawn), None)


def wants_no_more(channel: str, withdrawn: Collection[tuple[UUID, str, str]]) -> bool:
    """Whether the customer of a request that came by `channel` wants no service messages there."""
    ways = channels_of(channel)
    return any(purpose == "service" and by in ways for _, purpose, by in withdrawn)


def may_be_unwanted(template: str | None) -> bool:
    return template in _NEEDS
