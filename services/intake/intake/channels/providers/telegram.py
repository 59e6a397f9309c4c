"""Telegram's Bot API: updates posted by webhook, with a secret of ours in a header.

Source: https://core.telegram.org/bots/api#setwebhook, #update and #message
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from typing import Any, Final

from intake.channels.contract import (
    Account,
    Arrived,
    Channel,
    Incoming,
    NotGenuine,
    Unreadable,
    Verdict,
    kept,
)
from intake.channels.reading import (
    Object,
    degrees,
    id_of,
    lines,
    media_line,
    object_of,
    text_of,
    when,
)
from intake.requests.rules import Identity, Normalised, title_of

_HEADER: Final = "x-telegram-bot-api-secret-token"
_FILES: Final = ("animation", "audio", "document", "sticker", "video", "video_note", "voice")
_COMMAND: Final = re.compile(r"/[A-Za-z0-9_]{1,32}(?:@\w+)?")
_START: Final = re.compile(r"/start(?:@\w+)?(?:\s+\S+)?")
"""With what a link to the bot carries along."""


def verify(incoming: Incoming, account: Account) -> None:
    """The secret that was given to setWebhook comes back with each update."""
    sent = incoming.headers.get(_HEADER, "")
    if not hmac.compare_digest(sent.encode(), account.secrets["secret_token"].encode()):
        raise NotGenuine(channel="Telegram")


def parse(incoming: Incoming, account: Account) -> Sequence[Verdict]:
    """One update is one thing: a message, or what is kept and asks for nothing.

    A message is the same by its chat and number, whatever update brings it, and in whichever order.
    """
    update = incoming.json()
    try:
        number = id_of(update["update_id"])
        if "message" in update:
            return [_message(update["message"], number, incoming, account)]
        kind = next((str(each) for each in update if each != "update_id"), "unknown")
        return [kept(kind[:60], incoming.body, "update", number)]
    except (KeyError, TypeError, ValueError, ArithmeticError):
        raise Unreadable from None


def _message(message: Object, update: str, incoming: Incoming, account: Account) -> Verdict:
    chat, number = id_of(message["chat"]["id"]), id_of(message["message_id"])
    text = lines(text_of(message.get("text")) or text_of(message.get("caption")), _beside(message))
    sender = object_of(message.get("from"))
    if silent := _silent(text, sender):
        return kept(silent, incoming.body, "update", update)
    who = id_of(sender.get("id", chat))
    place = object_of(message.get("location"))
    return Arrived(
        Normalised(
            channel="social",
            door=account.channel,
            account=account.place,
            external_id=f"{chat}:{number}",
            identities=(Identity("external", f"{account.place}:{who}"),),
            name=" ".join(filter(None, (text_of(sender.get(each)) for each in ("first_name", "last_name"))))
            or "—",
            text=text,
            title=title_of("", text),
            received_at=when(message["date"], incoming.received_at),
            raw=incoming.body,
            content_type="application/json",
            region=account.region,
            city=account.city,
            latitude=degrees(place.get("latitude"), 90),
            longitude=degrees(place.get("longitude"), 180),
            product_line=account.product_line,
            answers=_answered(message, chat),
            address=chat,
            session=f"{account.place}:{chat}",
        )
    )


def _silent(text: str, sender: Object) -> str:
    """Why a message asks for nothing: a bot's, a command alone, one of Telegram's own; else ""."""
    if sender.get("is_bot") is True:
        return "bot"
    if _START.fullmatch(text.strip()) or _COMMAND.fullmatch(text.strip()):
        return "command"
    return "" if text.strip() else "service"


def _beside(message: Object) -> str:
    """What is not text, by kind and by what it is known by; nobody fetches it here."""
    told = [_file(each, object_of(message[each])) for each in _FILES if each in message]
    sizes = message.get("photo")
    if isinstance(sizes, list) and sizes:
        told.append(_file("photo", object_of(sizes[-1])))  # the largest
    if "contact" in message:
        person = object_of(message["contact"])
        told.append(media_line("contact", *(person.get(each) for each in ("first_name", "phone_number"))))
    if "location" in message:
        told.append(media_line("location", *_place(object_of(message["location"]))))
    if "venue" in message:
        venue = object_of(message["venue"])
        told.append(media_line("venue", venue.get("title"), venue.get("address")))
    if "poll" in message:
        told.append(media_line("poll", object_of(message["poll"]).get("question")))
    # An animation is told as a document too, for programs that know no better.
    return lines(*(told[:1] if "animation" in message else told))


def _file(kind: str, file: Object) -> str:
    return media_line(kind, *(file.get(each) for each in ("file_id", "mime_type", "file_name", "emoji")))


def _place(location: Object) -> list[str]:
    return [str(location[each]) for each in ("latitude", "longitude") if each in location]


def _answered(message: Object, chat: str) -> tuple[str, ...]:
    """The message that this one replies to, as both directions name it."""
    number: Any = object_of(message.get("reply_to_message")).get("message_id")
    return (f"{chat}:{number}",) if isinstance(number, int) else ()


channel = Channel(
    name="telegram", secrets=("secret_token",), optional=("bot_token",), verify=verify, parse=parse
)
