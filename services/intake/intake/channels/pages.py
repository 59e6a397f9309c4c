"""What Messenger and Instagram share: events of a conversation between a person and a page.

Source: https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events
and https://developers.facebook.com/documentation/instagram-platform/webhooks/examples
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from intake.channels.contract import Account, Arrived, DeliveryTold, Incoming, Verdict, part
from intake.channels.meta import aside, entries, one_by_one
from intake.channels.reading import Object, id_of, lines, media_line, text_of, when
from intake.requests.rules import Identity, Normalised, title_of

_SILENT: Final = (
    "reaction",
    "message_edit",
    "referral",
    "optin",
    "account_linking",
    "pass_thread_control",
    "take_thread_control",
    "request_thread_control",
    "app_roles",
    "policy_enforcement",
)


def parse(incoming: Incoming, account: Account) -> Sequence[Verdict]:
    """One verdict for each event of each entry. Comments and what another app handles are kept unanswered."""
    event = partial(_event, incoming=incoming, account=account)

    def entry(told: Object) -> Iterator[Verdict]:
        if not {"messaging", "standby", "changes"} & set(told):
            raise KeyError
        yield from one_by_one(told.get("messaging") or [], event)
        yield from one_by_one(told.get("changes") or [], change)
        yield from (aside("standby", each) for each in told.get("standby") or [])

    def change(told: Object) -> Iterator[Verdict]:
        """Apps set up in another way get the same events as changes of a field."""
        value = told.get("value")
        if isinstance(value, dict) and "sender" in value:
            return event(value)
        return iter([aside("changes", told)])

    return list(one_by_one(entries(incoming), entry))


def _event(event: Object, incoming: Incoming, account: Account) -> Iterator[Verdict]:
    now = incoming.received_at
    if "message" in event:
        yield _message(event, incoming, account)
    elif "postback" in event:
        yield _pressed(event, incoming, account)
    elif "delivery" in event:
        delivery = event["delivery"]
        at = when(delivery["watermark"], now)
        ids = delivery.get("mids")
        yield from (DeliveryTold(id_of(each), "delivered", at) for each in ids or [])
        if not ids:  # "all before": whose ids nobody names
            yield aside("delivery", event)
    elif isinstance(event.get("read"), dict) and event["read"].get("mid"):
        yield DeliveryTold(id_of(event["read"]["mid"]), "read", when(event["timestamp"], now))
    else:
        yield aside(next((each for each in (*_SILENT, "read") if each in event), "unknown"), event)


def _message(event: Object, incoming: Incoming, account: Account) -> Verdict:
    message = event["message"]
    if not isinstance(message, dict):
        raise TypeError
    for mark in ("is_echo", "is_deleted", "is_unsupported"):
        if message.get(mark):
            return aside(mark.removeprefix("is_"), event, id_of(message["mid"]))
    text = lines(
        text_of(message.get("text")), *(_attachment(each) for each in message.get("attachments") or [])
    )
    if not text:
        return aside("unknown", event)
    return _arrived(event, id_of(message["mid"]), text, _quoted(message), incoming, account)


def _attachment(attachment: Object) -> str:
    """Its kind and where it lies; nobody fetches it here."""
    told = attachment.get("payload")
    payload = told if isinstance(told, dict) else {}
    at = payload.get("coordinates")
    if isinstance(at, dict):
        return media_line("location", str(at.get("lat")), str(at.get("long")))
    facts = (payload.get("title"), payload.get("sticker_id"), payload.get("url") or attachment.get("url"))
    return media_line(id_of(attachment["type"]), *facts)


def _quoted(message: Object) -> tuple[str, ...]:
    told = message.get("reply_to")
    quoted = told.get("mid") if isinstance(told, dict) else None
    return (quoted,) if isinstance(quoted, str) else ()


def _pressed(event: Object, incoming: Incoming, account: Account) -> Verdict:
    """A button of ours: its words are what the customer says."""
    postback = event["postback"]
    sender, at = id_of(event["sender"]["id"]), id_of(event["timestamp"])
    id = id_of(postback.get("mid") or f"postback:{sender}:{at}")
    text = text_of(postback.get("title")) or text_of(postback.get("payload"))
    return _arrived(event, id, text, (), incoming, account)


def _arrived(
    event: Object, id: str, text: str, answers: tuple[str, ...], incoming: Incoming, account: Account
) -> Verdict:
    sender = id_of(event["sender"]["id"])
    place = f"{account.place}:{sender}"
    return Arrived(
        Normalised(
            channel="social",
            door=account.channel,
            account=account.place,
            external_id=id,
            identities=(Identity("external", place),),
            name="—",
            text=text,
            title=title_of("", text),
            received_at=when(event["timestamp"], incoming.received_at),
            raw=part(event),
            content_type="application/json",
            region=account.region,
            city=account.city,
            product_line=account.product_line,
            answers=answers,
            address=sender,
            session=place,
        )
    )
