"""WhatsApp Cloud API: each message of a batch once, the odd one kept, what became of ours told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.providers import Signed
from contracts.providers.whatsapp import batch, genuine, text, value
from contracts.signing import META, hmac
from intake.channels.contract import (
    Account,
    Arrived,
    DeliveryTold,
    Incoming,
    NotGenuine,
    Noticed,
    Unreadable,
    Verdict,
)
from intake.channels.registry import channel_of
from intake.requests.rules import Identity, Normalised

NOW = datetime.fromtimestamp(1_760_000_060, UTC)
ACCOUNT = Account("whatsapp", "hotline", META, "east", "shanghai", "cooling")
CHANNEL = channel_of("whatsapp")


def incoming(
    body: bytes, headers: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None
) -> Incoming:
    address = "https://x/intake/channels/whatsapp"
    return Incoming("POST", address, headers or {}, query or {}, body, NOW)


def verdicts(body: bytes) -> list[Verdict]:
    return list(CHANNEL.parse(incoming(body), ACCOUNT))


def only(*messages: Any) -> Normalised:
    [verdict] = verdicts(batch(value(*messages)))
    assert isinstance(verdict, Arrived)
    return verdict.message


def message(kind: str, told: Any, **more: Any) -> dict[str, Any]:
    whole = text(1) | {"type": kind, kind: told} | more
    return {name: each for name, each in whole.items() if name != "text" or kind == "text"}


def verify(signed: Signed) -> None:
    CHANNEL.verify(incoming(signed.body, dict(signed.headers)), ACCOUNT)


def test_the_signature_is_over_the_bytes_as_they_came() -> None:
    signed = genuine.signed(genuine.message(1))
    verify(signed)
    again = json.dumps(json.loads(signed.body), ensure_ascii=False).encode()  # what a framework makes of it
    for forged in (
        Signed(again, signed.headers),
        Signed(signed.body, {"x-hub-signature": signed.headers["x-hub-signature"]}),
        Signed(signed.body, {"x-hub-signature-256": signed.headers["x-hub-signature"]}),
        Signed(signed.body, {"x-hub-signature-256": signed.headers["x-hub-signature-256"][len("sha256=") :]}),
        Signed(signed.body),
    ):
        with pytest.raises(NotGenuine):
            verify(forged)


def test_a_published_figure_comes_out() -> None:
    """Source: hexdocs.pm/whatsapp_sdk, `WhatsApp.Webhook.compute_signature("test", "secret")`."""
    figure = "0329a06b62cd16b33eb6792be8c60b158d89a2ee3a876fce9a881ebb488c0914"
    assert hmac("sha256", "secret", b"test").hex() == figure
    account = Account("whatsapp", "x", META | {"app_secret": "secret"})
    CHANNEL.verify(incoming(b"test", {"x-hub-signature-256": f"sha256={figure}"}), account)


def test_the_challenge_goes_back_to_who_knows_the_token() -> None:
    assert CHANNEL.greet is not None
    told = {"hub.mode": "subscribe", "hub.verify_token": META["verify_token"], "hub.challenge": "1158201444"}
    assert CHANNEL.greet(incoming(b"", query=told), ACCOUNT).body == b"1158201444"
    for wrong in ({"hub.verify_token": "x"}, {"hub.verify_token": ""}, {"hub.mode": "unsubscribe"}):
        with pytest.raises(NotGenuine):
            CHANNEL.greet(incoming(b"", query=told | wrong), ACCOUNT)


def test_a_customer_is_known_by_number_and_id() -> None:
    told = only(text(1))
    assert (told.channel, told.door, told.account, told.external_id) == (
        "social",
        "whatsapp",
        "whatsapp/hotline",
        "wamid.HBg1=",
    )
    assert told.identities == (
        Identity("phone", "+8613000000001"),
        Identity("external", "whatsapp/hotline:8613000000001"),
    )
    assert (told.name, told.text) == ("示例客户", "水泵漏水 😀 https://a.example/b")
    assert (told.address, told.session) == ("8613000000001", "whatsapp/hotline:8613000000001")
    assert (told.region, told.city, told.product_line) == ("east", "shanghai", "cooling")
    assert told.received_at == datetime.fromtimestamp(1_760_000_000, UTC)
    assert json.loads(told.raw)["id"] == "wamid.HBg1="


def test_a_customer_with_a_user_name_alone_is_known_too() -> None:
    written = {name: each for name, each in text(1).items() if name != "from"} | {"from_user_id": "CN.135"}
    contact = {"profile": {"name": "", "username": "@pump"}, "user_id": "CN.135"}
    [verdict] = verdicts(batch(value(written) | {"contacts": [contact]}))
    assert isinstance(verdict, Arrived)
    assert verdict.message.identities == (Identity("external", "whatsapp/hotline:CN.135"),)
    assert (verdict.message.name, verdict.message.address) == ("@pump", "CN.135")


@pytest.mark.parametrize(
    ("kind", "told", "reads"),
    [
        (
            "image",
            {"caption": "漏水", "mime_type": "image/jpeg", "sha256": "aa", "id": "1"},
            "漏水\n[image 1 image/jpeg aa]",
        ),
        ("audio", {"mime_type": "audio/ogg", "id": "2", "voice": True}, "[audio 2 audio/ogg]"),
        ("document", {"filename": "单.pdf", "mime_type": "a/pdf", "id": "3"}, "[document 3 a/pdf 单.pdf]"),
        ("location", {"latitude": 31.2, "longitude": 121.4, "name": "厂"}, "[location 31.2 121.4 厂]"),
        (
            "contacts",
            [{"name": {"formatted_name": "李"}, "phones": [{"phone": "+86 138"}]}],
            "[contact 李 +86 138]",
        ),
        ("button", {"text": "预约", "payload": "x"}, "预约"),
        (
            "interactive",
            {"type": "list_reply", "list_reply": {"id": "1", "title": "维修", "description": "水泵"}},
            "维修\n水泵",
        ),
        (
            "interactive",
            {"type": "nfm_reply", "nfm_reply": {"response_json": '{"a": 1}', "body": "Sent"}},
            'Sent\n{"a": 1}',
        ),
        (
            "order",
            {"product_items": [{"product_retailer_id": "P1", "quantity": 2}], "text": "急"},
            "急\n[order P1 × 2]",
        ),
    ],
)
def test_what_is_not_text_reads_as_its_kind_and_name(kind: str, told: Any, reads: str) -> None:
    assert only(message(kind, told)).text == reads


def test_where_a_customer_is_counts_if_it_is_a_place() -> None:
    for latitude, known in ((31.23, 31.23), (91, None), ("31", None)):
        told = only(message("location", {"latitude": latitude, "longitude": 121.47}))
        assert (told.latitude, told.longitude) == (known, 121.47)


def test_a_quoted_message_of_ours_leads_to_its_request() -> None:
    assert only(text(1) | {"context": {"from": "86139", "id": "wamid.ours"}}).answers == ("wamid.ours",)


def test_of_a_hundred_messages_one_that_is_spoilt_costs_the_others_nothing() -> None:
    spoilt: tuple[Any, ...] = (
        {"id": "wamid.x", "type": "text"},
        {"type": "text"},
        text(7) | {"text": {"body": 5}},
        text(7) | {"timestamp": "soon"},
        {name: each for name, each in text(7).items() if name != "from"},
        text(7) | {"from": []},
        text(7) | {"timestamp": "9" * 40},
        {"id": {}},
        None,
        "x",
    )
    for bad in spoilt:
        found = verdicts(batch(value(*map(text, range(50)), bad), value(*map(text, range(50, 99)))))
        assert [type(each) for each in found].count(Arrived) == 99
        [aside] = [each for each in found if isinstance(each, Noticed)]
        assert (aside.kind, json.loads(aside.raw)) == ("unreadable", bad)


def test_half_an_emoji_in_one_text_costs_nothing() -> None:
    body = batch(value(text(1), text(2, "half \ud83d"), text(3, "nul \0")))
    told = [each.message.text for each in verdicts(body) if isinstance(each, Arrived)]
    assert told[1:] == ["half \ufffd", "nul \ufffd"]


def test_what_became_of_our_messages_is_told() -> None:
    told = {"id": "wamid.ours", "recipient_id": "8613", "timestamp": "1760000000"}
    fault = {"code": 131026, "title": "Undeliverable", "error_data": {"details": "No such number"}}
    statuses: list[dict[str, Any]] = [
        told | {"status": each} for each in ("sent", "delivered", "read", "played")
    ]
    statuses += [told | {"status": "failed", "errors": [fault]}, told | {"status": "warped"}]
    found = verdicts(batch(value(*statuses, name="statuses")))
    deliveries = [each for each in found if isinstance(each, DeliveryTold)]
    assert [each.state for each in deliveries] == ["sent", "delivered", "read", "read", "failed"]
    assert deliveries[-1].detail == "131026 No such number"
    assert {each.external_id for each in deliveries} == {"wamid.ours"}
    assert isinstance(found[-1], Noticed)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("reaction", {"message_id": "wamid.ours", "emoji": "👍"}),
        ("edit", {"original_message_id": "wamid.1", "message": {"type": "text", "text": {"body": "x"}}}),
        ("revoke", {"original_message_id": "wamid.1"}),
        ("system", {"type": "user_changed_number", "wa_id": "861"}),
        ("unsupported", {}),
        ("hologram", {"id": "1"}),
    ],
)
def test_what_asks_for_nothing_opens_nothing_and_is_kept(kind: str, told: Any) -> None:
    [verdict] = verdicts(batch(value(message(kind, told))))
    assert isinstance(verdict, Noticed)
    assert verdict.kind == kind
    [again] = verdicts(batch(value(message(kind, told))))
    assert verdict == again


def test_changes_of_other_fields_are_kept() -> None:
    echo = value(name="message_echoes") | {"message_echoes": [text(1)]}
    [verdict] = verdicts(batch(echo, field="smb_message_echoes"))
    assert isinstance(verdict, Noticed)
    assert verdict.kind == "whatsapp_smb_message_echoes"
    [unknown] = verdicts(batch(value(name="calls")))
    assert isinstance(unknown, Noticed)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"entry": []}', b'{"entry": {}}', b"\xff", b"1e999"])
def test_what_is_no_batch_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        verdicts(body)


def test_a_time_counts_as_far_as_it_can_be() -> None:
    for seconds, at in ((0, NOW - timedelta(days=7)), (1_760_000_100, NOW), (1_760_000_001_000, None)):
        received = only(text(1) | {"timestamp": str(seconds)}).received_at
        assert received == (at or datetime.fromtimestamp(1_760_000_001, UTC))
