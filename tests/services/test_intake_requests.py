"""Requests by HTTP on a real database: once each, many at a time, one bad row alone, judged and answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from contracts.hearing import Hearing, hearing, told_event
from intake.app import service
from intake.channels.input import NewRequest
from intake.channels.routes import normalise
from intake.messages import store as messages
from intake.requests import actions
from intake.requests.loops import watch_for_tickets
from intake.requests.rules import HOUSE_FORM, Normalised
from intake.requests.writer import HEAVIEST_GROUP, LARGEST_GROUP, Waiting, size_of_group
from shared.clock import clock, uuid7
from shared.events import dispatch, feedback
from shared.events.terms import Site

AGENT = "01a20273-7507-7fce-927d-0a465d28c401"


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


def new_request(**changes: Any) -> dict[str, Any]:
    return {
        "customer": {"name": "样例客户", "phone": "010-12345678"},
        "region": "east",
        "city": "shanghai",
        "description": "水泵坏了，漏水",
    } | changes


async def post(
    desk: Hearing, key: str | None = None, client: httpx.AsyncClient | None = None, **changes: Any
) -> Any:
    caller = client or desk.client("adapter")
    headers = {"idempotency-key": key or str(uuid7())}
    return await caller.post("/intake/requests", json=new_request(**changes), headers=headers)


async def registered(desk: Hearing, **changes: Any) -> UUID:
    answer = await post(desk, **changes)
    assert answer.status_code == 202, answer.text
    return UUID(answer.json()["request_id"])


async def stored(desk: Hearing) -> tuple[int, ...]:
    """How much of everything there is, to see that nothing changed."""
    tables = ("request", "message", "source", "customer", "event_log", "idempotency", "call", "set_aside")
    return tuple([await desk.admin.fetchval(f"SELECT count(*) FROM {table}") for table in tables])


async def test_a_request_is_registered_judged_and_told(desk: Hearing) -> None:
    id = await registered(desk, customer={"phone": "13800000001"}, latitude=31.23456, longitude=121.98765)
    [(name, version, said)] = await desk.told(id)
    assert (name, version) == ("request_registered", 1)
    assert (said["kind"], said["severity"], said["channel"]) == ("fault", "important", "web_form")
    assert {each["rule"] for each in said["reasons"]} == {"leak", "does_not_work", "hydraulics", "pump"}
    assert (said["site"]["latitude"], said["site"]["longitude"]) == (31.23, 121.99)


async def test_events_carry_no_contact_data(desk: Hearing) -> None:
    id = await registered(
        desk,
        customer={"name": "Canary Person", "phone": "13912345678", "email": "canary@example.com"},
        title="回电 13912345678 或 canary@example.com",
        description="Canary Person, 13912345678, 漏水",
    )
    body = await desk.admin.fetchval("SELECT body FROM event_log WHERE subject = $1", str(id))
    assert not [canary for canary in ("13912345678", "canary@", "Canary") if canary in body]
    assert (await desk.told(id))[0][2]["title"] == "回电 [phone] 或 [mail]"


async def test_fifty_posts_with_one_key_at_once_are_one_request(desk: Hearing) -> None:
    client = desk.client("adapter")
    answers = await asyncio.gather(*(post(desk, "one-key", client) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    [id] = {answer.json()["request_id"] for answer in answers}
    assert sum(answer.json()["fresh"] for answer in answers) == 1
    assert len(await desk.told(UUID(id))) == 1


async def test_a_key_used_for_another_body_is_refused_alone(desk: Hearing) -> None:
    client = desk.client("adapter")
    first = await post(desk, "used", client)
    before = await stored(desk)
    again, other = await asyncio.gather(post(desk, "used", client), post(desk, "used", client, city="suzhou"))
    assert again.json()["request_id"] == first.json()["request_id"]
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert await stored(desk) == before


async def test_another_adapter_may_use_the_same_key(desk: Hearing) -> None:
    one, two = [
        await post(desk, "shared", desk.client("adapter", id=name)) for name in ("form.one", "form.two")
    ]
    assert one.json()["request_id"] != two.json()["request_id"]


async def test_the_same_thing_of_the_same_source_is_one_request_whatever_the_key(desk: Hearing) -> None:
    one, two = [await registered(desk, channel="web_chat", external_id="chat-7") for _ in range(2)]
    assert one == two


async def test_a_customer_is_recognised_by_any_identity(desk: Hearing) -> None:
    ids = [
        await registered(desk, customer=customer)
        for customer in (
            {"phone": "020-87654321"},
            {"phone": "+86 20 8765 4321 转 9", "email": "Buyer@example.com"},
            {"email": "buyer@EXAMPLE.com"},
        )
    ]
    who = await desk.admin.fetch("SELECT DISTINCT customer_id FROM request WHERE id = ANY($1)", ids)
    assert len(who) == 1


async def test_many_wait_together_and_take_as_many_statements_as_one(desk: Hearing) -> None:
    client = desk.client("adapter")
    with desk.statements() as alone:
        await post(desk, client=client, customer={"phone": "13700000000"})
    with desk.statements() as together:
        many = ({"phone": f"137000001{index:02}"} for index in range(40))
        await asyncio.gather(*(post(desk, client=client, customer=customer) for customer in many))
    assert len(together) <= 3 * len(alone)  # who comes first goes alone; the rest share the next one or two


async def test_two_replicas_that_meet_the_same_newcomer_agree_on_one_customer(desk: Hearing) -> None:
    newcomer = {"phone": "13700009999"}
    message = normalise(NewRequest(**new_request(customer=newcomer)), "elsewhere", b"{}", clock.now())
    async with desk.database.transaction() as tx:  # as another replica's
        [first] = await actions.register(tx, [message])
        second = asyncio.create_task(registered(desk, customer=newcomer))
        while not await desk.admin.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    ids = [first.request_id, await second]
    assert await desk.admin.fetchval("SELECT count(*) FROM request WHERE id = ANY($1)", ids) == 2
    who = await desk.admin.fetch("SELECT DISTINCT customer_id FROM request WHERE id = ANY($1)", ids)
    assert len(who) == 1


@pytest.fixture
def break_one(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes every row of requests with this title one that PostgreSQL refuses."""

    def arrange(title: str) -> None:
        row = actions._row

        def spoiled(judged: Any) -> dict[str, Any]:
            made = row(judged)
            return made | {"severity": "no such severity"} if made["title"] == title else made

        monkeypatch.setattr(actions, "_row", spoiled)

    return arrange


async def test_one_bad_row_never_fails_its_neighbours(
    desk: Hearing, break_one: Callable[[str], None]
) -> None:
    break_one("spoiled")
    client = desk.client("adapter")
    client._transport.raise_app_exceptions = False  # type: ignore[attr-defined]
    titles = [f"good {index}" for index in range(20)]
    titles[7:7] = ["spoiled"]
    answers = await asyncio.gather(*(post(desk, client=client, title=title) for title in titles))
    statuses = dict(zip(titles, (answer.status_code for answer in answers), strict=True))
    assert statuses.pop("spoiled") == 500
    assert set(statuses.values()) == {202}
    found = await desk.admin.fetch("SELECT title FROM request WHERE title LIKE 'good %' OR title = 'spoiled'")
    assert sorted(row["title"] for row in found) == sorted(statuses)


async def test_a_refused_request_leaves_its_key_free(desk: Hearing, break_one: Callable[[str], None]) -> None:
    break_one("later good")
    client = desk.client("adapter")
    client._transport.raise_app_exceptions = False  # type: ignore[attr-defined]
    assert (await post(desk, "again", client, title="later good")).status_code == 500
    assert not await desk.admin.fetch("SELECT FROM idempotency WHERE key = 'again'")


def waiting(*sizes: int) -> list[Waiting]:
    """Messages of so many bytes, of which nobody will ask for the answer."""
    message = Normalised(
        channel="email", account="a", external_id="1", identities=(), name="", text="", title="",
        received_at=clock.now(), raw=b"", content_type="message/rfc822",
    )  # fmt: skip
    loop = asyncio.get_running_loop()
    return [Waiting(replace(message, raw=bytes(size)), None, loop.create_future()) for size in sizes]


async def test_a_group_is_no_heavier_than_a_transaction_should_be() -> None:
    assert size_of_group(waiting(HEAVIEST_GROUP + 1, 1)) == 1
    assert size_of_group(waiting(1, HEAVIEST_GROUP, 1)) == 1
    assert size_of_group(waiting(1, HEAVIEST_GROUP - 1, 1)) == 2
    assert size_of_group(waiting(*[1] * (LARGEST_GROUP + 1))) == LARGEST_GROUP


async def test_each_request_of_a_group_keeps_its_own_trace(desk: Hearing) -> None:
    client = desk.client("adapter")
    traces = [f"{index:032x}" for index in range(1, 11)]
    answers = await asyncio.gather(
        *(
            client.post(
                "/intake/requests",
                json=new_request(),
                headers={"idempotency-key": trace, "traceparent": f"00-{trace}-{1:016x}-01"},
            )
            for trace in traces
        )
    )
    for trace, answer in zip(traces, answers, strict=True):
        id = answer.json()["request_id"]
        body = await desk.admin.fetchval("SELECT body FROM event_log WHERE subject = $1", id)
        assert trace in body


@pytest.mark.parametrize("path", ["/intake/requests", "/intake/channels/phone"])
def test_a_key_that_is_mandatory_is_described_so(desk: Hearing, path: str) -> None:
    parameters = desk.served.app.openapi()["paths"][path]["post"]["parameters"]
    assert [each["required"] for each in parameters if each["name"] == "Idempotency-Key"] == [True]


@pytest.mark.parametrize("keys", [[], [b""], [b"k" * 300], ["é".encode()], [b"one", b"two"]], ids=str)
async def test_a_missing_or_malformed_key_is_refused(desk: Hearing, keys: list[bytes]) -> None:
    before = await stored(desk)
    sent = [(b"idempotency-key", key) for key in keys]
    answer = await desk.client("adapter").post("/intake/requests", json=new_request(), headers=sent)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert await stored(desk) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"customer": {}},
        {"customer": {"phone": "call me maybe"}},
        {"customer": {"phone": "5" * 50}},
        {"customer": {"email": "a@b.example\r\nBcc: x@y.example"}},
        {"customer": {"phone": "13800000000", "owner": "me"}},
        {"description": ""},
        {"description": "x" * 20_001},
        {"description": "a\x00b"},
        {"region": "east; DROP TABLE request"},
        {"city": ["shanghai"]},
        {"latitude": 91},
        {"channel": "pigeon"},
        {"severity": "urgent"},
        {"__proto__": {}},
        {"occurred_at": "2026-11-20T09:00:00"},
        {"occurred_at": "0001-01-01T00:00:00+14:00"},
        {"occurred_at": "9999-12-31T23:59:59Z"},
    ],
    ids=str,
)
async def test_bad_input_is_told_so_and_changes_nothing(desk: Hearing, changes: dict[str, Any]) -> None:
    before = await stored(desk)
    answer = await post(desk, **changes)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert not [canary for canary in ("call me", "Bcc", "DROP") if canary in answer.text]
    assert await stored(desk) == before


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 1000, b'{"a":NaN}', b'{"a":1,"a":2}', b'{"a":"\\ud800"}', b"\xef\xbb\xbf{}"]
)
async def test_broken_json_is_refused(desk: Hearing, body: bytes) -> None:
    before = await stored(desk)
    headers = {"content-type": "application/json", "idempotency-key": "broken"}
    answer = await desk.client("adapter").post("/intake/requests", content=body, headers=headers)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code in (400, 422)
    assert await stored(desk) == before


async def test_an_adapter_writes_to_its_own_channel_only(desk: Hearing) -> None:
    before = await stored(desk)
    answer = await post(desk, client=desk.client("adapter", channel="web_chat"))
    assert answer.status_code == 403
    assert await stored(desk) == before


async def test_overruling_keeps_both_judgements_and_is_recorded(desk: Hearing) -> None:
    id, care = await registered(desk), desk.client("care", id=AGENT)
    seen = (await care.get(f"/intake/requests/{id}")).headers["etag"]
    judged = {"kind": "complaint", "severity": "urgent", "reason": "回访 13800000000 时确认"}
    path = f"/intake/requests/{id}/judgement"
    answer = await care.put(path, json=judged, headers={"if-match": seen})
    assert [each["severity"] for each in answer.json()["judgements"]] == ["important", "urgent"]
    assert [each["by"] for each in answer.json()["judgements"]] == [None, AGENT]
    name, version, said = (await desk.told(id))[-1]
    assert (name, version, said["by"]) == ("request_reclassified", 2, AGENT)
    assert said["reason"] == "回访 [phone] 时确认"
    assert (await care.put(path, json=judged, headers={"if-match": seen})).status_code == 412
    fresh = answer.headers["etag"]
    assert (await care.put(path, json=judged, headers={"if-match": fresh})).status_code == 409
    assert (await care.put(path, json=judged)).status_code == 428
    kept = await desk.admin.fetch("SELECT action, actor FROM audit WHERE subject = $1", str(id))
    assert [tuple(row) for row in kept] == [("triage_overruled", AGENT)]


async def test_only_the_first_answer_stops_the_clock_and_each_is_progress(desk: Hearing) -> None:
    form, care = desk.client("adapter", id=HOUSE_FORM), desk.client("care", id=AGENT)
    id = await registered(desk, client=form)
    for text in ("我们马上来", "明天九点到"):
        assert (await care.post(f"/intake/requests/{id}/answers", json={"text": text})).status_code == 201
    told = [(name, version) for name, version, _ in await desk.told(id)]
    assert told[:2] == [("request_registered", 1), ("request_answered", 2)]  # R52, R53
    assert told[2:] == [("answer_given", 2), ("answer_given", 3)]  # R62
    said = (await care.get(f"/intake/requests/{id}/messages")).json()
    assert [(each["direction"], each["text"]) for each in said] == [  # R04
        ("in", "水泵坏了，漏水"), ("out", "我们马上来"), ("out", "明天九点到"),
    ]  # fmt: skip


async def test_lists_show_no_contact_data_and_every_look_at_it_is_recorded(desk: Hearing) -> None:
    id = await registered(desk, customer={"name": "样例", "phone": "13611112222"}, title="请回 13611112222")
    care = desk.client("care", id="agent.one")
    assert "13611112222" not in (await care.get("/intake/requests")).text
    assert "13611112222" not in (await care.get(f"/intake/requests/{id}")).text
    who = (await care.get(f"/intake/requests/{id}/customer")).json()
    assert (who["name"], who["phones"], who["emails"]) == ("样例", ["+8613611112222"], [])
    await care.get(f"/intake/requests/{id}/messages")
    looks = await desk.admin.fetch("SELECT actor, action, detail FROM audit WHERE subject = $1", who["id"])
    assert [(row["actor"], row["action"]) for row in looks] == [("agent.one", "customer_read")] * 2
    assert all(str(id) in row["detail"] for row in looks)


async def test_the_list_is_paged_from_the_newest_to_the_oldest(desk: Hearing) -> None:
    ids = [str(await registered(desk)) for _ in range(5)]
    care, found, cursor = desk.client("care"), [], ""
    for _ in range(3):
        page = (await care.get(f"/intake/requests?limit=2{cursor}")).json()
        found += [each["id"] for each in page["items"]]
        cursor = f"&cursor={page['next']}"
    assert found[:5] == ids[::-1]
    assert len(set(found)) == 6


async def test_an_unknown_request_is_not_found(desk: Hearing) -> None:
    care = desk.client("care")
    for path in ("", "/messages", "/customer"):
        assert (await care.get(f"/intake/requests/{uuid7()}{path}")).status_code == 404


def opened(request_id: UUID) -> dispatch.TicketOpened:
    return dispatch.TicketOpened(
        request_id=request_id,
        customer_id=uuid7(),
        kind="fault",
        severity="general",
        site=Site(region="east", city="shanghai"),
        title="",
        owner_id=uuid7(),
    )


async def test_a_ticket_is_linked_once_and_the_alarm_ends(desk: Hearing) -> None:
    id, ticket_id = await registered(desk), uuid7()
    await desk.receive(told_event(opened(id), subject=ticket_id, version=1))
    await desk.receive(told_event(opened(id), subject=uuid7(), version=1))
    assert await desk.admin.fetchval("SELECT ticket_id FROM request WHERE id = $1", id) == ticket_id
    await desk.receive(told_event(opened(uuid7()), subject=uuid7(), version=1))  # of another installation


async def test_requests_without_a_ticket_after_a_minute_raise_the_alarm(
    desk: Hearing, capsys: pytest.CaptureFixture[str]
) -> None:
    await registered(desk)
    async with desk.database.transaction() as tx:
        await watch_for_tickets(tx, clock.now().replace(year=clock.now().year + 1))
    assert "requests without a ticket" in capsys.readouterr().out


@pytest.mark.parametrize("owner", [dispatch, feedback], ids=lambda owner: owner.__name__.rpartition(".")[2])
async def test_what_others_want_to_tell_the_customer_waits_once(desk: Hearing, owner: Any) -> None:
    id = await registered(desk)
    facts = (("title", "Pump"), ("text", "备件明天到"))
    asked = owner.CustomerMessageRequested(request_id=id, template="progress", facts=facts)
    message = told_event(asked, subject=uuid7(), version=1)
    await desk.receive(message, message)
    await desk.receive(message)
    async with desk.database.transaction() as tx:
        said = [each for each in await messages.load_conversation(tx, id) if each.direction == "out"]
    assert [(each.template, each.text, each.state, each.channel) for each in said] == [
        ("progress", "备件明天到", "waiting", "web_form")
    ]
