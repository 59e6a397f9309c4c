"""Raw mails as they really come: lying labels, missing headers, broken parts (R01, R52)."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from time import process_time

import pytest

from intake.channels.mail.arrival import Came, normalised
from intake.channels.mail.parser import parse
from intake.channels.mail.value import Mail
from intake.requests.rules import Identity, Normalised

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
PLAIN = "Content-Type: text/plain; charset=utf-8"


def raw(*headers: str, body: bytes | str = "hello") -> bytes:
    content = body if isinstance(body, bytes) else body.encode()
    return "\r\n".join([*headers, "", ""]).encode() + content


def read(mail: bytes) -> Normalised:
    found = parse(mail)
    assert found.automatic is None
    return normalised(found, mail, Came("support", AT, "east", "shanghai"))


def aside(mail: bytes, host: str = "") -> Mail:
    found = parse(mail, host)
    assert found.automatic
    return found


def word(text: str, charset: str, label: str) -> str:
    return f"=?{label}?B?{b64encode(text.encode(charset)).decode()}?="


def test_a_plain_mail_is_who_what_and_which() -> None:
    mail = raw(
        "From: Sample <Sample@Example.com>",
        "Subject: pump",
        "Message-ID: <1@example.com>",
        PLAIN,
        body="it leaks",
    )
    found = read(mail)
    assert (found.channel, found.account, found.external_id) == ("email", "support", "<1@example.com>")
    assert (found.name, found.title, found.text) == ("Sample", "pump", "it leaks")
    assert found.identities == (Identity("email", "sample@example.com"),)
    assert (found.raw, found.received_at, found.region) == (mail, AT, "east")


def test_the_date_header_never_counts() -> None:
    assert read(raw("Date: Mon, 01 Jan 2001 00:00:00 +0000")).received_at == AT  # R52


@pytest.mark.parametrize(
    ("text", "charset", "label"),
    [
        ("水泵坏了，漏水", "gb2312", "gb2312"),
        ("喆镕堃：水泵坏了", "gb18030", "gb2312"),  # names that GB 2312 does not have
        ("水泵壞了", "gb18030", "gbk"),
        ("水泵壞了，漏水", "big5", "big5"),
        ("香港啲水泵壞咗", "big5hkscs", "big5"),
        ("水泵坏了", "utf-8", "gb2312"),
        ("水泵坏了", "utf-8", "us-ascii"),
        ("水泵坏了", "gb18030", "us-ascii"),
        ("水泵坏了", "gb18030", "no-such-charset"),
        ("水泵坏了", "utf-16", "utf-16"),
        ("水泵坏了", "hz", "hz-gb-2312"),
        ("ポンプ", "iso2022_jp", "iso-2022-jp"),
    ],
)
def test_what_the_label_says_is_not_always_in_the_tin(text: str, charset: str, label: str) -> None:
    found = read(
        raw(
            f"From: {word(text, charset, label)} <a@example.com>",
            f"Subject: {word(text, charset, label)}",
            f"Content-Type: text/plain; charset={label}",
            body=text.encode(charset),
        )
    )
    assert (found.name, found.title, found.text) == (text, text, text)


@pytest.mark.parametrize("label", ["undefined", "idna", "punycode", "rot13", "base64", "a\0b", "x" * 500])
def test_no_label_is_strange_enough_to_lose_the_mail(label: str) -> None:
    assert read(raw(f"Content-Type: text/plain; charset={label}", body=b"\xff\xfe\xfd leaking")).text


def test_headers_that_should_have_been_encoded_are_read_all_the_same() -> None:
    for charset in ("utf-8", "gb18030"):
        mail = (
            b"Subject: "
            + "水泵坏了".encode(charset)
            + b"\r\nFrom: "
            + "样例".encode(charset)
            + b" <a@b.example>\r\n\r\n"
        )
        assert (read(mail).title, read(mail).name) == ("水泵坏了", "样例")


def test_a_name_with_a_comma_or_an_address_in_it_is_a_name() -> None:
    found = read(raw(f"From: {word('样例, 公司 <x@y.example>', 'utf-8', 'utf-8')} <a@b.example>"))
    assert found.identities == (Identity("email", "a@b.example"),)
    assert found.name == "样例, 公司 <x@y.example>"


def test_a_character_cut_between_two_encoded_words_is_joined() -> None:
    encoded = "水泵".encode()
    words = " ".join(f"=?utf-8?B?{b64encode(part).decode()}?=" for part in (encoded[:4], encoded[4:]))
    assert read(raw(f"Subject: {words}")).title == "水泵"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>漏水</p><p>很多</p>", "漏水\n很多"),
        ("<head><title>x</title><style>p{}</style><body>pump<script>alert(1)</script> leaks", "pump leaks"),
        ("no tags & no end <", "no tags & no end <"),
        ("AT&T", "AT&T"),
        ("<SCRIPT>x</script >a<!-- <p> -->b", "ab"),
        ("<style>never closed", ""),
        ("a <b", "a <b"),
        (f"a&#{'9' * 5000};", "a&#9"),
        ("<b>a&nbsp;b&lt;c", "a b<c"),
        ("<img src=file:///etc/passwd>text<![CDATA[", "text"),
    ],
)
def test_a_mail_of_html_only_is_read_without_its_markup(html: str, text: str) -> None:
    assert read(raw("Content-Type: text/html; charset=utf-8", body=html)).text.startswith(text)


PARTS = 'Content-Type: multipart/alternative; boundary="b"'


def test_the_plain_part_is_preferred_unless_it_is_empty() -> None:
    both = "--b\r\n\r\n{}\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>rich</p>\r\n--b--\r\n"
    assert read(raw(PARTS, body=both.format("plain"))).text == "plain"
    assert read(raw(PARTS, body=both.format(" "))).text == "rich"


@pytest.mark.parametrize(
    "body",
    [
        "--other\r\n\r\nthe pump leaks\r\n",
        "the pump leaks",
        "--b\r\nContent-Type: text/plain\r\n\r\nthe pump leaks",
    ],
)
def test_a_boundary_that_is_nowhere_loses_no_text(body: str) -> None:
    assert "the pump leaks" in read(raw(PARTS, body=body)).text


def test_what_cannot_be_stored_is_replaced() -> None:
    found = read(
        b"Subject: a\0b\r\nFrom: x\0 <a@b.example>\r\n"
        b"Content-Type: text/plain; charset=utf-7\r\n\r\nc\0d +2AA-"
    )
    stored = found.title + found.text + found.name + found.external_id
    assert "\0" not in stored
    stored.encode()  # raises on a lone surrogate


def test_without_a_message_id_the_same_bytes_are_the_same_mail() -> None:
    first, again, other = (read(raw("Subject: a", body=body)) for body in ("x", "x", "y"))
    assert first.external_id == again.external_id != other.external_id
    assert first.identities == (Identity("external", f"email:{first.external_id}"),)


def test_a_message_id_that_no_index_could_hold_counts_as_missing() -> None:
    assert read(raw(f"Message-ID: <{'x' * 900}@example.com>")).external_id.startswith("sha256:")


def test_line_breaks_hide_in_no_header() -> None:
    found = read(raw("Subject: =?utf-8?q?a=0D=0ABcc:_x?=", "From: =?utf-8?q?n=0A?= <a@b.example>"))
    assert (found.title, found.name) == ("a Bcc: x", "n")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Auto-Submitted: auto-replied", "auto_submitted"),
        ("Auto-Submitted: auto-generated; owner=x", "auto_submitted"),
        ("Return-Path: <>", "bounce"),
        ("From: MAILER-DAEMON@mail.example", "bounce"),
        ("Content-Type: multipart/report; report-type=delivery-status; boundary=b", "bounce"),
        ("X-Autoreply: yes", "auto_reply"),
    ],
)
def test_what_no_person_wrote_opens_nothing(header: str, reason: str) -> None:
    assert aside(raw(header)).automatic == reason


def test_a_person_who_says_so_is_a_person() -> None:
    assert read(raw("Auto-Submitted: no", "Return-Path: <a@b.example>")).text == "hello"


def test_a_reply_names_what_it_answers_the_nearest_first() -> None:
    found = read(raw("In-Reply-To: <3@x>", "References: <1@x> <2@x>\r\n <3@x>"))
    assert found.answers == ("<3@x>", "<3@x>", "<2@x>", "<1@x>")


def test_a_mail_made_to_keep_us_busy_costs_little_and_is_kept() -> None:
    nested = b"Subject: deep\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 3000 + b"end"
    assert (read(nested).title, read(nested).raw) == ("deep", nested)
    assert read(raw("From: " + "(<" * 50_000)).identities[0].kind == "external"
    assert read(raw("Content-Type: text/plain; " + "charset*0*=x;" * 50_000)).text == "hello"
    parts = raw("Subject: wide", PARTS, body=b"--b\r\n\r\n\r\n" * 100_000)
    assert read(parts).title == "wide"


@pytest.mark.parametrize("piece", ["<a ", "<", "<!", "<!--", "</", "<a x='", "&#", "<script>"])
def test_markup_that_never_closes_is_read_in_one_pass(piece: str) -> None:
    begun = process_time()
    read(raw("Content-Type: text/html", body=piece * (400_000 // len(piece))))
    assert process_time() - begun < 2  # seconds; the library's parser took eighty


@pytest.mark.parametrize(
    "junk",
    [b"\0\xff\xfe", b"\r\n\r\n", b": no name\r\n", b"From: <<<>>>@,;\r\nSubject: =?x?q?\xff?=\r\n\r\n"],
)
def test_junk_is_a_mail_nobody_can_read(junk: bytes) -> None:
    assert read(junk).raw == junk
