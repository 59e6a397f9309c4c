"""Twilio: SMS, WhatsApp through Twilio, and what became of calls and of our messages.

Source: https://www.twilio.com/docs/messaging/guides/webhook-request,
https://www.twilio.com/docs/messaging/guides/track-outbound-message-status,
https://www.twilio.com/docs/voice/twiml#request-parameters, https://www.twilio.com/docs/voice/twiml/number
(callbacks of a dialled leg) and https://help.twilio.com/articles/223134027 (words that opt out).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, Literal

from intake.calls.rules import Event as CallEvent
from intake.channels.contract import (
    Account,
    Arrived,
    CallTold,
    Channel,
    DeliveryTold,
    Incoming,
    Opted,
    Reply,
    Unreadable,
    Verdict,
    kept,
    told_at,
)
from intake.channels.reading import lines, media_line
from intake.channels.twilio import form, is_json, verify
from intake.requests.rules import Identity, Normalised, phone_identity, title_of

_STATES: Final[Mapping[str, Literal["sent", "delivered", "read", "failed"]]] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "failed": "failed",
    "undelivered": "failed",
}
_EVENTS: Final[Mapping[str, CallEvent]] = {
    "ringing": "rang",
    "in-progress": "answered",
    "answered": "answered",
    "completed": "ended",
    "busy": "busy",
    "no-answer": "missed",
    "canceled": "missed",
    "failed": "missed",
}
_OPTS: Final = {"STOP": True, "START": False}
"""Whether who is said to opt wants to hear no more; Twilio has answered those who asked for HELP."""
_SID: Final = re.compile("[A-Z]{2}[0-9a-fA-F]{32}")
_MOST_MEDIA: Final = 30

Form = Mapping[str, str]


def parse(incoming: Incoming, account: Account) -> Sequence[Verdict]:
    """One call of ours is one thing: a message, or what became of one of ours or of a telephone call."""
    if is_json(incoming):
        return [kept("json", incoming.body)]
    told = form(incoming)
    if sid := told.get("MessageSid") or told.get("SmsSid"):
        status = told.get("MessageStatus") or told.get("SmsStatus") or "received"
        if status in ("received", "receiving"):
            return [_message(sid, told, incoming, account)]
        return [_status(sid, status, told, incoming)]
    if sid := told.get("CallSid"):
        return list(_call(sid, told, incoming))
    raise Unreadable


def _message(sid: str, told: Form, incoming: Incoming, account: Account) -> Verdict:
    sender, said = told.get("From", ""), told.get("Body", "")
    text = lines(said, *_media(told), _place(told))
    if not sender or not text.strip():
        return kept("blank", incoming.body, sid)
    service = sender.partition(":")[0] if ":" in sender else "sms"
    latitude, longitude = _degrees(told)
    message = Normalised(
        channel="sms" if service == "sms" else "social",
        door=account.channel,
        account=account.place,
        external_id=sid if _SID.fullmatch(sid) else f"{sid}:{_digest(incoming)}",
        identities=_identities(sender, account),
        name=told.get("ProfileName") or "—",
        text=text,
        title=title_of("", text),
        received_at=incoming.received_at,
        raw=incoming.body,
        content_type="application/x-www-form-urlencoded",
        region=account.region,
        city=account.city,
        latitude=latitude,
        longitude=longitude,
        product_line=account.product_line,
        answers=tuple(filter(None, [told.get("OriginalRepliedMessageSid")])),
        address=sender,
        session=f"{account.place}:{sender}",
    )
    found = told.get("OptOutType", "").upper()
    if found in _OPTS:  # Twilio's own finding, by the words that the number's owner set up
        return Opted(message, _OPTS[found])
    return kept("opt_out_help", incoming.body, sid) if found == "HELP" else Arrived(message)


def _digest(incoming: Incoming) -> str:
    """Of a cut call the id may be cut too, and be another one's: what it says tells them apart."""
    return hashlib.sha256(incoming.body).hexdigest()[:32]


def _identities(sender: str, account: Account) -> tuple[Identity, ...]:
    """The number, which other channels know too; beside or without it, what Twilio calls the sender."""
    service, colon, name = sender.rpartition(":")
    phone = phone_identity(name) if name.startswith("+") else None
    external = Identity("external", f"{account.place}:{sender}")
    if phone is None:
        return (external,)
    return (phone, external) if colon and service else (phone,)


def _media(told: Form) -> Iterator[str]:
    """Where each picture lies and what it is; nobody fetches it here."""
    number = told.get("NumMedia", "")
    for index in range(min(int(number), _MOST_MEDIA) if number.isdecimal() and len(number) < 9 else 0):
        kind = told.get(f"MediaContentType{index}", "")
        yield media_line(kind.partition("/")[0] or "media", told.get(f"MediaUrl{index}"), kind)


def _place(told: Form) -> str:
    if "Latitude" not in told or "Longitude" not in told:
        return ""
    return media_line("location", *(told.get(each) for each in ("Latitude", "Longitude", "Label", "Address")))


def _degrees(told: Form) -> tuple[float | None, float | None]:
    try:
        latitude, longitude = float(told.get("Latitude", "")), float(told.get("Longitude", ""))
    except ValueError:
        return None, None
    there = abs(latitude) <= 90 and abs(longitude) <= 180  # no NaN is
    return (latitude, longitude) if there else (None, None)


def _status(sid: str, status: str, told: Form, incoming: Incoming) -> Verdict:
    state = _STATES.get(status)
    if state is None:
        return kept(f"status_{status[:40]}", incoming.body, sid)
    detail = " ".join(filter(None, [told.get("ErrorCode"), told.get("ErrorMessage")]))
    return DeliveryTold(sid, state, incoming.received_at, detail)


def _call(sid: str, told: Form, incoming: Incoming) -> Iterator[Verdict]:
    """What happened to a customer's call. Of a leg that it was put through to, only what says it was heard:
    one agent who is busy does not make the call missed while another one's telephone rings."""
    direction = told.get("Direction", "inbound")
    status = told.get("DialCallStatus") or told.get("CallStatus", "")
    event = _EVENTS.get(status)
    at = _at(told, incoming.received_at)
    leg = told.get("ParentCallSid") if direction == "outbound-dial" else None
    if event is None or (direction != "inbound" and leg is None):
        yield kept(f"call_{(status or 'unknown')[:40]}", incoming.body, sid)
    elif leg and event in ("busy", "missed"):
        yield kept(f"leg_{status}", incoming.body, sid)
    elif leg and event == "ended":
        yield CallTold(leg, "answered", at - _lasted(told.get("CallDuration")))
        yield CallTold(leg, "ended", at)
    elif told.get("DialCallStatus") == "completed":
        yield CallTold(sid, "answered", at - _lasted(told.get("DialCallDuration")))
    else:
        yield CallTold(leg or sid, event, at)


def _at(told: Form, now: datetime) -> datetime:
    try:
        return told_at(parsedate_to_datetime(told.get("Timestamp", "")).timestamp(), now)
    except (ValueError, OverflowError):
        return now


def _lasted(seconds: str | None) -> timedelta:
    """A day at most, for what is longer is no call."""
    known = seconds is not None and seconds.isdecimal() and len(seconds) < 9
    return min(timedelta(seconds=int(seconds or 0) if known else 0), timedelta(days=1))


channel = Channel(
    name="twilio",
    secrets=("auth_token",),
    optional=("previous_auth_token", "account_sid", "messaging_service_sid", "from"),
    verify=verify,
    parse=parse,
    acknowledge=Reply(b'<?xml version="1.0" encoding="UTF-8"?><Response/>', "text/xml; charset=utf-8"),
    largest=256 * 1024,
)
