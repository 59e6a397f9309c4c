"""Messenger and Instagram: what people write to a page, and what asks for nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.providers.messenger import batch, event
from contracts.signing import META
from intake.channels.contract import Account, Arrived, DeliveryTold, Incoming, Noticed, Verdict
from intake.channels.registry import channel_of
from intake.requests.rules import Identity, Normalised

NOW = datetime.fromtimestamp(1_760_000_060, UTC)
ACCOUNT = Account("messenger", "page", META, "east")


def verdicts(body: bytes, name: str = "messenger") -> list[Verdict]:
    incoming = Incoming("POST", "https://x", {}, {}, body, NOW)
    return list(channel_of(name).parse(incoming, ACCOUNT))


def only(**told: Any) -> Normalised:
    [verdict] = verdicts(batch(event(1, **told)))
    assert isinstance(verdict, Arrived)
    return verdict.message


def test_a_message_is_of_its_person_on_its_page() -> None:
    told = only()
    assert (told.channel, told.door, told.external_id, told.text) == (
        "social",
        "messenger",
        "m_1",
        "水泵漏水 😀",
    )
    assert told.identities == (Identity("external", "messenger/page:2000000000000001"),)
    assert (told.address, told.session) == ("2000000000000001", "messenger/page:2000000000000001")
    assert told.received_at == datetime.fromtimestamp(1_760_000_000.123, UTC)
    assert told.region == "east"


@pytest.mark.parametrize("name", ["messenger", "instagram"])
def test_the_two_are_alike(name: str) -> None:
    assert len(verdicts(batch(*map(event, range(100))), name)) == 100


@pytest.mark.parametrize(
    ("message", "reads"),
    [
        (
            {"attachments": [{"type": "image", "payload": {"url": "https://cdn.example/1"}}]},
            "[image https://cdn.example/1]",
        ),
        (
            {
                "text": "看",
                "attachments": [
                    {"type": "audio", "payload": {"url": "u"}},
                    {"type": "file", "payload": None},
                ],
            },
            "看\n[audio u]\n[file]",
        ),
        (
            {"attachments": [{"type": "location", "payload": {"coordinates": {"lat": 31.2, "long": 121.4}}}]},
            "[location 31.2 121.4]",
        ),
        ({"text": "维修", "quick_reply": {"payload": "repair"}}, "维修"),
    ],
)
def test_what_is_not_text_reads_as_its_kind_and_address(message: dict[str, Any], reads: str) -> None:
    assert only(message={"mid": "m_1", **message}).text == reads


def test_a_button_says_its_words() -> None:
    told = only(postback={"mid": "m_9", "title": "开始", "payload": "START"})
    assert (told.external_id, told.text) == ("m_9", "开始")
    told = only(postback={"title": "开始", "payload": "START"})
    assert told.external_id == "postback:2000000000000001:1760000000123"


def test_a_quoted_message_leads_to_its_request() -> None:
    assert only(message={"mid": "m_2", "text": "x", "reply_to": {"mid": "m_ours"}}).answers == ("m_ours",)


def test_what_became_of_our_messages_is_told() -> None:
    delivered = event(1, delivery={"mids": ["m_a", "m_b"], "watermark": 1_760_000_000_000})
    read = event(1, read={"mid": "m_a"})
    found = verdicts(batch(delivered, read))
    assert all(isinstance(each, DeliveryTold) for each in found)
    states = [(each.external_id, each.state) for each in found if isinstance(each, DeliveryTold)]
    assert states == [("m_a", "delivered"), ("m_b", "delivered"), ("m_a", "read")]


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"message": {"mid": "m_1", "is_echo": True, "text": "ours"}}, "echo"),
        ({"message": {"mid": "m_1", "is_deleted": True}}, "deleted"),
        ({"message": {"mid": "m_1", "is_unsupported": True}}, "unsupported"),
        ({"message": {"mid": "m_1"}}, "unknown"),
        ({"reaction": {"reaction": "love", "action": "react", "mid": "m_a"}}, "reaction"),
        ({"message_edit": {"mid": "m_a", "text": "x", "num_edit": 1}}, "message_edit"),
        ({"read": {"watermark": 1_760_000_000_000}}, "read"),
        ({"delivery": {"watermark": 1_760_000_000_000}}, "delivery"),
        ({"hologram": {}}, "unknown"),
    ],
)
def test_what_asks_for_nothing_opens_nothing_and_is_kept(told: dict[str, Any], kind: str) -> None:
    [verdict] = verdicts(batch(event(1, **told)))
    assert isinstance(verdict, Noticed)
    assert verdict.kind == kind
    assert json.loads(verdict.raw) == event(1, **told)


def test_one_that_is_spoilt_costs_the_others_nothing() -> None:
    spoilt: tuple[Any, ...] = (
        None,
        {"message": {"mid": "m_1", "text": "nobody"}},
        event(1) | {"timestamp": []},
        event(1, message="x"),
        event(1, message={"text": "no id"}),
        event(1, delivery=[]),
    )
    for bad in spoilt:
        found = verdicts(batch(*map(event, range(99)), bad))
        assert [type(each) for each in found].count(Arrived) == 99
        [aside] = [each for each in found if isinstance(each, Noticed)]
        assert (aside.kind, json.loads(aside.raw)) == ("unreadable", bad)


def test_comments_and_what_another_app_handles_are_kept() -> None:
    entry = {
        "id": "1",
        "standby": [event(1)],
        "changes": [{"field": "feed", "value": {}}, {"field": "messages", "value": event(2)}],
    }
    found = verdicts(json.dumps({"object": "page", "entry": [entry]}).encode())
    kinds = [each.kind if isinstance(each, Noticed) else "arrived" for each in found]
    assert kinds == ["changes", "arrived", "standby"]
