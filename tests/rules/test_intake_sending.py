"""Where messages to customers go, when they are tried again, what they say: the rules (S7, S14, R27)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from intake.channels.contract import Account
from intake.sending.contract import Later, Outcome, Outgoing, Refused, Sent, Uncertain
from intake.sending.mail import MailServer, UnsafeHeader, compose, server_of
from intake.sending.registry import senders
from intake.sending.rules import (
    KEEP_TRYING,
    MOST_ATTEMPTS,
    Asked,
    NoWay,
    Way,
    Ways,
    after_attempt,
    may_acknowledge,
    may_decide,
    state_now,
    way_of,
)
from intake.sending.words import UnknownTemplate, language_of, text_of
from shared.settings import Settings, WrongSettings, load

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
SERVER = MailServer("127.0.0.1", 25, "plain", "", "", "Aftercare <service@aftercare.example>", plus=True)
MAIL = Outgoing(
    id=UUID(int=1),
    round=1,
    request_id=UUID(int=2),
    address="ann@example.com",
    text="We come.",
    subject="Pump",
    made_at=NOW,
    message_id="<1@aftercare.example>",
    thread=("<a@example.com>",),
    token="t" * 48,
)
TWILIO = {"account_sid": "AC1", "auth_token": "t", "from": "+1"}
WAYS = Ways({"twilio/main": Account("twilio", "main", TWILIO)}, senders(), mail=True)


@pytest.mark.parametrize("bad", ["\r\nBcc: all@example.com", "\nX: y", "\r", "\0", "\x1b[2J", "\u2028"])
@pytest.mark.parametrize("where", ["address", "message_id", "thread", "token", "automatic"])
def test_no_header_carries_more_than_its_value(where: str, bad: str) -> None:
    """S14."""
    value: object = (f"<a{bad}@example.com>",) if where == "thread" else f"ann{bad}"
    with pytest.raises(UnsafeHeader):
        compose(replace(MAIL, **{where: value}), SERVER, "https://aftercare.example")  # type: ignore[arg-type]


def test_a_title_is_one_line_and_is_answered_once() -> None:
    mail = compose(replace(MAIL, subject="Pump\r\nBcc: x@example.com"), SERVER, "https://aftercare.example")
    assert (mail["Subject"], mail["Bcc"]) == ("Re: Pump Bcc: x@example.com", None)
    again = compose(replace(MAIL, subject="回复：水泵"), SERVER, "https://aftercare.example")
    assert again["Subject"] == "回复：水泵"


@pytest.mark.parametrize(
    ("asked", "way"),
    [
        (Asked("email", "service", None, "a@example.com"), Way("email", "", "a@example.com")),
        (Asked("sms", "twilio/main", "twilio", "+86"), Way("twilio", "main", "+86")),
        (Asked("sms", "twilio/other", "twilio", "+86"), NoWay("no_account", "twilio/other")),
        (Asked("social", "pigeon/main", "pigeon", "7"), NoWay("no_sender", "pigeon")),
        (Asked("web_form", "form", None, None), NoWay("no_address", "web_form")),
        (
            Asked("web_form", "form", None, None, ("twilio/main", "+86"), "a@example.com"),
            Way("twilio", "main", "+86"),
        ),
        (
            Asked("phone", "line", None, None, ("twilio/gone", "+86"), "a@example.com"),
            Way("email", "", "a@example.com"),
        ),
        # Who has an address on their channel is never answered elsewhere.
        (
            Asked("social", "pigeon/main", "pigeon", None, ("twilio/main", "+86"), "a@example.com"),
            NoWay("no_sender", "pigeon"),
        ),
    ],
)
def test_an_answer_goes_where_the_request_came_from(asked: Asked, way: Way | NoWay) -> None:
    assert way_of(asked, WAYS) == way


@pytest.mark.parametrize(
    ("outcome", "repeat", "state", "why"),
    [
        (Sent(), False, "sent", None),
        (Refused("x", "window_over"), True, "failed", "window_over"),
        (Later("x"), False, "waiting", "busy"),
        (Uncertain("x"), False, "unknown", "uncertain"),
        (Uncertain("x"), True, "waiting", "unreachable"),
    ],
)
def test_what_becomes_of_a_message(outcome: Outcome, repeat: bool, state: str, why: str | None) -> None:
    change = after_attempt(outcome, 1, NOW, NOW, 0.0, repeat=repeat)
    assert (change.state, change.why) == (state, why)
    assert (change.due_at is None) == (state != "waiting")


def test_it_is_tried_for_a_day_and_not_before_it_is_asked_for() -> None:
    due, attempts = NOW, 0
    while True:
        attempts += 1
        change = after_attempt(Later("x"), attempts, NOW, due, 0.5, repeat=True)
        if change.due_at is None:
            break
        assert change.due_at > due
        due = change.due_at
    assert change.why == "given_up"
    assert NOW + timedelta(hours=18) < due < NOW + KEEP_TRYING or attempts == MOST_ATTEMPTS
    asked = after_attempt(Later("x", timedelta(hours=2)), 1, NOW, NOW, 0.0, repeat=True)
    assert asked.due_at == NOW + timedelta(hours=2)


def test_a_person_ends_doubts_and_nothing_else() -> None:
    assert [
        state
        for state in ("waiting", "sending", "sent", "failed", "unknown")
        if may_decide(state, "it_arrived")
    ] == ["unknown"]
    assert not may_decide("sending", "send_again")
    assert not may_decide("sent", "send_again")


def test_what_was_told_later_counts_more() -> None:
    assert state_now("sent", frozenset({"sent", "delivered", "read"})) == "read"
    assert state_now("sent", frozenset({"delivered", "failed"})) == "failed"
    assert state_now("unknown", frozenset({"delivered"})) == "delivered"  # the doubt is over
    assert state_now("waiting", frozenset({"failed"})) == "waiting"  # that was the round before


@pytest.mark.parametrize(
    "template",
    [
        "please_accept", "please_accept_reminder", "survey", "progress",
        "visit_times", "visit_moved", "visit_cancelled", "visit_lapsed",
    ],
)  # fmt: skip
def test_there_are_words_for_whatever_services_ask_for(template: str) -> None:
    facts = {"title": "Pump {link}", "number": "T-1"}
    for heard, language in (("水泵 leaks", "zh-CN"), ("Pump", "en"), ("", "zh-CN"), ("[image 7]", "zh-CN")):
        assert language_of(heard) == language
        said = text_of(template, "nearly done", "/f/x", facts, heard, "https://a.example/")
        assert ("https://a.example/f/x" in said) == (template != "progress")
        assert ("nearly done" in said) == (template == "progress")
        assert "{" not in said.replace("Pump {link}", "")
    if template != "progress":
        with pytest.raises(UnknownTemplate):
            text_of(template, "", None, facts, "", "https://a.example")


@pytest.mark.parametrize(
    ("heard", "moved", "lapsed"),
    [
        (
            "水泵异响",
            "原定11月24日 周二 14:00，改为11月25日 周三 09:00–11:00（北京时间）。原因：工程师生病。",
            "原定11月24日 周二 14:00（北京时间）的上门时间无法保留",
        ),
        (
            "Pump",
            "from Tue 24 Nov, 14:00 to Wed 25 Nov, 09:00–11:00, Beijing time. The reason: 工程师生病",
            "the visit on Tue 24 Nov, 14:00, Beijing time, cannot take place",
        ),
    ],
)
def test_of_a_visit_that_is_moved_the_customer_reads_both_times_and_why(
    heard: str, moved: str, lapsed: str
) -> None:
    facts = {"title": "Pump", "number": "1", "was": "2026-11-24T06:00:00+00:00", "reason": "工程师生病"}
    times = {"starts_at": "2026-11-25T01:00:00+00:00", "ends_at": "2026-11-25T03:00:00+00:00"}
    assert moved in text_of("visit_moved", "", "/v", facts | times, heard, "https://a.example")
    assert lapsed in text_of("visit_lapsed", "", "/v", facts, heard, "https://a.example")
    del facts["reason"]
    assert "The reason" not in text_of("visit_cancelled", "", "/v", facts, heard, "https://a.example")


def test_only_who_wrote_by_their_own_channel_hears_automatically() -> None:
    """S7."""
    mail = Asked("email", "service", None, "ann@example.com")
    assert may_acknowledge(mail, NOW, False, NOW)
    for asked in (
        replace(mail, channel="web_form"),
        replace(mail, address=None),
        replace(mail, address="No-Reply@example.com"),
        replace(mail, address="bounce+7@example.com"),
    ):
        assert not may_acknowledge(asked, NOW, False, NOW)
    assert not may_acknowledge(mail, NOW, True, NOW)
    assert not may_acknowledge(mail, NOW - timedelta(hours=2), False, NOW)


def test_a_mail_server_is_named_completely_or_not_at_all() -> None:
    base = {"AFTERCARE_DATABASE_URL": "postgresql://x/y", "AFTERCARE_BUS": "memory"}
    url, sender = "smtp+starttls://user%40x:p%2Fw@mail.example.com", "Service <service@example.com>"
    named = base | {"AFTERCARE_INTAKE_SMTP_URL": url, "AFTERCARE_INTAKE_MAIL_FROM": sender}
    server = server_of(load("intake", named))
    assert server == MailServer("mail.example.com", 587, "starttls", "user@x", "p/w", sender)
    assert server_of(Settings(database_url="postgresql://x/y", bus="memory")) is None
    for wrong in ({"AFTERCARE_INTAKE_SMTP_URL": "mail.example.com:25"}, {"AFTERCARE_INTAKE_MAIL_FROM": "me"}):
        with pytest.raises(WrongSettings):
            load("intake", named | wrong)
