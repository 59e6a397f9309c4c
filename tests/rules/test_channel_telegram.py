"""Telegram: what people write to a bot, and what asks for nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.providers.telegram import genuine
from intake.channels.contract import Account, Arrived, Incoming, NotGenuine, Noticed, Unreadable, Verdict
from intake.channels.registry import channel_of
from intake.requests.rules import Identity, Normalised

NOW = datetime.fromtimestamp(1_760_000_060, UTC)
ACCOUNT = Account("telegram", "hotline", genuine.secrets, "east")
CHANNEL = channel_of("telegram")
PLAIN = json.loads(genuine.message(7))["message"]


def verdict(update: Any) -> Verdict:
    body = json.dumps(update).encode()
    [found] = CHANNEL.parse(Incoming("POST", "https://x", {}, {}, body, NOW), ACCOUNT)
    return found


def only(**told: Any) -> Normalised:
    found = verdict({"update_id": 1, "message": {**PLAIN, **told}})
    assert isinstance(found, Arrived)
    return found.message


def kind(update: Any) -> str:
    found = verdict(update)
    assert isinstance(found, Noticed)
    assert json.loads(found.raw) == update
    assert verdict(update) == found
    return found.kind


def test_only_who_knows_the_secret_is_telegram() -> None:
    secret = genuine.secrets["secret_token"]
    for sent in (
        {},
        {"x-telegram-bot-api-secret-token": ""},
        {"x-telegram-bot-api-secret-token": secret[:-1]},
    ):
        with pytest.raises(NotGenuine):
            CHANNEL.verify(Incoming("POST", "https://x", sent, {}, b"{}", NOW), ACCOUNT)
    right = {"x-telegram-bot-api-secret-token": secret}
    CHANNEL.verify(Incoming("POST", "https://x", right, {}, b"{}", NOW), ACCOUNT)


def test_a_message_is_of_its_person_in_its_chat() -> None:
    told = only(chat={"id": -100123, "type": "supergroup"})
    assert (told.external_id, told.address, told.session) == (
        "-100123:7",
        "-100123",
        "telegram/hotline:-100123",
    )
    assert told.identities == (Identity("external", "telegram/hotline:5000000007"),)
    assert (told.name, told.text) == ("示例", "水泵漏水 😀")
    assert told.received_at == datetime.fromtimestamp(1_760_000_000, UTC)


def test_the_same_message_is_the_same_by_whatever_update() -> None:
    for number in (9, 1, 0):
        found = verdict({"update_id": number, "message": PLAIN})
        assert isinstance(found, Arrived)
        assert found.message.external_id == "5000000007:7"


@pytest.mark.parametrize(
    ("told", "reads"),
    [
        (
            {"photo": [{"file_id": "s"}, {"file_id": "L"}], "caption": "漏水"},
            "漏水\n[photo L]",
        ),
        ({"voice": {"file_id": "v", "mime_type": "audio/ogg"}}, "[voice v audio/ogg]"),
        (
            {"document": {"file_id": "d", "mime_type": "a/pdf", "file_name": "单.pdf"}},
            "[document d a/pdf 单.pdf]",
        ),
        ({"animation": {"file_id": "a"}, "document": {"file_id": "a"}}, "[animation a]"),
        ({"location": {"latitude": 31.2, "longitude": 121.4}}, "[location 31.2 121.4]"),
        ({"contact": {"first_name": "李", "phone_number": "+86138"}}, "[contact 李 +86138]"),
        ({"photo": "odd", "text": "还在"}, "还在"),
    ],
)
def test_what_is_not_text_reads_as_its_kind_and_name(told: dict[str, Any], reads: str) -> None:
    assert only(**({"text": ""} | told)).text == reads


def test_where_a_customer_is_counts() -> None:
    told = only(location={"latitude": 31.2, "longitude": 121.4})
    assert (told.latitude, told.longitude) == (31.2, 121.4)


def test_a_reply_leads_to_what_it_replies_to() -> None:
    assert only(reply_to_message={"message_id": 5}).answers == ("5000000007:5",)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"text": "/start"}, "command"),
        ({"text": "/start@our_bot device-42"}, "command"),
        ({"text": "/help"}, "command"),
        ({"text": "", "new_chat_members": [{"id": 1}]}, "service"),
        ({"from": {"id": 1, "is_bot": True, "first_name": "b"}}, "bot"),
    ],
)
def test_a_message_that_asks_for_nothing_opens_nothing(told: dict[str, Any], why: str) -> None:
    assert kind({"update_id": 1, "message": {**PLAIN, **told}}) == why


def test_a_command_with_words_is_a_request() -> None:
    assert only(text="/repair 水泵漏水").text == "/repair 水泵漏水"


@pytest.mark.parametrize(
    "name",
    ["edited_message", "message_reaction", "callback_query", "my_chat_member", "channel_post", "hologram"],
)
def test_other_updates_are_kept(name: str) -> None:
    assert kind({"update_id": 3, name: PLAIN}) == name


def test_each_edit_of_a_message_is_kept() -> None:
    edits = [verdict({"update_id": 3, "edited_message": {**PLAIN, "text": each}}) for each in ("a", "b")]
    assert edits[0] != edits[1]


@pytest.mark.parametrize(
    "update",
    [
        [],
        5,
        {},
        {"update_id": None},
        {"update_id": 1, "message": None},
        {"update_id": 1, "message": {"date": 1}},
    ],
)
def test_what_is_no_update_is_unreadable(update: Any) -> None:
    with pytest.raises(Unreadable):
        verdict(update)
