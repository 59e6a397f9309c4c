"""WeChat and WeCom: their own published samples, and what must not pass (S9, S10)."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest

from contracts import wechat as wire
from contracts.serving import clock_kept
from intake.channels.contract import (
    Account,
    Arrived,
    DeliveryTold,
    Incoming,
    NotGenuine,
    Noticed,
    Unreadable,
)
from intake.channels.providers import wechat, wecom
from intake.channels.wechat_messages import read
from intake.requests.rules import Identity
from shared.clock import clock

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
SAFE = Account(
    "wechat",
    "shop",
    {"token": wire.TOKEN, "app_id": wire.RECEIVER, "aes_key": wire.AES_KEY},
    "east",
    "shanghai",
)
PLAIN = Account("wechat", "plain", {"token": wire.TOKEN, "app_id": wire.RECEIVER})
COMPANY = Account(
    "wecom",
    "shop",
    {"token": wire.TOKEN, "corp_id": wire.RECEIVER, "aes_key": wire.AES_KEY, "agent_id": "218"},
)

# The sample of the official demos of WXBizMsgCrypt (Sample.cs and the others, the same in each), and of
# https://developer.work.weixin.qq.com/document/path/90968: token, key and receiver as in contracts.wechat.
SAMPLE_ECHO = {
    "msg_signature": "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3",
    "timestamp": "1409659589",
    "nonce": "263014780",
    "echostr": "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==",
}
SAMPLE = {
    "msg_signature": "477715d11cdb4164915debcba66cb864d751f3e6",
    "timestamp": "1409659813",
    "nonce": "1372623149",
}
SEALED = (
    "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvu"
    "JTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+Ltw"
    "Gc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2"
    "t9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptD"
    "AVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q=="
)


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with clock_kept():
        clock.set(NOW)
        yield


def came(query: dict[str, str], body: bytes = b"", at: datetime = NOW) -> Incoming:
    return Incoming("POST", "https://x", {}, query, body, at)


def sealed(message: str | bytes, **odd: int | bool | str) -> Incoming:
    """As the provider posts it, or with something wrong about its seal."""
    raw = message.encode() if isinstance(message, str) else message
    call = wire.call(wire.seal(raw, **odd))  # type: ignore[arg-type]
    return came(dict(parse_qsl(call.query)), call.body)


def plain(body: bytes, ago: int = 0, nonce: str = "n") -> Incoming:
    timestamp = str(int((NOW - timedelta(seconds=ago)).timestamp()))
    return came({"timestamp": timestamp, "nonce": nonce, "signature": wire.signature(timestamp, nonce)}, body)


def xml(kind: str, *more: tuple[str, object]) -> str:
    told = (("FromUserName", "o6"), ("CreateTime", 1_772_000_000), ("MsgType", kind), *more)
    return "<xml>" + "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in told) + "</xml>"


def test_the_published_sample_of_a_handshake() -> None:
    at = datetime.fromtimestamp(1409659589, UTC)
    assert wecom.greet(came(SAMPLE_ECHO, at=at), COMPANY).body == b"1616140317555161061"


def test_the_published_sample_of_a_message() -> None:
    body = f"<xml><ToUserName>x</ToUserName><Encrypt><![CDATA[{SEALED}]]></Encrypt></xml>".encode()
    incoming = came(SAMPLE, body, datetime.fromtimestamp(1409659813, UTC))
    for channel, account in ((wecom, COMPANY), (wechat, SAFE)):
        channel.verify(incoming, account)
        [verdict] = channel.parse(incoming, account)
        assert isinstance(verdict, Arrived)
        said = verdict.message
        assert (said.text, said.external_id, said.address) == ("hello", "4561255354251345929", "mycreate")
        assert said.identities == (Identity("external", f"{account.place}:mycreate"),)
        assert said.session == f"{account.place}:mycreate"


def test_a_sealed_message_is_kept_opened() -> None:
    incoming = sealed(xml("text", ("MsgId", 7), ("Content", "水泵漏水 \x0b😀")))
    wechat.verify(incoming, SAFE)
    [verdict] = wechat.parse(incoming, SAFE)
    assert isinstance(verdict, Arrived)
    assert verdict.message.text == "水泵漏水 \ufffd😀"
    assert (verdict.message.region, b"Content" in verdict.message.raw) == ("east", True)


@pytest.mark.parametrize(
    "odd",
    [
        {"receiver": "wx0000000000000000"},
        {"receiver": ""},
        {"length": 0},
        {"length": 2},
        {"length": 10**6},
        {"length": 2**32 - 1},
        {"raw": True},
    ],
)
def test_what_is_not_sealed_for_us_is_refused(odd: dict[str, int | bool | str]) -> None:
    """Wrong receiver at the tail, length beyond the message, no message, padding that is none."""
    incoming = sealed(b"x" * 32, **odd)
    for channel, account in ((wechat, SAFE), (wecom, COMPANY)):
        with pytest.raises(NotGenuine):
            channel.verify(incoming, account)
    wechat.verify(sealed(b"x" * 32), SAFE)


def test_padding_is_read_to_the_letter() -> None:
    """Each byte of it, from 1 to 32."""
    head = b"r" * 16 + (3).to_bytes(4) + b"abc" + wire.RECEIVER.encode()
    for padding, passes in ((b"\x07" * 7, True), (b"\x06" + b"\x07" * 6, False), (b"\x00" * 7, False)):
        incoming = sealed(head + padding, raw=True)
        assert len(head + padding) % 16 == 0
        if passes:
            wechat.verify(incoming, SAFE)
        else:
            with pytest.raises(NotGenuine):
                wechat.verify(incoming, SAFE)


def test_signature_time_and_form_of_what_is_sealed() -> None:
    good = sealed(xml("text", ("MsgId", 1), ("Content", "a")))
    other = read(sealed(b"other").body)["Encrypt"]
    wrong = [
        replace(good, query={**good.query, "msg_signature": "0" * 40}),
        replace(good, query={**good.query, "nonce": "another"}),
        replace(good, query={name: value for name, value in good.query.items() if name != "timestamp"}),
        replace(good, body=f"<xml><Encrypt>{other}</Encrypt></xml>".encode()),
        replace(good, body=b""),
        replace(good, body=b"\xff\xfe"),
        replace(good, body=b"<xml><Encrypt></Encrypt></xml>"),
        replace(good, body=b'<!DOCTYPE xml [<!ENTITY a "b">]>' + good.body),
        replace(good, received_at=NOW + timedelta(seconds=301)),
        replace(good, received_at=NOW - timedelta(seconds=301)),
    ]
    for channel, account in ((wechat, SAFE), (wecom, COMPANY)):
        for each in wrong:
            with pytest.raises(NotGenuine):
                channel.verify(each, account)
        channel.verify(replace(good, received_at=NOW + timedelta(seconds=299)), account)


def test_what_is_not_sealed_is_refused_in_safe_mode() -> None:
    incoming = plain(xml("text", ("MsgId", 1), ("Content", "a")).encode())
    wechat.verify(incoming, PLAIN)
    with pytest.raises(NotGenuine):
        wechat.verify(incoming, SAFE)
    with pytest.raises(NotGenuine):
        wechat.verify(plain(incoming.body, ago=301), PLAIN)


def test_a_handshake_in_the_open_gives_the_words_back() -> None:
    asked = plain(b"")
    asked = replace(asked, query={**asked.query, "echostr": "5927782489442352469"})
    for account in (PLAIN, SAFE):
        assert wechat.greet(asked, account).body == b"5927782489442352469"
    with pytest.raises(NotGenuine):
        wechat.greet(replace(asked, query={**asked.query, "signature": ""}), PLAIN)


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
HOSTILE = [
    f'<!DOCTYPE xml [<!ENTITY l0 "lol">{LAUGHS}]><xml><Content>&l8;</Content></xml>',
    f'<!DOCTYPE xml [<!ENTITY a "{"a" * 30_000}">]><xml><Content>{"&a;" * 9_000}</Content></xml>',
    '<!DOCTYPE xml [<!ENTITY x SYSTEM "file:///etc/passwd">]><xml><Content>&x;</Content></xml>',
    '<!DOCTYPE xml [<!ENTITY x SYSTEM "http://127.0.0.1:9/">]><xml><Content>&x;</Content></xml>',
    '<!DOCTYPE xml [<!ENTITY % x SYSTEM "http://127.0.0.1:9/"> %x;]><xml/>',
    '<!DOCTYPE xml SYSTEM "http://127.0.0.1:9/x.dtd"><xml/>',
    "<xml><Content>&undefined;</Content></xml>",
    "<xml>" + "<a>" * 9_000,
    "<html/>",
    "",
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_xml_is_refused_at_once(body: str) -> None:
    """S10: nothing grows, nothing is fetched."""
    begun = time.perf_counter()
    with pytest.raises(Unreadable):
        wechat.verify(plain(body.encode()), PLAIN)
    [verdict] = wechat.parse(sealed(body or " "), SAFE)  # sealed by the provider: kept, never read
    assert isinstance(verdict, Noticed)
    assert verdict.kind == "unreadable"
    assert time.perf_counter() - begun < 0.5


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (xml("image", ("MsgId", 1), ("PicUrl", "http://p"), ("MediaId", "m")), "[image m http://p]"),
        (xml("voice", ("MsgId", 1), ("MediaId", "m"), ("Format", "amr")), "[voice m amr]"),
        (
            xml("voice", ("MsgId", 1), ("MediaId", "m"), ("Recognition", "泵在漏水")),
            "泵在漏水\n[voice m]",
        ),
        (xml("video", ("MsgId", 1), ("MediaId", "m"), ("ThumbMediaId", "t")), "[video m]"),
        (
            xml("link", ("MsgId", 1), ("Title", "说明书"), ("Description", "第三页"), ("Url", "http://u")),
            "说明书\n第三页\n[link http://u]",
        ),
    ],
)
def test_what_is_not_text_reads_as_what_it_is(told: str, text: str) -> None:
    [verdict] = wechat.parse(plain(told.encode()), PLAIN)
    assert isinstance(verdict, Arrived)
    assert verdict.message.text == text


def test_a_place_is_where_it_is() -> None:
    def told(x: str, y: str) -> tuple[float | None, float | None]:
        body = xml("location", ("MsgId", 1), ("Location_X", x), ("Location_Y", y), ("Label", "人民广场"))
        [verdict] = wechat.parse(plain(body.encode()), PLAIN)
        assert isinstance(verdict, Arrived)
        return verdict.message.latitude, verdict.message.longitude

    assert told("31.23", "121.47") == (31.23, 121.47)
    for x, y in (("91", "0"), ("0", "181"), ("nan", "0"), ("", "1"), ("1e3", "2")):
        assert told(x, y) == (None, None)


@pytest.mark.parametrize(
    ("event", "kind", "id"),
    [
        (("subscribe", ""), "event_subscribe", "o6:1772000000:subscribe"),
        (("unsubscribe", ""), "event_unsubscribe", "o6:1772000000:unsubscribe"),
        (("CLICK", "menu_1"), "event_click", "o6:1772000000:CLICK:menu_1"),
        (("SCAN", "42"), "event_scan", "o6:1772000000:SCAN:42"),
    ],
)
def test_what_somebody_did_is_kept_once(event: tuple[str, str], kind: str, id: str) -> None:
    """Events have no MsgId: who, when and what tell them apart."""
    body = xml("event", ("Event", event[0]), ("EventKey", event[1])).encode()
    assert list(wechat.parse(plain(body), PLAIN)) == [Noticed(kind, id, body)]


@pytest.mark.parametrize(
    ("status", "state", "detail"),
    [
        ("success", "delivered", ""),
        ("failed:user block", "failed", "failed:user block"),
        ("failed: system failed", "failed", "failed: system failed"),
    ],
)
def test_what_became_of_a_template_message(status: str, state: str, detail: str) -> None:
    body = xml("event", ("Event", "TEMPLATESENDJOBFINISH"), ("MsgID", 200163836), ("Status", status))
    at = datetime.fromtimestamp(1_772_000_000, UTC)
    assert list(wechat.parse(plain(body.encode()), PLAIN)) == [
        DeliveryTold("200163836", state, at, detail)  # type: ignore[arg-type]
    ]


def test_customer_service_tells_a_token_that_is_kept() -> None:
    """As https://developer.work.weixin.qq.com/document/path/94670 shows it."""
    body = (
        "<xml><ToUserName><![CDATA[ww12345678910]]></ToUserName><CreateTime>1348831860</CreateTime>"
        "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[kf_msg_or_event]]></Event>"
        "<Token><![CDATA[ENCApHxnGDNAVNY4AaSJKj4Tb5mwsEMzxhFmHVGcra996NR]]></Token>"
        "<OpenKfId><![CDATA[wkxxxxxxx]]></OpenKfId></xml>"
    )
    [verdict] = wecom.parse(sealed(body), COMPANY)
    assert isinstance(verdict, Noticed)
    assert (verdict.kind, b"ENCApHxnGDNAVNY4AaSJKj4Tb5" in verdict.raw) == ("event_kf_msg_or_event", True)


def test_another_agent_of_the_company_is_not_ours() -> None:
    told = xml("text", ("MsgId", 1), ("Content", "a"), ("AgentID", 219))
    [verdict] = wecom.parse(sealed(told), COMPANY)
    assert isinstance(verdict, Noticed)
    assert verdict.kind == "other_agent"


def test_a_key_that_is_none_refuses_everything() -> None:
    for key in ("", "short", "!" * 43, base64.b64encode(b"x" * 16).decode()):
        broken = replace(SAFE, secrets={**SAFE.secrets, "aes_key": key})
        with pytest.raises(NotGenuine):
            wechat.verify(sealed(b"x"), broken)
