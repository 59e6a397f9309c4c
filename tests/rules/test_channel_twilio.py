"""Twilio: its own libraries' signatures, messages, what became of ours, and telephone calls (R50, R51)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qsl, urlencode

import pytest

from contracts.providers.twilio import TOKEN, genuine, signed, sms
from intake.channels.contract import (
    Account,
    Arrived,
    CallTold,
    DeliveryTold,
    Incoming,
    NotGenuine,
    Noticed,
    Opted,
    Unreadable,
    Verdict,
)
from intake.channels.registry import channel_of
from intake.optouts.rules import wished
from intake.requests.rules import Identity, Normalised

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
URL = "https://desk.example/intake/channels/twilio/hotline"
ACCOUNT = Account("twilio", "hotline", {"auth_token": TOKEN}, "east")
CHANNEL = channel_of("twilio")

# Source: github.com/twilio/twilio-python, tests/unit/test_request_validator.py
THEIRS = "https://mycompany.com/myapp.php?foo=1&bar=2"
PRESSED = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
    ("Caller", "+14158675309"),
]
TWICE = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234")]
JSON = b'{"property": "value", "boolean": true}'
DIGEST = "bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"


def incoming(body: bytes, url: str = URL, signature: str = "") -> Incoming:
    query = dict(parse_qsl(url.partition("?")[2]))
    return Incoming("POST", url, {"x-twilio-signature": signature}, query, body, NOW)


def genuine_for(url: str, body: bytes, signature: str, token: str = "12345") -> bool:
    try:
        CHANNEL.verify(incoming(body, url, signature), Account("twilio", "x", {"auth_token": token}))
    except NotGenuine:
        return False
    return True


@pytest.mark.parametrize(
    ("url", "body", "signature"),
    [
        (THEIRS, urlencode(PRESSED).encode(), "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (THEIRS, urlencode(TWICE).encode(), "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
        (THEIRS.replace(".com", ".com:1234"), urlencode(PRESSED).encode(), "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (THEIRS, urlencode(PRESSED).encode(), "kvajT1Ptam85bY51eRf/AJRuM3w="),
        (THEIRS.replace("https", "http"), urlencode(PRESSED).encode(), "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        (
            THEIRS.replace("https", "http").replace(".com", ".com:1234"),
            urlencode(PRESSED).encode(),
            "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=",
        ),
        (f"{THEIRS}&{DIGEST}", JSON, "a9nBmqA0ju/hNViExpshrM61xv4="),
    ],
)
def test_published_figures_come_out(url: str, body: bytes, signature: str) -> None:
    assert genuine_for(url, body, signature)
    assert not genuine_for(url, body, signature, token="54321")
    assert not genuine_for(url, body + b"&x=1", signature)
    assert not genuine_for(url.replace("bar=2", "bar=3"), body, signature)


def test_what_is_signed_for_another_address_is_refused() -> None:
    body = genuine.message(1)
    for other in (
        URL.replace("https", "http"),
        URL.replace("desk.example", "desk.example:8443"),
        URL.replace("hotline", "other"),
        URL + "?x=1",
    ):
        assert not genuine_for(URL, body, signed(other, body).headers["x-twilio-signature"], TOKEN)
    assert genuine_for(URL, body, signed(URL, body).headers["x-twilio-signature"], TOKEN)


def test_json_counts_only_with_its_digest_in_the_address() -> None:
    signature = signed(URL, b"").headers["x-twilio-signature"]
    assert not genuine_for(URL, JSON, signature, TOKEN)
    wrong = f"{URL}?bodySHA256={'0' * 64}"
    assert not genuine_for(wrong, JSON, signed(wrong, b"").headers["x-twilio-signature"], TOKEN)


def test_while_the_token_is_changed_both_count() -> None:
    body = genuine.message(1)
    both = Account("twilio", "x", {"auth_token": "new", "previous_auth_token": TOKEN})
    for token in ("new", TOKEN):
        CHANNEL.verify(incoming(body, URL, signed(URL, body, token).headers["x-twilio-signature"]), both)


def verdicts(told: dict[str, str] | bytes) -> list[Verdict]:
    body = told if isinstance(told, bytes) else urlencode(told).encode()
    return list(CHANNEL.parse(incoming(body), ACCOUNT))


def only(**more: str) -> Normalised:
    [verdict] = verdicts(sms(1, **more))
    assert isinstance(verdict, Arrived)
    return verdict.message


def test_an_sms_is_of_its_number() -> None:
    told = only()
    assert (told.channel, told.door, told.account) == ("sms", "twilio", "twilio/hotline")
    assert (told.external_id, told.text) == (f"SM{1:032x}", "水泵漏水 😀 1+1=2 & more")
    assert told.identities == (Identity("phone", "+8613000000001"),)
    assert (told.address, told.received_at) == ("+8613000000001", NOW)


def test_whatsapp_through_twilio_is_of_number_and_id() -> None:
    told = only(From="whatsapp:+8613000000001", ProfileName="示例", OriginalRepliedMessageSid="SMours")
    assert (told.channel, told.name, told.answers) == ("social", "示例", ("SMours",))
    assert told.identities == (
        Identity("phone", "+8613000000001"),
        Identity("external", "twilio/hotline:whatsapp:+8613000000001"),
    )
    assert told.address == "whatsapp:+8613000000001"


def test_whoever_has_no_number_is_known_by_what_twilio_calls_them() -> None:
    assert only(From="messenger:123").identities == (Identity("external", "twilio/hotline:messenger:123"),)


def test_pictures_and_places_are_named_and_not_fetched() -> None:
    url = "http://169.254.169.254/latest"
    told = only(Body="", NumMedia="1", MediaUrl0=url, MediaContentType0="image/jpeg")
    assert told.text == f"[image {url} image/jpeg]"
    told = only(Body="这里", Latitude="31.2", Longitude="121.4", Label="厂")
    assert (told.text, told.latitude, told.longitude) == ("这里\n[location 31.2 121.4 厂]", 31.2, 121.4)
    for wrong in ("nan", "91", "x", "1e999"):
        assert only(Latitude=wrong, Longitude="121.4").latitude is None
    for number in ("x", "-1", "9" * 30, "²", "200"):
        only(NumMedia=number)


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"OptOutType": "HELP", "Body": "HELP"}, "opt_out_help"),
        ({"Body": ""}, "blank"),
        ({"SmsStatus": "queued"}, "status_queued"),
    ],
)
def test_what_asks_for_nothing_opens_nothing_and_is_kept(more: dict[str, str], kind: str) -> None:
    [verdict] = verdicts(sms(1, **more))
    assert isinstance(verdict, Noticed)
    assert (verdict.kind, verdict.raw) == (kind, urlencode(sms(1, **more)).encode())


@pytest.mark.parametrize(
    ("more", "out"),
    [
        ({"OptOutType": "STOP", "Body": "停"}, True),
        ({"OptOutType": "start", "Body": "再来"}, False),
        ({"Body": " Stop. "}, True),
        ({"Body": "t"}, True),
        ({"Body": "UNSTOP"}, False),
        ({"Body": "STOP", "From": "whatsapp:+8613000000001"}, True),
    ],
)
def test_who_opts_is_heard(more: dict[str, str], out: bool) -> None:
    [verdict] = (wished(each) for each in verdicts(sms(1, **more)))
    assert isinstance(verdict, Opted)
    assert (verdict.out, verdict.message.external_id) == (out, sms(1)["MessageSid"])


def test_who_asks_for_help_gets_it() -> None:
    assert only(Body="HELP").text == "HELP"


def test_what_became_of_our_messages_is_told() -> None:
    for status, state in (
        ("sent", "sent"),
        ("delivered", "delivered"),
        ("read", "read"),
        ("undelivered", "failed"),
    ):
        told = {"MessageSid": "SMours", "SmsStatus": status, "MessageStatus": status, "ErrorCode": "30003"}
        [verdict] = verdicts(told)
        assert verdict == DeliveryTold("SMours", state, NOW, "30003")  # type: ignore[arg-type]


def test_what_is_no_form_of_twilio_is_unreadable() -> None:
    for body in (b"", b"{}", b"\xff\x00", b"From=%2B86"):
        with pytest.raises(Unreadable):
            verdicts(body)


def called(status: str, **more: str) -> list[tuple[str, str, datetime]]:
    """What is told of a call: which, what, when."""
    at = format_datetime(NOW - timedelta(seconds=30))
    told = {"CallSid": "CA1", "CallStatus": status, "Direction": "inbound", "Timestamp": at, **more}
    return [(each.external_id, each.event, each.at) for each in verdicts(told) if isinstance(each, CallTold)]


@pytest.mark.parametrize(
    ("status", "event"),
    [
        ("ringing", "rang"),
        ("in-progress", "answered"),
        ("busy", "busy"),
        ("no-answer", "missed"),
        ("canceled", "missed"),
        ("failed", "missed"),
        ("completed", "ended"),
    ],
)
def test_a_call_is_told_as_it_goes(status: str, event: str) -> None:
    assert called(status) == [("CA1", event, NOW - timedelta(seconds=30))]
    assert called(status, Timestamp="soon") == [("CA1", event, NOW)]


def test_of_a_leg_only_counts_that_it_was_heard() -> None:
    leg = {"CallSid": "CA2", "ParentCallSid": "CA1", "Direction": "outbound-dial"}
    end = NOW - timedelta(seconds=30)
    assert called("ringing", **leg) == [("CA1", "rang", end)]
    assert called("in-progress", **leg) == [("CA1", "answered", end)]
    assert called("completed", CallDuration="20", **leg) == [
        ("CA1", "answered", end - timedelta(seconds=20)),
        ("CA1", "ended", end),
    ]
    for status in ("busy", "no-answer", "canceled", "failed"):
        assert called(status, **leg) == []


def test_how_putting_through_went_counts() -> None:
    for status, event in (("busy", "busy"), ("no-answer", "missed"), ("answered", "answered")):
        assert [each[1] for each in called("in-progress", DialCallStatus=status)] == [event]
    [(_, event, at)] = called("in-progress", DialCallStatus="completed", DialCallDuration="600")
    assert (event, at) == ("answered", NOW - timedelta(seconds=630))


def test_calls_of_ours_are_kept_and_tell_nothing() -> None:
    for more in ({"Direction": "outbound-api"}, {"CallStatus": "queued"}, {"CallStatus": ""}):
        told = {"CallSid": "CA1", "CallStatus": "ringing", "Direction": "inbound", **more}
        [verdict] = verdicts(told)
        assert isinstance(verdict, Noticed)
