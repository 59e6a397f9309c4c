"""WeChat customer service by WeCom (微信客服): what people write in WeChat to a company's customer service.

Its calls are sealed as all of WeCom's, and say only that there is something, with a token. It is fetched page
by page with a cursor, from the last three days; ids of messages make what is fetched again the same.

Source: https://developer.work.weixin.qq.com/document/path/94670
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from intake.channels import lenient
from intake.channels.contract import (
    Account,
    Announced,
    Arrived,
    Channel,
    DeliveryTold,
    Incoming,
    Reply,
    Unreadable,
    Verdict,
    kept,
    part,
)
from intake.channels.meta import aside, one_by_one
from intake.channels.providers.wecom import greet, opened, verify
from intake.channels.reading import Object, degrees, id_of, lines, media_line, object_of, said, text_of, when
from intake.channels.wechat_messages import LARGEST, read, verdict_of
from intake.pulling.contract import Asked, Pull, Pulled
from intake.requests.rules import Identity, Normalised, title_of
from intake.sending.contract import HttpCall, Later, Refused, Renew, Sent, base, posted
from intake.sending.senders import wechat

_API: Final = "https://qyapi.weixin.qq.com"
_ANNOUNCES: Final = "kf_msg_or_event"
_AT_ONCE: Final = 200  # messages of a page; the provider gives up to 1,000
_BY_CUSTOMER: Final = 3  # `origin`; 4 is the system, 5 an employee who wrote by WeCom itself
_MEDIA: Final = ("image", "voice", "video", "file")


def parse(incoming: Incoming, account: Account) -> Sequence[Verdict]:
    """One call is one thing: that there is something, or what is no business of customer service."""
    xml = opened(incoming, account)
    try:
        event = read(xml)
        if event.get("Event") == _ANNOUNCES:
            return [Announced(event.get("OpenKfId", ""), event.get("Token", ""))]
        verdict = verdict_of(event, xml, incoming, account)
    except Unreadable:
        return [kept("unreadable", xml)]
    if isinstance(verdict, Arrived):  # an employee wrote to an application, which answers as `wecom`
        return [kept("application", xml, verdict.message.external_id)]
    return [verdict]


def compose(asked: Asked, account: Account, token: str) -> HttpCall:
    """A page; the token of an announcement is what lets us ask as often as we like."""
    given = {"cursor": asked.cursor, "token": asked.token, "open_kfid": asked.of}
    content = {name: value for name, value in given.items() if value} | {"limit": _AT_ONCE}
    access = urlencode({"access_token": token})
    return posted(f"{base(account, _API)}/cgi-bin/kf/sync_msg?{access}", content)


def read_page(
    status: int, headers: Mapping[str, str], body: bytes, account: Account, now: datetime
) -> Pulled | Renew | Refused | Later:
    """The messages of a page, each for itself: one that is not as documented costs the others nothing."""
    answered = wechat.read(status, headers, body)
    if not isinstance(answered, Sent):
        return answered if isinstance(answered, Renew | Refused | Later) else Later(answered.detail)
    try:
        page = object_of(lenient.parse(body))
    except Unreadable:
        return Later("no JSON that could be kept")
    message = partial(_message, account=account, now=now)
    found = list(one_by_one(page.get("msg_list") or [], message))
    return Pulled(found, text_of(page.get("next_cursor")), page.get("has_more") == 1)


def _message(message: Object, account: Account, now: datetime) -> Iterator[Verdict]:
    id, kind = id_of(message["msgid"]), id_of(message["msgtype"])
    if kind == "event":
        yield _event(object_of(message.get("event")), message, id, now)
        return
    if message.get("origin") != _BY_CUSTOMER:
        yield aside("servicer" if message.get("origin") == 5 else "origin", message, id)
        return
    make = _TEXTS.get(kind)
    text = make(object_of(message.get(kind))) if make else ""
    if not text.strip():
        yield aside(kind[:60], message, id)
        return
    yield Arrived(_normalised(message, id, text, account, now))


def _normalised(message: Object, id: str, text: str, account: Account, now: datetime) -> Normalised:
    desk, who = id_of(message["open_kfid"]), id_of(message["external_userid"])
    place = object_of(message.get("location"))
    return Normalised(
        channel="social",
        door=account.channel,
        account=account.place,
        external_id=id,
        identities=(Identity("external", f"{account.place}:{who}"),),
        name="—",
        text=text,
        title=title_of("", text),
        received_at=when(message["send_time"], now),
        raw=part(message),
        content_type="application/json",
        region=account.region,
        city=account.city,
        latitude=degrees(place.get("latitude"), 90),
        longitude=degrees(place.get("longitude"), 180),
        product_line=account.product_line,
        address=f"{desk}:{who}",
        session=f"{account.place}:{desk}:{who}",
    )


def _event(event: Object, message: Object, id: str, now: datetime) -> Verdict:
    """What happened beside messages; of one of ours that failed, why."""
    name = text_of(event.get("event_type"))
    if name == "msg_send_fail":
        why = f"fail_type {event.get('fail_type')}"
        return DeliveryTold(id_of(event["fail_msgid"]), "failed", when(message["send_time"], now), why)
    return aside(f"event_{name[:50]}", message, id)


def _place(told: Object) -> str:
    facts = ("latitude", "longitude", "name", "address")
    return media_line("location", *(str(told[each]) for each in facts if told.get(each) not in (None, "")))


def _forwarded(told: Object) -> str:
    """A conversation that somebody passes on: who said what, as it came."""
    items = [object_of(each) for each in told.get("item") or []]
    spoken = [f"{text_of(each.get('sender_name'))}: {text_of(each.get('msg_content'))}" for each in items]
    return lines(text_of(told.get("title")), *spoken)


def _app(told: Object) -> str:
    return lines(
        text_of(told.get("title")), media_line("miniprogram", told.get("appid"), told.get("pagepath"))
    )


def _link(told: Object) -> str:
    return lines(text_of(told.get("title")), text_of(told.get("desc")), media_line("link", told.get("url")))


def _media(kind: str) -> Callable[[Object], str]:
    """What stands in a text for what is not text: its kind and what it is known by, never fetched."""
    return lambda told: media_line(kind, id_of(told["media_id"]))


_TEXTS: Final[Mapping[str, Callable[[Any], str]]] = {
    "text": lambda told: said(told["content"]),
    **{kind: _media(kind) for kind in _MEDIA},
    "location": _place,
    "link": _link,
    "business_card": lambda told: media_line("business_card", id_of(told["userid"])),
    "miniprogram": _app,
    "merged_msg": _forwarded,
}

channel = Channel(
    name="wecom_kf",
    secrets=("token", "aes_key", "corp_id"),
    optional=("secret",),
    verify=verify,
    parse=parse,
    greet=greet,
    acknowledge=Reply(b"success"),
    pull=Pull(
        needs=("corp_id", "secret"),
        ticket=wechat.TICKET_OF_WECOM,
        compose=compose,
        read=read_page,
    ),
    largest=LARGEST,
)
