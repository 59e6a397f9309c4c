"""Mails on a real database: their files, who may join which request, and mails of ours that came back."""

from __future__ import annotations

import html
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest_asyncio

from contracts.hearing import Hearing, hearing
from intake.app import service
from intake.messages import threads
from intake.progress.links import path_of
from shared.clock import clock, uuid7
from shared.http.keys import keys_for

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


def mail_of(id: str, *headers: str, sender: str = "sample@example.com", text: str = "水泵漏水") -> bytes:
    head = (f"From: {sender}", f"Message-ID: <{id}@example.com>", *headers)
    return "\r\n".join((*head, "Content-Type: text/plain; charset=utf-8", "", text)).encode()


async def post(desk: Hearing, raw: bytes) -> httpx.Response:
    client = desk.client("adapter", channel="email")
    answer = await client.post(
        "/intake/channels/email", content=raw, headers={"content-type": "message/rfc822"}
    )
    assert answer.status_code == 202, answer.text
    return answer


def with_file(id: str, name: str, content: bytes, kind: str = "image/png") -> bytes:
    return (
        f"From: files@example.com\r\nMessage-ID: <{id}@example.com>\r\nSubject: files\r\n"
        'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nsee the photo\r\n'
        f'--b\r\nContent-Type: {kind}; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    ).encode() + b64encode(content)


async def test_a_file_is_kept_shown_by_name_and_saved_under_it(desk: Hearing) -> None:
    request = (await post(desk, with_file("file", "../故障.png", PNG))).json()["request_id"]
    page = await desk.client("care").get(f"/intake/desk/{request}")
    [id] = [
        row["id"]
        for row in await desk.admin.fetch(
            "SELECT attachment.id FROM attachment JOIN message ON message.id = message_id"
            " WHERE request_id = $1",
            request,
        )
    ]
    assert f'<a href="/intake/attachments/{id}" download>故障.png</a>' in page.text
    elsewhere = desk.client("care", regions=frozenset({"north"}))
    assert (await elsewhere.get(f"/intake/attachments/{id}")).status_code == 404
    looked = await desk.admin.fetchval("SELECT count(*) FROM audit WHERE action = 'customer_read'")
    file = await desk.client("care").get(f"/intake/attachments/{id}")
    assert (file.status_code, file.content) == (200, PNG)
    assert file.headers["content-type"] == "image/png"
    assert file.headers["x-content-type-options"] == "nosniff"
    assert file.headers["content-disposition"].startswith('attachment; filename="__.png"; filename*=UTF-8')
    assert await desk.admin.fetchval("SELECT count(*) FROM audit WHERE action = 'customer_read'") > looked


async def test_what_could_run_in_a_browser_is_only_bytes(desk: Hearing) -> None:
    await post(desk, with_file("svg", 'x".svg', b"<svg onload='alert(1)'></svg>", "image/svg+xml"))
    id = await desk.admin.fetchval("SELECT id FROM attachment WHERE content_type = 'image/svg+xml'")
    file = await desk.client("care").get(f"/intake/attachments/{id}")
    assert file.headers["content-type"] == "application/octet-stream"
    assert "script-src 'self'" in file.headers["content-security-policy"]
    assert file.headers["content-disposition"].startswith("attachment;")


async def test_a_file_that_is_not_there_is_not_found(desk: Hearing) -> None:
    answer = await desk.client("care").get(f"/intake/attachments/{uuid7()}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_a_reply_brings_its_files_into_the_conversation_once(desk: Hearing) -> None:
    first = (await post(desk, mail_of("start", sender="files@example.com"))).json()
    reply = with_file("reply", "a.png", PNG).replace(b"Subject: files", b"In-Reply-To: <start@example.com>")
    for _ in range(2):
        assert (await post(desk, reply)).json() == {"request_id": first["request_id"], "fresh": False}
    kept = await desk.admin.fetch(
        "SELECT name FROM attachment JOIN message ON message.id = message_id WHERE request_id = $1",
        first["request_id"],
    )
    assert [row["name"] for row in kept] == ["a.png"]


async def test_naming_a_conversation_does_not_let_a_stranger_in(desk: Hearing) -> None:
    """S14: References prove nothing; what a stranger names is a suggestion to the desk."""
    theirs = (await post(desk, mail_of("theirs"))).json()["request_id"]
    forged = mail_of("forged", "In-Reply-To: <theirs@example.com>", sender="stranger@example.com")
    answer = (await post(desk, forged)).json()
    assert answer["fresh"]
    assert answer["request_id"] != theirs
    said = "SELECT count(*) FROM message WHERE request_id = $1"
    assert await desk.admin.fetchval(said, theirs) == 1
    page = await desk.client("care").get(f"/intake/desk/{answer['request_id']}")
    assert f'href="/intake/desk/{theirs}"' in page.text
    # Their own replies go on in their own request, even where they name both.
    more = mail_of(
        "more", "References: <theirs@example.com> <forged@example.com>", sender="stranger@example.com"
    )
    assert (await post(desk, more)).json() == {"request_id": answer["request_id"], "fresh": False}


async def test_a_signed_address_lets_a_colleague_in_and_a_forged_one_does_not(desk: Hearing) -> None:
    theirs = (await post(desk, mail_of("signed"))).json()["request_id"]
    key = keys_for(threads.PURPOSE, desk.served.settings)[0]
    token = threads.thread_token(UUID(theirs), key, clock.now())
    address = f"Desk <support+{token.upper()}@desk.example>"
    joined = mail_of("colleague", f"To: {address}", sender="colleague@example.com")
    assert (await post(desk, joined)).json() == {"request_id": theirs, "fresh": False}
    other = ("b" if token[0] == "a" else "a") + token[1:]
    for number, wrong in enumerate((other, threads.thread_token(uuid7(), key, clock.now()))):
        forged = mail_of(f"wrong{number}", f"To: support+{wrong}@desk.example", sender="x@example.com")
        assert (await post(desk, forged)).json()["fresh"]


async def test_a_colleagues_words_are_never_shown_as_the_customers(desk: Hearing) -> None:
    """R27: the desk reads who wrote; on the customer's page it is somebody else, and not who."""
    own = mail_of(
        "owner", "Subject: pump", sender="=?utf-8?b?6Z+p5qKF5qKF?= <Han@Example.com>", text="mine 1"
    )
    theirs = (await post(desk, own)).json()["request_id"]
    key = keys_for(threads.PURPOSE, desk.served.settings)[0]
    signed = f"To: Desk <service+{threads.thread_token(UUID(theirs), key, clock.now())}@desk.example>"
    for number, sender in enumerate(("Colleague Li <Colleague@example.cn>", "han@example.com")):
        joined = mail_of(f"joined{number}", signed, sender=sender, text=f"more {number}")
        assert (await post(desk, joined)).json() == {"request_id": theirs, "fresh": False}
    kept = await desk.admin.fetch(
        "SELECT address, sender_name FROM message WHERE request_id = $1 AND direction = 'in' ORDER BY id",
        theirs,
    )
    assert [tuple(row) for row in kept] == [
        ("Han@Example.com", "韩梅梅"),
        ("Colleague@example.cn", "Colleague Li"),
        ("han@example.com", "han@example.com"),
    ]
    agent, path = desk.client("care"), path_of(UUID(theirs), desk.served.settings)
    for language, mark, you, another in (
        ("en", "not the customer's address", "You", "Another address"),
        ("zh-CN", "不是客户的地址", "您", "其他地址"),
    ):
        heads = {"accept-language": language, "accept": "text/html"}
        shown = said_in((await agent.get(f"/intake/desk/{theirs}", headers=heads)).text)
        assert [("韩梅梅" in head, mark in head) for head in shown] == [
            (True, False), (False, True), (True, False),
        ]  # fmt: skip
        assert "Colleague Li <Colleague@example.cn>" in shown[1]
        page = (await desk.served.client().get(path, headers=heads)).text
        names = [re.findall(r"<strong>(.*?)</strong>", head)[0] for head in said_in(page)]
        assert names == [you, another, you]
        assert "olleague" not in page


def said_in(page: str) -> list[str]:
    """The head of each message that came in, in order."""
    heads = re.findall(r'<li class="said in".*?<header>(.*?)</header>', page, re.DOTALL)
    return [html.unescape(each) for each in heads]


async def test_the_number_of_statements_does_not_grow_with_what_a_mail_names(desk: Hearing) -> None:
    await post(desk, mail_of("warm"))
    counts = []
    for number in (1, 20):
        ids = " ".join(f"<{each}-{number}@example.com>" for each in range(number))
        with desk.statements() as sent:
            await post(desk, mail_of(f"names{number}", f"References: {ids}"))
        counts.append(len(sent))
    assert counts[0] == counts[1]


async def test_a_mail_of_ours_that_came_back_is_told(desk: Hearing) -> None:
    request = UUID((await post(desk, mail_of("asked"))).json()["request_id"])
    await desk.admin.execute(
        "INSERT INTO message (id, request_id, direction, channel, external_id, author, text, state)"
        " VALUES ($1, $2, 'out', 'email', '<ours@desk.example>', 'x', 'hello', 'sent')",
        uuid7(),
        request,
    )
    for number, returned in enumerate(("<ours@desk.example>", "<asked@example.com>")):
        report = (
            f"From: postmaster@example.com\r\nMessage-ID: <report{number}@example.com>\r\n"
            'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
            "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.com\r\n\r\n"
            "Final-Recipient: rfc822; nobody@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
            f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {returned}\r\n\r\n--b--\r\n"
        ).encode()
        for _ in range(2):
            assert (await post(desk, report)).json() == {"verdict": "set_aside", "reason": "bounce"}
    told = await desk.admin.fetch("SELECT external_id, state, detail FROM delivery_told")
    assert [tuple(row) for row in told] == [("<ours@desk.example>", "failed", "5.1.1 nobody@example.com")]
