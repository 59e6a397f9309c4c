"""Mails by SMTP, LMTP and IMAP: each once for each account, stored when it is said so, lost never (R01)."""

from __future__ import annotations

import asyncio
import imaplib
import re
import smtplib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from email.message import EmailMessage
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from contracts.hearing import Hearing, hearing
from contracts.imap import Inbox, imap_server
from contracts.posting import later
from contracts.sending import ways
from intake.app import service
from intake.channels.mail import listener
from intake.channels.mail.imap import fetch_new, mailbox_of
from intake.channels.mail.listener import account_of, listen
from intake.sending.acknowledgements import acknowledge
from shared.context import ServiceContext
from shared.errors import Outage

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


@asynccontextmanager
async def listening(desk: Hearing, **settings: Any) -> AsyncIterator[int]:
    context = desk.served.context
    changed = context.settings.model_copy(update={"mail_port": 0, **settings})
    server = await listen(ServiceContext(context.name, context.database, changed))
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def talk(port: int, say: Callable[[Any], Any], kind: type[smtplib.SMTP] = smtplib.SMTP) -> Any:
    """What a real client says, in a thread."""

    def spoken() -> Any:
        with kind("127.0.0.1", port, timeout=20) as client:
            return say(client)

    return await asyncio.to_thread(spoken)


def chinese_mail(id: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "张三 <zhang@example.com>"
    mail["To"] = "support@desk.example"
    mail["Subject"] = "水泵漏水，请来人"
    mail["Message-ID"] = f"<{id}@example.com>"
    mail.set_content("水泵漏水，见照片。", charset="gb18030")
    mail.add_attachment(PNG, maintype="image", subtype="png", filename="故障照片.png")
    return mail


async def kept(desk: Hearing, id: str) -> list[tuple[str, str, str]]:
    rows = await desk.admin.fetch(
        "SELECT account, title, text FROM request JOIN message ON request_id = request.id"
        " WHERE request.external_id = $1 ORDER BY account",
        f"<{id}@example.com>",
    )
    return [tuple(row) for row in rows]


async def test_a_real_client_brings_a_chinese_mail_with_a_photo_once(desk: Hearing) -> None:
    async with listening(desk) as port:
        for _ in range(2):
            assert await talk(port, partial(smtplib.SMTP.send_message, msg=chinese_mail("smtp"))) == {}
    assert await kept(desk, "smtp") == [("support", "水泵漏水，请来人", "水泵漏水，见照片。")]
    [row] = await desk.admin.fetch("SELECT name, content_type, content FROM attachment")
    assert tuple(row) == ("故障照片.png", "image/png", PNG)


async def test_by_smtp_from_the_customer_to_the_desk_and_back_in_one_conversation(desk: Hearing) -> None:
    """R01, R04: what a customer's mail program sends and gets, with nothing of ours in between."""
    async with ways(desk) as way, listening(desk) as port:
        box = await way.mail()
        await talk(port, partial(smtplib.SMTP.send_message, msg=chinese_mail("first")))
        request = await desk.admin.fetchval("SELECT id FROM request")
        browser = await desk.served.signed_in("care")
        page = (await browser.get(f"/intake/desk/{request}")).text
        assert all(
            each in page for each in ("水泵漏水，请来人", "水泵漏水，见照片。", "故障照片.png", "张三")
        )
        later(timedelta(seconds=31))  # what we send by ourselves stands in the thread, and is not answered
        await desk.database.transact(lambda tx: acknowledge(tx, way.lanes.ways))
        await way.deliver()
        await way.answered(request, "明天上午到。")
        await way.deliver()
        greeting, answer = box.got
        assert (answer["To"], answer["Subject"]) == ("zhang@example.com", "Re: 水泵漏水，请来人")
        assert answer.get_content().strip() == "明天上午到。"
        assert answer["In-Reply-To"] == "<first@example.com>"
        assert answer["References"].split() == ["<first@example.com>", greeting["Message-ID"]]
        assert re.fullmatch(r"service\+[a-z2-7]{48}@aftercare\.example", answer["Reply-To"])
        back = chinese_mail("second")
        del back["To"], back["From"]
        back["To"], back["From"] = answer["Reply-To"], "同事 <colleague@example.com>"
        await talk(port, partial(smtplib.SMTP.send_message, msg=back))
        await way.answered(request, "明天见。")
        await way.deliver()
        assert box.got[-1]["To"] == "zhang@example.com"  # not to whoever wrote last
    said = "SELECT request_id FROM message WHERE external_id = '<second@example.com>'"
    assert await desk.admin.fetchval(said) == request


async def test_a_mail_to_two_departments_is_two_requests(desk: Hearing) -> None:
    to = ["Sales+x@desk.example", "support@desk.example", "support+y@desk.example"]
    async with listening(desk) as port:
        await talk(port, partial(smtplib.SMTP.send_message, msg=chinese_mail("two"), to_addrs=to))
    assert [account for account, _, _ in await kept(desk, "two")] == ["sales", "support"]


async def test_by_lmtp_each_recipient_has_an_answer(desk: Hearing) -> None:
    async with listening(desk, mail_protocol="lmtp") as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        to = b"".join(b"RCPT TO:<%s@desk.example>\r\n" % each for each in (b"a", b"b"))
        writer.write(b"LHLO x\r\nMAIL FROM:<x@example.com>\r\n" + to + b"DATA\r\n")
        await reader.readuntil(b"354")
        writer.write(b"Message-ID: <lmtp@example.com>\r\n\r\nleaks\r\n.\r\nQUIT\r\n")
        said = (await reader.read(-1)).decode()
        writer.close()
    assert said.count(listener.STORED) == 2
    assert [account for account, _, _ in await kept(desk, "lmtp")] == ["a", "b"]


async def test_what_cannot_be_stored_stays_with_the_mail_server(
    desk: Hearing, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> None:
        raise Outage(what="PostgreSQL")

    async with listening(desk) as port:
        with monkeypatch.context() as patched:
            patched.setattr(listener, "take", away)
            with pytest.raises(smtplib.SMTPDataError) as refused:
                await talk(port, partial(smtplib.SMTP.send_message, msg=chinese_mail("later")))
        assert refused.value.smtp_code == 451
        assert await kept(desk, "later") == []
        await talk(port, partial(smtplib.SMTP.send_message, msg=chinese_mail("later")))
    assert len(await kept(desk, "later")) == 1


async def test_foreign_domains_and_giants_are_refused(desk: Hearing) -> None:
    def send(to: str, raw: bytes) -> Callable[[Any], Any]:
        return partial(smtplib.SMTP.sendmail, from_addr="a@b.example", to_addrs=to, msg=raw)

    giant = send("x@desk.example", b"x" * (26 * 1024 * 1024))
    async with listening(desk, mail_domains="desk.example, other.example") as port:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await talk(port, send("x@foreign.example", b""))
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:  # SIZE is said before a byte is sent
            await talk(port, giant)
    assert refused.value.smtp_code == 552


async def test_a_mail_without_a_sender_is_a_bounce(desk: Hearing) -> None:
    bounce = b"Message-ID: <bounced@example.com>\r\nSubject: returned\r\n\r\nx"
    send = partial(smtplib.SMTP.sendmail, from_addr="", to_addrs="x@desk.example", msg=bounce)
    async with listening(desk) as port:
        await talk(port, send)
    aside = "SELECT reason FROM set_aside WHERE external_id = '<bounced@example.com>'"
    assert await desk.admin.fetchval(aside) == "bounce"


def test_the_account_is_what_stands_before_plus_and_at() -> None:
    told = ["Support@x.example", "support+TOKEN@x.example", '"a b"@x.example', "@x.example", "nobody"]
    assert [account_of(each) for each in told] == ["support", "support", "a b", "default", "default"]


@pytest_asyncio.fixture
async def inbox() -> AsyncIterator[Inbox]:
    async with imap_server() as server:
        yield server


async def fetched(desk: Hearing, inbox: Inbox, options: str = "") -> int:
    url = f"imap://desk%40example.com:secret@127.0.0.1:{inbox.port}/INBOX?account=imap{options}"
    return await fetch_new(desk.served.context, mailbox_of(url))


def plain(id: str) -> bytes:
    return f"From: a@example.com\r\nMessage-ID: <{id}@example.com>\r\nSubject: pump\r\n\r\nleaks".encode()


async def test_a_mailbox_is_taken_once_and_marked_after_the_commit(desk: Hearing, inbox: Inbox) -> None:
    inbox.seen.add(inbox.add(plain("read-by-somebody-before")))
    uids = {inbox.add(plain("imap-1")), inbox.add(chinese_mail("imap-2").as_bytes())}
    assert [await fetched(desk, inbox) for _ in range(2)] == [2, 0]
    assert inbox.seen >= uids
    inbox.seen.add(inbox.add(plain("imap-3")))  # somebody looked at it in the meantime
    assert await fetched(desk, inbox) == 1
    for id in ("imap-1", "imap-2", "imap-3"):
        assert [account for account, _, _ in await kept(desk, id)] == ["imap"]
    assert await kept(desk, "read-by-somebody-before") == []


@pytest.mark.parametrize("command", ["LOGIN", "SELECT", "SEARCH", "FETCH", "STORE"])
async def test_a_connection_that_is_lost_loses_and_doubles_nothing(
    desk: Hearing, inbox: Inbox, command: str
) -> None:
    inbox.add(plain(f"cut-{command}"))
    inbox.cut_before = command
    with pytest.raises((OSError, imaplib.IMAP4.error)):
        await fetched(desk, inbox)
    assert inbox.seen == set()
    assert await fetched(desk, inbox) == 1
    assert len(await kept(desk, f"cut-{command}")) == 1
    assert inbox.seen == {1}


async def test_a_mailbox_that_is_numbered_anew_doubles_nothing(desk: Hearing, inbox: Inbox) -> None:
    inbox.add(plain("numbered"))
    await fetched(desk, inbox)
    inbox.uidvalidity, inbox.seen = 8, set()
    assert await fetched(desk, inbox) == 1
    assert len(await kept(desk, "numbered")) == 1


async def test_what_is_taken_can_be_moved_away(desk: Hearing, inbox: Inbox) -> None:
    uid = inbox.add(plain("moved"))
    assert await fetched(desk, inbox, "&move=Done") == 1
    assert (list(inbox.mails), list(inbox.moved)) == ([], [uid])


async def test_a_commit_that_fails_leaves_the_mail_unseen(
    desk: Hearing, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> None:
        raise Outage(what="PostgreSQL")

    inbox.add(plain("unseen"))
    with monkeypatch.context() as patched:
        patched.setattr("intake.channels.mail.imap.take", away)
        with pytest.raises(Outage):
            await fetched(desk, inbox)
    assert inbox.seen == set()
    assert await fetched(desk, inbox) == 1


@pytest.mark.parametrize("url", ["imaps://host/INBOX", "http://a:b@host", "imaps://a:@host", "imap://a:b@"])
def test_what_is_no_mailbox_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not like"):
        mailbox_of(url)
