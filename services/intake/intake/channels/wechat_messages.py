"""What people write in WeChat and WeCom: flat XML, the same of both.

Source: https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Receiving_standard_messages.html
and https://developer.work.weixin.qq.com/document/path/90239
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from intake.channels.contract import Account, Arrived, Incoming, Noticed, Unreadable, Verdict, kept, told_at
from intake.requests.rules import Identity, Normalised, title_of

LARGEST: Final = 64 * 1024  # bytes of a body
CONTENT_TYPE: Final = "application/xml"
# People paste control characters, which no XML may hold; the message is worth more than they are.
_NO_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

Told = Mapping[str, str]
"""The elements of a message by name; of several of one name the first."""


def read(xml: bytes) -> Told:
    """The elements within `<xml>`, without those within them.

    Raises `Unreadable` for what is no UTF-8, no XML, or XML with a DOCTYPE, whose entities could grow without
    end or fetch files.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root = fromstring(_NO_XML.sub("\ufffd", xml.decode()), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError):  # what is no UTF-8 is a ValueError
        raise Unreadable from None
    if root.tag != "xml":
        raise Unreadable
    told: dict[str, str] = {}
    for each in root:
        told.setdefault(each.tag, (each.text or "").strip())
    return told


def verdict_of(told: Told, xml: bytes, incoming: Incoming, account: Account) -> Verdict:
    """What a person wrote, else what is kept. Raises `Unreadable`."""
    sender, kind = told.get("FromUserName"), told.get("MsgType")
    if not kind or (not sender and kind != "event"):
        raise Unreadable
    if kind == "event":
        return _event(told, xml)
    if not (text := _text(kind, told)):
        return kept(kind[:40], xml, _id(told))
    latitude, longitude = _place(told)
    return Arrived(
        Normalised(
            channel="social",
            door=account.channel,
            account=account.place,
            external_id=_id(told),
            identities=(Identity("external", f"{account.place}:{sender}"),),
            name="—",
            text=text,
            title=title_of("", text),
            received_at=when(told, incoming),
            raw=xml,
            content_type=CONTENT_TYPE,
            region=account.region,
            city=account.city,
            latitude=latitude,
            longitude=longitude,
            product_line=account.product_line,
            address=sender,
            session=f"{account.place}:{sender}",
        )
    )


def _event(told: Told, xml: bytes) -> Noticed:
    """What somebody did; told by who did it, when and what, which is how the documentation says to count."""
    what = told.get("Event", "")
    name = "_".join(["event", *re.findall(r"[a-z0-9]+", what.lower())])[:60]
    return Noticed(name, _id(told), xml)


def when(told: Told, incoming: Incoming) -> datetime:
    """CreateTime, as far as it can be."""
    now, written = incoming.received_at, told.get("CreateTime", "")
    try:
        return told_at(int(written), now) if re.fullmatch(r"[0-9]{1,10}", written) else now
    except ValueError:
        return now


def _id(told: Told) -> str:
    """MsgId; of an event, which has none, who, when and what."""
    if told.get("MsgId"):
        return told["MsgId"]
    who = ("FromUserName", "CreateTime", "Event", "EventKey", "Token")
    return ":".join(told[name] for name in who if told.get(name)) or "—"


def _text(kind: str, told: Told) -> str:
    """What a person would read of it, empty for a kind that nobody knows yet."""
    make = _TEXTS.get(kind)
    return "\n".join(filter(None, make(told))) if make else ""


def _facts(kind: str, *names: str) -> Callable[[Told], list[str]]:
    """What stands in a text for what is not text: its kind and what it is known by, never fetched."""

    def make(told: Told) -> list[str]:
        return [f"[{' '.join([kind, *(told[name] for name in names if told.get(name))])}]"]

    return make


def _voice(told: Told) -> list[str]:
    """What WeChat heard in it, where the account has that switched on."""
    return [told.get("Recognition", ""), *_facts("voice", "MediaId", "Format")(told)]


def _link(told: Told) -> list[str]:
    return [told.get("Title", ""), told.get("Description", ""), *_facts("link", "Url")(told)]


_TEXTS: Final[Mapping[str, Callable[[Told], list[str]]]] = {
    "text": lambda told: [told.get("Content", "")],
    "image": _facts("image", "MediaId", "PicUrl"),
    "voice": _voice,
    "video": _facts("video", "MediaId"),
    "shortvideo": _facts("video", "MediaId"),
    "location": _facts("location", "Location_X", "Location_Y", "Label"),
    "link": _link,
    "file": _facts("file", "MediaId", "Title"),
}


def _place(told: Told) -> tuple[float, float] | tuple[None, None]:
    """Latitude and longitude; both or neither."""
    both = [told.get(each, "") for each in ("Location_X", "Location_Y")]
    if not all(re.fullmatch(r"-?[0-9]{1,3}(\.[0-9]{1,12})?", each) for each in both):
        return None, None
    latitude, longitude = map(float, both)
    return (latitude, longitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else (None, None)
