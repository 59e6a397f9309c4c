"""Mails as programs write them: quotes, files, reports, automatic answers; and who may join what (R01)."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from intake.channels.mail.arrival import Came, normalised
from intake.channels.mail.attachments import LONGEST_NAME, safe_name
from intake.channels.mail.parser import parse, skim
from intake.channels.mail.quoting import without_quotes
from intake.channels.mail.value import Undelivered
from intake.messages.threads import LASTS, read_token, thread_of, thread_token
from intake.requests.rules import Attachment
from shared.http.keys import Key

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


@pytest.mark.parametrize(
    "quote",
    [
        "在 2026年11月20日，09:00，客服 <desk@example.com> 写道：\n> 您好",
        "在 2026-11-20 09:00:00，\"客服\" <desk@example.com> 写道：\n您好",
        "客服 <desk@example.com> 于2026年11月20日周五 09:00写道：\n\n> 您好",
        "在 2026年11月20日 星期五 09:00，客服\n<desk@example.com> 写道:\n您好",
        "------------------ 原始邮件 ------------------\n发件人: \"客服\" <desk@example.com>;\n您好",
        "---- 回复的原邮件 ----\n| 发件人 | 客服 |\n| 日期 | 2026-11-20 |\n| 收件人 | 我 |\n您好",
        "发件人： 客服\n发送时间： 2026-11-20 09:00\n收件人： 我\n主题： 水泵\n您好",
        "*发件人:* 客服\n*发送时间:* 2026年11月20日\n*收件人:* 我\n*主题:* 水泵\n您好",
        "寄件者: 客服\n傳送時間: 2026年11月20日\n收件者: 我\n主旨: 水泵\n您好",
        "On Fri, Nov 20, 2026 at 9:00 AM Desk <desk@example.com> wrote:\n> hello",
        "On Fri, Nov 20, 2026 at 9:00 AM Desk\n<desk@example.com> wrote:\nhello",
        "At 2026-11-20 09:00:00, \"Desk\" <desk@example.com> wrote:\nhello",
        "-----Original Message-----\nFrom: Desk\nhello",
        "________________________________\nFrom: Desk <desk@example.com>\nSent: Friday\nTo: me\nhello",
        "From: Desk <desk@example.com>\nSent: Friday, November 20\nTo: me\nSubject: pump\n\nhello",
        "> hello\n> you",
        "发自我的iPhone",
        "发自我的 iPhone\n\n在 2026年11月20日，客服 <desk@example.com> 写道：\n您好",
        "Sent from my iPhone",
        "Get Outlook for iOS",
        "来自QQ邮箱手机版",
        "On Mon, Service wrote:",
        "On Mon, Service wrote:\n> hello\n> you",
        "On Monday, Service Desk\n<desk@example.com> wrote:\n\n> hello",
        "On Tue, The Desk wrote:\n> hello",
        "Service <desk@example.com> wrote:\n> hello",
        "周一，客服写道：",
        "在星期一，客服 <desk@example.com> 写道：\n> 您好",
        "客服 <desk@example.com> 写道：\n> 您好",
    ],
)  # fmt: skip
def test_what_is_quoted_is_not_what_was_written(quote: str) -> None:
    assert without_quotes(f"还在漏水\n电话 138\n\n{quote}") == "还在漏水\n电话 138"


@pytest.mark.parametrize(
    "text",
    [
        "在上海写道：水泵坏了。请来人。",
        "From: the pump to the valve it leaks",
        "他在2026年买的，坏了",
        "To: whom it may concern\nSubject: pump",
        "On Monday it broke.\nOn Tuesday too.",
        "See the picture.\nOn Monday, the display wrote:",
        "Nothing came of it.\nOn Monday, I wrote:",
        "On Mon, Service wrote: call us.\nI did.",
        "On Mon, Service wrote:\ncall us. I did, and it still leaks.",
        "Here is what your colleague wrote:",
        "水泵坏了。\n周一，我写道：",
        "周一，客服写道：请等。\n我等了三天。",
        "水泵坏了\n周一客服来过",
    ],
)
def test_what_only_looks_like_a_quote_stays(text: str) -> None:
    assert without_quotes(text) == text


def test_an_answer_below_the_quote_is_found_and_a_mail_of_quotes_only_is_kept() -> None:
    below = "On Fri, Nov 20, 2026 Desk <d@example.com> wrote:\n> does it leak?\n\nyes, it does"
    assert without_quotes(below) == "yes, it does"
    assert without_quotes("> does it leak?") == "> does it leak?"


def test_what_is_passed_on_is_read() -> None:
    passed = "请处理\n\n---------- 原始邮件 ----------\n发件人: 客户\n日期: 今天\n收件人: 我\n水泵漏水"
    mail = f"Subject: 转发: 水泵\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{passed}".encode()
    assert "水泵漏水" in parse(mail).text


@pytest.mark.parametrize(
    ("written", "safe"),
    [
        ("photo.png", "photo.png"),
        ("故障照片.jpg", "故障照片.jpg"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("a.php\u200b", "a.php"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("gpj.\u202eexe", "gpj.exe"),
        ("a\r\nSet-Cookie: x", "aSet-Cookie_ x"),
        ("...", ""),
        ("", ""),
        ('a"b<c>|?.txt', "a_b_c___.txt"),
        ("x" * 300 + ".pdf", "x" * (LONGEST_NAME - 4) + ".pdf"),
    ],
)
def test_a_name_fools_no_file_system_and_no_eye(written: str, safe: str) -> None:
    assert safe_name(written) == safe


def test_a_long_chinese_name_keeps_its_ending_within_its_bytes() -> None:
    name = safe_name("照" * 200 + ".png")
    assert name.endswith(".png")
    assert len(name.encode()) <= LONGEST_NAME


def part(headers: str, body: bytes, encoded: bool = True) -> bytes:
    coding = "\r\nContent-Transfer-Encoding: base64" if encoded else ""
    return f"--b\r\n{headers}{coding}\r\n\r\n".encode() + (b64encode(body) if encoded else body) + b"\r\n"


def mixed(*parts: bytes, head: str = "Subject: 水泵") -> bytes:
    begin = f'{head}\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'.encode()
    text = part("Content-Type: text/plain; charset=gb2312", "漏水，见照片".encode("gb18030"))
    return begin + text + b"".join(parts) + b"--b--\r\n"


def files(mail: bytes) -> tuple[Attachment, ...]:
    return normalised(parse(mail), mail, Came("support", AT)).attachments


def test_files_come_with_the_text_and_are_what_their_bytes_say() -> None:
    mail = mixed(
        part("Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename*=gb2312''"
             "%D5%D5%C6%AC.png", PNG),
        part("Content-Type: image/png; name=\"=?gb2312?B?1dXGrC5wbmc=?=\"\r\nContent-ID: <1@x>", PNG),
        part("Content-Type: image/png; name=invoice.png", b"<svg xmlns='x'><script>alert(1)</script></svg>"),
        part("Content-Type: image/jpeg; name=page.jpg", b" <!DOCTYPE html><script>"),
        part("Content-Type: application/zip; name=../../x.zip", b"PK\x03\x04" + bytes(20)),
        part("Content-Type: application/x; name=empty", b""),
        part("Content-Type: not a type; name=odd.bin", b"odd", encoded=False),
    )  # fmt: skip
    assert parse(mail).text == "漏水，见照片"
    assert [(each.name, each.content_type, each.inline) for each in files(mail)] == [
        ("照片.png", "image/png", False),
        ("照片.png", "image/png", True),
        ("invoice.png", "image/svg+xml", False),
        ("page.jpg", "text/html", False),
        ("x.zip", "application/zip", False),
        ("empty.bin", "application/x", False),
        ("odd.bin", "text/plain", False),
    ]
    assert [each.content for each in files(mail)][:2] == [PNG, PNG]
    assert [len(each.content) for each in files(mail)][-2:] == [0, 3]


def test_a_nested_mail_and_winmail_dat_are_files() -> None:
    nested = b"Subject: =?utf-8?b?5rC05rO1?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nx"
    tnef = b"\x78\x9f\x3e\x22" + bytes(10)
    mail = mixed(
        b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + nested + b"\r\n",
        part("Content-Type: application/ms-tnef; name=winmail.dat", tnef),
    )
    assert [(each.name, each.content_type) for each in files(mail)] == [
        ("水泵.eml", "message/rfc822"),
        ("winmail.dat", "application/ms-tnef"),
    ]
    assert files(mail)[0].content == nested


def test_base64_that_is_cut_off_or_none_is_kept_as_far_as_it_goes() -> None:
    for cut in (b"aGVsbG8gd29ybG", b"aGVsbG8gd29yb", b"aGVsbG8gd29y\r\n=="):
        mail = mixed(b"--b\r\nContent-Type: x/y; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\n" + cut)
        assert files(mail)[0].content.startswith(b"hello wo")


def test_an_invitation_says_what_when_and_where() -> None:
    calendar = (
        "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VTIMEZONE\r\nDTSTART:19700101T000000\r\nEND:VTIMEZONE\r\n"
        "BEGIN:VEVENT\r\nSUMMARY:现场\r\n 维修\r\nDTSTART;TZID=Asia/Shanghai:20261120T090000\r\n"
        "DTEND:20261120T020000Z\r\nLOCATION:Hall 2\\, east\r\nEND:VEVENT\r\nEND:VCALENDAR"
    )
    begin = b'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
    mail = begin + part("Content-Type: text/calendar; charset=utf-8; method=REQUEST", calendar.encode())
    assert parse(mail + b"--b--").text == (
        "REQUEST: 现场维修 · 2026-11-20 09:00 Asia/Shanghai – 2026-11-20 02:00 UTC · Hall 2, east"
    )
    assert [each.name for each in files(mail)] == ["invite.ics"]


REPORT = (
    "From: postmaster@example.com\r\nSubject: Undelivered\r\n"
    'Content-Type: multipart/report; report-type={kind}; boundary="b"\r\n\r\n'
    "--b\r\n\r\nIt could not be delivered.\r\n"
    "--b\r\nContent-Type: message/{kind}\r\n\r\nReporting-MTA: dns; mx.example.com\r\n\r\n"
    "Final-Recipient: rfc822; nobody@example.com\r\nAction: {action}\r\nStatus: {status}\r\n\r\n"
    "--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <ours@example.com>\r\nSubject: Re\r\n\r\n"
    "--b--\r\n"
)


def test_a_bounce_names_whom_why_and_which_mail() -> None:
    failed = parse(REPORT.format(kind="delivery-status", action="failed", status="5.1.1").encode())
    assert failed.automatic == "bounce"
    assert failed.undelivered == Undelivered(("<ours@example.com>",), "nobody@example.com", "5.1.1")
    delayed = parse(REPORT.format(kind="delivery-status", action="delayed", status="4.4.1").encode())
    assert (delayed.automatic, delayed.undelivered) == ("bounce", None)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Precedence: auto_reply", "auto_reply"),
        ("Precedence: bulk", "bulk"),
        ("Precedence: junk", "bulk"),
        ("X-Autorespond: 1", "auto_reply"),
        ("X-Auto-Response-Suppress: All\r\nSubject: Automatic reply: pump", "auto_reply"),
        ("X-Auto-Response-Suppress: All\r\nSubject: =?gb2312?B?19S2r7vYuLQ6IMuusc0=?=", "auto_reply"),
        ("X-Auto-Response-Suppress: All\r\nSubject: pump", None),
        ("Subject: Out of office tomorrow, pump leaks", None),
        ("List-Id: <users.example.com>", None),
        ("List-Id: <users.example.com>\r\nPrecedence: bulk", None),
        ("X-Aftercare-Loop: desk.example.com", "loop"),
        ("X-Aftercare-Loop: other.example.com", None),
        ("Message-ID: <01a20273-7507-7fce-927d-0a465d28c401@desk.example.com>", "loop"),
        ("Message-ID: <01a20273-7507-7fce-927d-0a465d28c401.2@desk.example.com>", "loop"),
        ("Message-ID: <person.1@desk.example.com>", None),
    ],
)
def test_programs_say_so_and_people_may_look_like_them(header: str, reason: str | None) -> None:
    assert parse(f"{header}\r\n\r\nit leaks".encode(), "desk.example.com").automatic == reason


def test_a_complaint_about_our_mail_is_a_report() -> None:
    found = parse(REPORT.format(kind="feedback-report", action="", status="").encode())
    assert (found.automatic, found.undelivered) == ("abuse_report", None)


def test_a_mail_nobody_could_read_is_its_own_attachment() -> None:
    raw = b"Subject: =?utf-8?b?5rC05rO1?=\r\nFrom: a@b.example\r\nMessage-ID: <1@x>\r\n\r\nwhatever"
    found = normalised(skim(raw), raw, Came("support", AT))
    assert (found.title, found.external_id, found.text) == ("水泵", "<1@x>", "")
    assert found.attachments == (Attachment("mail.eml", "message/rfc822", raw),)


KEY, OTHER = Key("k", b"k" * 32), Key("o", b"o" * 32)
REQUEST = UUID("01a20273-7507-7fce-927d-0a465d28c401")


def test_a_token_names_its_request_until_it_is_over() -> None:
    token = thread_token(REQUEST, KEY, AT)
    assert len(token) == 48
    assert read_token(token.upper(), [OTHER, KEY], AT) == REQUEST
    assert read_token(token, [KEY], AT + LASTS) is None
    assert thread_of(["a@b.example", f"support+{token}@b.example"], [KEY], AT) == REQUEST


def test_a_token_cannot_be_made_or_changed_by_others() -> None:
    token = thread_token(REQUEST, KEY, AT)
    assert read_token(token, [OTHER], AT) is None
    for at in range(48):
        changed = token[:at] + ("b" if token[at] == "a" else "a") + token[at + 1 :]
        assert read_token(changed, [KEY], AT) is None
    longer = thread_token(REQUEST, KEY, AT, timedelta(days=9999))
    assert read_token(longer[:31] + token[31:], [KEY], AT) is None
    for junk in ("", "a" * 48, "é" * 48, token + "a", token[:-1]):
        assert read_token(junk, [KEY], AT) is None
