"""Which words ask to hear no more, and what is not sent then (R127)."""

from __future__ import annotations

from uuid import UUID

import pytest

from intake.optouts.rules import channel_of, unwanted, wants_no_more, wish_of


@pytest.mark.parametrize("text", ["STOP", " stop! ", "TD", "ｔｄ", "退订", "“退订”。", "取消订阅"])
def test_one_word_asks_for_no_more_wherever_it_is_said(text: str) -> None:
    assert [wish_of(text, channel) for channel in ("sms", "email", "social")] == [True] * 3


@pytest.mark.parametrize("text", ["恢复订阅", "START", "unstop"])
def test_another_asks_for_it_again(text: str) -> None:
    assert wish_of(text, "sms") is False


@pytest.mark.parametrize(
    "text", ["", "?", "我要退订", "please stop the pump", "停", "stop 1", "T1", "退订 退订", "stopp"]
)
def test_whoever_says_more_is_a_customer_with_a_request(text: str) -> None:
    assert wish_of(text, "sms") is None


def test_ordinary_words_mean_it_in_an_sms_only_and_nothing_does_in_a_chat() -> None:
    assert [wish_of(each, "sms") for each in ("T", "r", "cancel", "END")] == [True] * 4
    assert [wish_of(each, "social") for each in ("T", "r", "cancel", "END")] == [None] * 4
    assert wish_of("STOP", "web_chat") is None


def test_consent_is_asked_for_by_the_channel_that_reaches_an_address() -> None:
    lanes = [("email/", "a@b.example"), ("twilio/main", "+8613000000000"), ("twilio/main", "whatsapp:+86130")]
    lanes += [("whatsapp/main", "86130"), ("wechat/main", "o6"), ("chat/main", "s"), ("webhook/crm", "x")]
    found = [channel_of(lane, address) for lane, address in lanes]
    assert found == ["email", "sms", "social", "social", "social", "web_chat", "webhook"]


def test_answers_and_what_the_customer_decides_need_no_consent() -> None:
    everything = ("service", "survey", "marketing")
    assert [unwanted(each, everything) for each in (None, "please_accept")] == [None, None]
    automatic = ("progress", "incident", "acknowledgement", "please_accept_reminder", "survey")
    assert {unwanted(each, everything) for each in automatic} == {"service"}
    assert [unwanted(each, ("survey",)) for each in automatic] == [None] * 4 + ["survey"]


def test_who_asked_by_a_form_is_answered_elsewhere() -> None:
    by_sms = {(UUID(int=1), "service", "sms")}
    assert [wants_no_more(each, by_sms) for each in ("web_form", "phone", "sms", "email")] == [
        True, True, True, False,
    ]  # fmt: skip
