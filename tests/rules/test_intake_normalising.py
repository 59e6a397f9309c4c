"""What a customer is recognised by, however they write it; and which times are believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from intake.requests.rules import (
    LONGEST_TITLE,
    Identity,
    ImplausibleTime,
    email_identity,
    own_words,
    phone_identity,
    plausible,
    title_of,
)

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "010-12345678",
        "(010) 1234 5678",
        "０１０－１２３４５６７８",
        "010-12345678转801",
        "010-12345678 分机 801",
        "010-12345678 ext. 801",
        "010‑12345678 x801",
        "+86 10 1234 5678",
        "+86 (0)10 1234 5678",
        "0086-10-12345678",
        "86 10 12345678",
    ],
)
def test_one_number_has_one_form_however_it_is_written(written: str) -> None:
    assert phone_identity(written) == Identity("phone", "+861012345678")


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("13800000000", "+8613800000000"),
        ("8613800000000", "+8613800000000"),
        ("+1 (555) 010-0100", "+15550100100"),
        ("00 44 20 7946 0000", "+442079460000"),
        ("95000", "+8695000"),
    ],
)
def test_mobile_foreign_and_short_numbers_keep_their_digits(written: str, number: str) -> None:
    assert phone_identity(written) == Identity("phone", number)


@pytest.mark.parametrize(
    "written", ["", "call me", "1234", "12345abc", "+", "5" * 50, "转801", "1;DROP TABLE"]
)
def test_what_cannot_be_a_number_is_none(written: str) -> None:
    assert phone_identity(written) is None


@pytest.mark.parametrize(
    "written", ["Sample@Example.COM", " sample@example.com ", "ｓａｍｐｌｅ＠example.com"]
)
def test_one_mailbox_has_one_form(written: str) -> None:
    assert email_identity(written) == Identity("email", "sample@example.com")


@pytest.mark.parametrize(
    "written",
    [
        "",
        "sample",
        "@example.com",
        "sample@localhost",
        "a b@example.com",
        "a\r\n@example.com",
        "a" * 250 + "@b.co",
    ],
)
def test_what_cannot_be_a_mailbox_is_none(written: str) -> None:
    assert email_identity(written) is None


def test_a_title_is_the_subject_else_how_the_text_begins_in_one_line() -> None:
    assert title_of("水泵坏了", "正文") == "水泵坏了"
    assert title_of("", "first\r\n second\tline") == "first second line"
    assert title_of("", "") == "—"


def test_a_title_is_the_caption_and_not_what_stands_for_the_picture() -> None:
    """R03: a picture alone is all there is to say."""
    assert title_of("", "看这里\n[image 777 image/jpeg]") == "看这里"
    assert title_of("", "[photo x]\n[location 31.2 121.4 厂]\n漏水") == "漏水"
    assert title_of("", "[image 777 image/jpeg]") == "[image 777 image/jpeg]"
    assert own_words("[help] please\n[video 1]\n[pump]") == "[help] please\n[pump]"


def test_what_nobody_can_read_is_no_title() -> None:
    assert title_of("\ufffd\ufffd", "\x01\x9f") == "—"
    assert title_of("\ufffd\n", "水泵\ufffd\x02漏水") == "水泵 漏水"


def test_a_long_title_is_cut_and_says_so() -> None:
    cut = title_of("字" * 500, "")
    assert (len(cut), cut[-1]) == (LONGEST_TITLE, "…")


def test_without_a_time_it_happened_now() -> None:
    assert plausible(None, NOW) == NOW


@pytest.mark.parametrize("away", [timedelta(days=-7), timedelta(0), timedelta(seconds=60)])
def test_times_up_to_a_week_back_and_a_minute_ahead_are_believed(away: timedelta) -> None:
    assert plausible(NOW + away, NOW) == NOW + away


@pytest.mark.parametrize(
    "told",
    [
        NOW - timedelta(days=7, seconds=1),
        NOW + timedelta(seconds=61),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))),
    ],
)
def test_other_times_are_refused(told: datetime) -> None:
    with pytest.raises(ImplausibleTime):
        plausible(told, NOW)
