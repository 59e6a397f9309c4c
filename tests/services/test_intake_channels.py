"""The doors of the channels on a real database: mails, forms, telephone events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from contracts.hearing import Hearing, hearing
from intake.app import service
from intake.calls.actions import miss_forgotten
from intake.calls.rules import RINGS_AT_MOST
from intake.channels.routes import LARGEST_MAIL
from shared.clock import clock, uuid7

REQUEST = {"customer": {"phone": "13800000000"}, "region": "east", "description": "空调不制冷"}


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


async def stored(desk: Hearing) -> tuple[int, ...]:
    """How much of everything there is, to see that nothing changed."""
    tables = ("request", "message", "source", "customer", "event_log", "call", "call_event", "set_aside")
    return tuple([await desk.admin.fetchval(f"SELECT count(*) FROM {table}") for table in tables])


def mail_of(*headers: str, text: str = "水泵漏水") -> bytes:
    written = ("From: Sample <sample@example.com>", "Content-Type: text/plain; charset=utf-8", *headers)
    return "\r\n".join((*written, "", text)).encode()


async def post_mail(
    desk: Hearing, raw: bytes, *, type: str = "message/rfc822", **where: str
) -> httpx.Response:
    client = desk.client("adapter", channel="email")
    return await client.post(
        "/intake/channels/email", content=raw, params=where, headers={"content-type": type}
    )


async def test_a_mail_is_one_request_per_mailbox_and_all_of_it_is_kept(desk: Hearing) -> None:
    raw = mail_of("Message-ID: <one@example.com>")
    ids = [(await post_mail(desk, raw, account=box)).json()["request_id"] for box in ("a", "a", "b")]
    assert ids[0] == ids[1] != ids[2]
    for id in ids[1:]:
        kept = await desk.admin.fetch(
            "SELECT body, text FROM message JOIN source ON message_id = id WHERE request_id = $1", id
        )
        assert [tuple(row) for row in kept] == [(raw, "水泵漏水")]
        assert [name for name, _, _ in await desk.told(UUID(id))] == ["request_registered"]


async def test_a_mail_five_times_at_once_is_one_request(desk: Hearing) -> None:
    raw = mail_of("Message-ID: <at-once@example.com>")
    answers = [each.json() for each in await asyncio.gather(*(post_mail(desk, raw) for _ in range(5)))]
    assert len({each["request_id"] for each in answers}) == 1
    assert sorted(each["fresh"] for each in answers) == [False] * 4 + [True]


async def test_what_a_telephone_system_says_five_times_at_once_happened_once(desk: Hearing) -> None:
    told = {"call_id": "at-once", "event": "missed", "region": "east", "request": None}
    client, key = desk.client("adapter", channel="phone"), {"idempotency-key": "call-at-once"}
    post = partial(client.post, "/intake/channels/phone", json=told, headers=key)
    answers = await asyncio.gather(*(post() for _ in range(5)))
    assert {each.status_code for each in answers} <= {202, 409}  # 409: the first is still being stored
    query = "SELECT count(*) FROM call_event JOIN call ON call.id = call_id WHERE external_id = 'at-once'"
    assert await desk.admin.fetchval(query) == 1


async def test_a_reply_joins_its_thread_once_and_opens_nothing(desk: Hearing) -> None:
    first = (await post_mail(desk, mail_of("Message-ID: <thread@example.com>"))).json()
    reply = mail_of("Message-ID: <reply@example.com>", "In-Reply-To: <thread@example.com>", text="还在漏")
    answers = [(await post_mail(desk, reply)).json() for _ in range(2)]
    further = mail_of(
        "Message-ID: <further@example.com>", "References: <x@y> <reply@example.com>", text="还在"
    )
    answers.append((await post_mail(desk, further)).json())
    assert answers == [{"request_id": first["request_id"], "fresh": False}] * 3
    said = await desk.admin.fetch(
        "SELECT text, body FROM message JOIN source ON message_id = id WHERE request_id = $1 ORDER BY id",
        first["request_id"],
    )
    assert [row["text"] for row in said] == ["水泵漏水", "还在漏", "还在"]
    assert said[1]["body"] == reply
    assert len(await desk.told(UUID(first["request_id"]))) == 1


async def test_a_reply_to_another_mailbox_joins_nothing_there(desk: Hearing) -> None:
    first = (await post_mail(desk, mail_of("Message-ID: <mine@example.com>"), account="a")).json()
    forged = mail_of("Message-ID: <theirs@example.com>", "In-Reply-To: <mine@example.com>")
    assert (await post_mail(desk, forged, account="b")).json()["request_id"] != first["request_id"]


async def test_an_automatic_reply_is_kept_and_opens_nothing(desk: Hearing) -> None:
    before = await stored(desk)
    raw = mail_of("Auto-Submitted: auto-replied", "Message-ID: <away@example.com>")
    for _ in range(2):
        answer = await post_mail(desk, raw)
        assert (answer.status_code, answer.json()) == (
            202,
            {"verdict": "set_aside", "reason": "auto_submitted"},
        )
    assert await stored(desk) == (*before[:-1], before[-1] + 1)


async def test_a_mail_with_photos_comes_in_and_a_larger_one_does_not(desk: Hearing) -> None:
    photo = mail_of("Message-ID: <photo@example.com>", text="x" * 75 + "\r\n") * 40_000  # about 6 MB
    assert (await post_mail(desk, photo)).status_code == 202
    before = await stored(desk)
    answer = await post_mail(desk, b"x" * (LARGEST_MAIL + 1))
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert await stored(desk) == before


@pytest.mark.parametrize(
    ("raw", "options", "status"),
    [
        (b"", {}, 422),
        (mail_of(), {"type": "application/json"}, 415),
        (mail_of(), {"type": ""}, 415),
        (mail_of(), {"region": "east; DROP"}, 422),
        (mail_of(), {"account": ""}, 422),
        (mail_of(), {"account": "a\0"}, 422),
        (mail_of(), {"occurred_at": "2026-11-20T09:00:00"}, 422),
        (mail_of(), {"occurred_at": "2001-01-01T00:00:00Z"}, 422),
    ],
)
async def test_a_mail_that_is_none_changes_nothing(
    desk: Hearing, raw: bytes, options: dict[str, str], status: int
) -> None:
    before = await stored(desk)
    answer = await post_mail(desk, raw, **options)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert await stored(desk) == before


@pytest.mark.parametrize(
    "raw",
    [b"\0\xff\r\n\r\n\0", b"junk", mail_of("Subject: a\0b\r\n\tc"), mail_of(f"Message-ID: <{'é' * 250}@x>")],
)
async def test_the_worst_mails_are_kept(desk: Hearing, raw: bytes) -> None:
    answer = await post_mail(desk, raw, account="界" * 254)
    assert answer.status_code == 202
    assert await desk.admin.fetchval("SELECT count(*) FROM source WHERE body = $1", raw) == 1


def pointers(answer: httpx.Response) -> list[tuple[str, str]]:
    return [(each["source"], each["pointer"]) for each in answer.json()["errors"]]


_LONG_AGO = {"occurred_at": "2001-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"description": " \n\u3000"}, "/description"),
        ({"latitude": 31.2}, "/longitude"),
        ({"longitude": 121.4}, "/longitude"),
        (_LONG_AGO, "/occurred_at"),
        ({"external_id": " "}, "/external_id"),
        ({"customer": {"phone": "none"}}, "/customer/phone"),
        ({"customer": {"email": "nobody", "phone": "13800000000"}}, "/customer/email"),
        ({"customer": {"external_id": " "}}, "/customer/external_id"),
        ({"customer": {"name": "Sample"}}, "/customer"),
    ],
    ids=str,
)
async def test_a_request_that_cannot_be_worked_with_says_where(
    desk: Hearing, wrong: dict[str, Any], pointer: str
) -> None:
    """R03: who, what, where and when are there and can be read, or the sender learns what is not."""
    before = await stored(desk)
    answer = await post_request(desk, wrong)
    assert answer.status_code == 422, answer.text
    assert pointers(answer) == [("body", pointer)]
    assert await stored(desk) == before


async def test_seconds_are_no_date_and_time(desk: Hearing) -> None:
    seconds = int(clock.now().timestamp())
    for sent in (seconds, float(seconds), str(seconds), True):
        answer = await post_request(desk, {"occurred_at": sent})
        assert (answer.status_code, pointers(answer)) == (422, [("body", "/occurred_at")])
    assert (await post_request(desk, {"occurred_at": clock.now().isoformat()})).status_code == 202


async def post_request(desk: Hearing, changes: dict[str, Any]) -> httpx.Response:
    headers = {"idempotency-key": str(uuid7())}
    return await desk.client("adapter").post("/intake/requests", json=REQUEST | changes, headers=headers)


@pytest.mark.parametrize(
    ("where", "pointer"),
    [
        ({"regoin": "east"}, "/regoin"),
        ({"account": " "}, "/account"),
        ({"occurred_at": "1763800000"}, "/occurred_at"),
        (_LONG_AGO, "/occurred_at"),
    ],
    ids=str,
)
async def test_what_an_adapter_tells_wrongly_of_a_mail_is_refused(
    desk: Hearing, where: dict[str, str], pointer: str
) -> None:
    before = await stored(desk)
    answer = await post_mail(desk, mail_of(), **where)
    assert (answer.status_code, pointers(answer)) == (422, [("query", pointer)])
    assert await stored(desk) == before


async def test_a_form_with_an_impossible_number_is_asked_again(desk: Hearing) -> None:
    filled = {"phone": "nobody", "region": "east", "city": "shanghai", "description": "漏水"}
    answer = await desk.client().post("/intake/form", data=filled, headers={"sec-fetch-site": "same-origin"})
    assert (answer.status_code, pointers(answer)) == (422, [("body", "/phone")])


async def test_the_description_tells_what_each_door_takes(desk: Hearing) -> None:
    """Who knows only /openapi.json can send a mail and a signed message."""
    description = (await desk.client().get("/openapi.json")).json()
    mail = description["paths"]["/intake/channels/email"]["post"]
    assert list(mail["requestBody"]["content"]) == ["message/rfc822"]
    queries = {each["name"] for each in mail["parameters"] if each["in"] == "query"}
    assert queries == {"account", "region", "city", "product_line", "occurred_at"}
    hook = description["paths"]["/intake/channels/webhook/{source}"]["post"]
    headers = {each["name"] for each in hook["parameters"] if each["in"] == "header" and each["required"]}
    assert headers == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    shape = hook["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert "description" in description["components"]["schemas"][shape.rpartition("/")[2]]["properties"]


async def call(
    desk: Hearing, id: str, event: str, client: httpx.AsyncClient | None = None, **more: Any
) -> httpx.Response:
    told = {"call_id": id, "event": event, "region": "east", **more}
    caller = client or desk.client("adapter", channel="phone")
    return await caller.post("/intake/channels/phone", json=told, headers={"idempotency-key": str(uuid7())})


async def times_of(desk: Hearing, call_id: str) -> dict[str, str]:
    rows = await desk.admin.fetch("SELECT body FROM event_log WHERE subject = $1 ORDER BY id", call_id)
    events = [json.loads(row["body"]) for row in rows]
    assert len({event["type"] for event in events}) == len(events)
    assert [int(event["sequence"]) for event in events] == list(range(1, len(events) + 1))
    return {event["type"].split(".")[1]: event["time"] for event in events}


async def test_each_event_of_a_call_is_told_once_as_of_when_it_happened(desk: Hearing) -> None:
    begin = clock.now().replace(microsecond=0) - timedelta(minutes=5)
    at = {
        event: (begin + timedelta(seconds=index * 30)).isoformat().replace("+00:00", "Z")
        for index, event in enumerate(("rang", "busy", "missed", "answered", "ended", "returned"))
    }
    for event in ("ended", "rang", "rang", "returned", "answered", "busy", "missed", "ended"):
        answer = await call(desk, "c1", event, occurred_at=at[event])
        assert answer.status_code == 202
    told = await times_of(desk, answer.json()["call_id"])
    assert told == {f"call_{event}": moment for event, moment in at.items()}  # R50, R51
    assert await desk.admin.fetchval("SELECT state FROM call WHERE external_id = 'c1'") == "returned"


async def test_an_agent_who_calls_back_speaks_of_the_same_call(desk: Hearing) -> None:
    missed = (await call(desk, "c2", "missed")).json()
    returned = (await call(desk, "c2", "returned", desk.client("care"), by=str(uuid7()))).json()
    assert returned["call_id"] == missed["call_id"]


async def test_a_call_becomes_one_request_and_what_is_told_later_says_which(desk: Hearing) -> None:
    await call(desk, "c3", "rang")
    noted = {"customer": {"phone": "13800000003"}, "description": "空调不制冷"}
    [one, two] = [(await call(desk, "c3", "answered", request=noted)).json() for _ in range(2)]
    ended = (await call(desk, "c3", "ended")).json()
    assert one["request_id"] == two["request_id"] == ended["request_id"]
    [(name, _, said)] = await desk.told(UUID(one["request_id"]))
    assert (name, said["channel"], said["call_id"]) == ("request_registered", "phone", one["call_id"])
    told = {name: said.get("request_id") for name, _, said in await desk.told(UUID(one["call_id"]))}
    assert told == {"call_rang": None, "call_answered": one["request_id"], "call_ended": one["request_id"]}


async def test_a_ring_without_any_end_is_missed_two_minutes_after_it_began(desk: Hearing) -> None:
    rang_at = clock.now().replace(microsecond=0)
    ids = [
        (await call(desk, id, "rang", occurred_at=rang_at.isoformat())).json()["call_id"]
        for id in ("c4", "c5")
    ]
    await call(desk, "c5", "answered", occurred_at=rang_at.isoformat())
    for seconds in (119, 300, 300):
        async with desk.database.transaction() as tx:
            await miss_forgotten(tx, rang_at + timedelta(seconds=seconds))
    told = await times_of(desk, ids[0])  # decision 19
    assert told["call_missed"] == (rang_at + RINGS_AT_MOST).isoformat().replace("+00:00", "Z")
    assert "call_missed" not in await times_of(desk, ids[1])


@pytest.mark.parametrize(
    "wrong",
    [
        {"event": "exploded"},
        {"call_id": ""},
        {"call_id": "x" * 201},
        {"call_id": " "},
        {"occurred_at": 1763800000},
        {"by": "me"},
        {"region": "东;区"},
        {"owner": "x"},
        {"occurred_at": "2001-01-01T00:00:00Z"},
        {"request": {"customer": {"phone": "none"}, "description": "x"}},
        {"request": {"customer": {"phone": "13800000000"}}},
    ],
    ids=str,
)
async def test_a_call_event_that_is_none_changes_nothing(desk: Hearing, wrong: dict[str, Any]) -> None:
    before = await stored(desk)
    answer = await call(
        desk, **({"id": wrong.pop("call_id", "c9"), "event": wrong.pop("event", "rang")} | wrong)
    )
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert await stored(desk) == before


async def test_a_call_event_told_again_is_not_fresh(desk: Hearing) -> None:
    client, told = desk.client("adapter", channel="phone"), {"call_id": "c10", "event": "rang"}
    answers = [
        await client.post("/intake/channels/phone", json=told, headers={"idempotency-key": key})
        for key in ("k1", "k1", "k2", "k1")
    ]
    assert [answer.status_code for answer in answers] == [202] * 4
    assert [answer.json()["fresh"] for answer in answers] == [True, False, False, False]
    assert len({answer.json()["call_id"] for answer in answers}) == 1
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert answers[1].headers["content-type"] == "application/json"
    other = {"call_id": "c10", "event": "ended"}
    reused = await client.post("/intake/channels/phone", json=other, headers={"idempotency-key": "k1"})
    assert (reused.status_code, reused.json()["type"]) == (422, "/problems/idempotency-key-reused")


async def test_the_telephone_needs_a_key_and_its_own_adapter(desk: Hearing) -> None:
    before = await stored(desk)
    told = {"call_id": "c9", "event": "rang"}
    client = desk.client("adapter", channel="phone")
    assert (await client.post("/intake/channels/phone", json=told)).status_code == 400
    assert (await call(desk, "c9", "rang", desk.client("adapter", channel="email"))).status_code == 403
    assert await stored(desk) == before


async def test_an_adapter_of_another_channel_brings_no_mail(desk: Hearing) -> None:
    before = await stored(desk)
    client = desk.client("adapter", channel="phone")
    headers = {"content-type": "message/rfc822"}
    answer = await client.post("/intake/channels/email", content=mail_of(), headers=headers)
    assert answer.status_code == 403
    assert await stored(desk) == before
