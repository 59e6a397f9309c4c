"""One customer, many identities: merged and parted again, asked for consent, and forgotten (R105, R127)."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.hearing import Hearing, hearing
from intake.app import service
from intake.customers import merging
from shared.clock import uuid7

AGENT = "01a20273-7507-7fce-927d-0a465d28c401"
CANARY = "canary7391"
MAIL = f"""From: Kanari {CANARY} <{CANARY}@example.com>\r\nSubject: {CANARY} leaks\r
Message-ID: <{{}}-{CANARY}@example.com>\r\n{{}}\r\n{CANARY} lives in {CANARY} street"""


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


async def asked(desk: Hearing, customer: dict[str, str], **more: Any) -> UUID:
    """A request of `customer`; whose it is."""
    body = {"customer": customer, "region": "east", "city": "shanghai", "description": "漏水", **more}
    headers = {"idempotency-key": str(uuid7())}
    answer = await desk.client("adapter").post("/intake/requests", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    found: UUID = await desk.admin.fetchval(
        "SELECT customer_id FROM request WHERE id = $1", UUID(answer.json()["request_id"])
    )
    return found


async def somebody(desk: Hearing, **more: Any) -> UUID:
    return await asked(desk, {"name": "张女士", "external_id": str(uuid7()), **more})


async def merged(desk: Hearing, kept: UUID, gone: UUID) -> Any:
    client = desk.client("care", id=AGENT)
    return await client.post(f"/intake/customers/{kept}/merges", json={"other_id": str(gone)})


async def told_of(desk: Hearing, *ids: UUID) -> list[str]:
    """Everything that belongs to these customers."""
    queries = (
        "SELECT id, name, level, region, city, merged_into FROM customer WHERE id = ANY($1)",
        "SELECT * FROM identity WHERE customer_id = ANY($1)",
        "SELECT id, customer_id FROM request WHERE customer_id = ANY($1)",
        "SELECT * FROM consent WHERE customer_id = ANY($1)",
    )
    return sorted([str(row) for query in queries for row in await desk.admin.fetch(query, list(ids))])


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    requests=st.lists(st.sampled_from(["kept", "gone"]), max_size=4),
    levels=st.tuples(*[st.sampled_from(["standard", "vip"])] * 2),
    named=st.booleans(),
)
async def test_merged_and_parted_again_is_as_before(
    desk: Hearing, requests: list[str], levels: tuple[str, str], named: bool
) -> None:
    who = [
        {"name": "王先生" * named, "external_id": str(uuid7())},
        {"name": "李", "external_id": str(uuid7())},
    ]
    kept, gone = [
        await asked(desk, {**each, "level": level}) for each, level in zip(who, levels, strict=True)
    ]
    for which in requests:
        await asked(desk, who[which == "gone"])
    client = desk.client("care", id=AGENT)
    said = {"purpose": "survey", "channel": "phone", "given": True, "source": "call"}
    await client.post(f"/intake/customers/{gone}/consents", json=said)
    before = await told_of(desk, kept, gone)
    merge = (await merged(desk, kept, gone)).json()["merge_id"]
    assert await asked(desk, who[1]) == kept  # who writes meanwhile is the one they were taken for
    answer = await client.post(f"/intake/customers/{kept}/merges/{merge}/undo")
    assert answer.json() == {"customer_id": str(gone)}
    now = await told_of(desk, kept, gone)
    assert len(now) == len(before) + 1
    assert set(before) < set(now)
    assert await asked(desk, who[1]) == gone


async def test_tickets_hear_of_the_level_that_a_merge_makes_and_unmakes_r36(desk: Hearing) -> None:
    plain = await asked(desk, {"phone": "1390000" + str(uuid7().int)[-4:], "level": "standard"})
    important = await asked(desk, {"phone": "1390001" + str(uuid7().int)[-4:], "level": "vip"})
    for keep, other in ((plain, important), (important, plain)):
        before = len(await levels_told(desk, plain))
        async with desk.database.transaction() as tx:
            merge = await merging.merge(tx, keep, other, "care")
        async with desk.database.transaction() as tx:
            await merging.undo(tx, keep, merge, "care")
        assert (await levels_told(desk, plain))[before:] == ["vip", "standard"]
    assert await levels_told(desk, important) == []


async def levels_told(desk: Hearing, customer: UUID) -> list[str]:
    return [data["level"] for name, _, data in await desk.told(customer) if name == "customer_changed"]


async def test_a_merge_is_refused_where_it_makes_no_sense(desk: Hearing) -> None:
    one, two, three = [await somebody(desk) for _ in range(3)]
    first = (await merged(desk, one, two)).json()["merge_id"]
    for kept, gone in ((one, one), (one, two), (two, three)):
        assert (await merged(desk, kept, gone)).status_code == 409
    await merged(desk, three, one)
    client = desk.client("care", id=AGENT)
    assert (await client.post(f"/intake/customers/{one}/merges/{first}/undo")).status_code == 409
    assert (await merged(desk, one, uuid7())).status_code == 404


async def test_consent_is_kept_per_purpose_and_channel_with_its_source(desk: Hearing) -> None:
    id, client = await somebody(desk), desk.client("care", id=AGENT)
    for agrees in (True, False):
        said = {"purpose": "marketing", "channel": "sms", "given": agrees, "source": "form 7"}
        assert (await client.post(f"/intake/customers/{id}/consents", json=said)).status_code == 204
    [consent] = (await client.get(f"/intake/customers/{id}/file")).json()["consents"]
    assert (consent["purpose"], consent["given"], consent["source"]) == ("marketing", False, "form 7")
    assert await desk.admin.fetchval("SELECT count(*) FROM consent WHERE customer_id = $1", id) == 2


async def test_a_limit_shows_only_customers_known_to_lie_within_it(desk: Hearing) -> None:
    id = await somebody(desk)
    path = f"/intake/customers/{id}/file"
    seen = []
    scopes = (("regions", "east"), ("regions", "north"), ("customer_levels", "vip"), ("product_lines", "x"))
    for scope in ({name: frozenset({value})} for name, value in scopes):
        seen.append((await desk.client("care", id=AGENT, **scope).get(path)).status_code)
    assert seen == [200, 404, 404, 404]
    erase = await desk.client("care", id=AGENT, regions=frozenset({"north"})).post(
        f"/intake/customers/{id}/erase"
    )
    assert erase.status_code == 404


async def test_every_look_is_recorded_and_a_number_finds_its_customer(desk: Hearing) -> None:
    id = await asked(desk, {"phone": "13712340001"})
    client = desk.client("care", id=AGENT)
    found = await client.get("/intake/customers/known", params={"phone": "+86 137-1234-0001"})
    assert found.json() == {"customer_id": str(id)}
    looks = await desk.admin.fetchval("SELECT count(*) FROM audit WHERE subject = $1", str(id))
    assert looks == 1
    assert (await client.get("/intake/customers/known", params={"phone": "13712349999"})).status_code == 404


async def canaries(desk: Hearing) -> list[str]:
    """The tables of the schema that hold the canary in any column, bytes too."""
    tables = await desk.admin.fetch(
        "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE nspname = 'intake' AND relkind IN ('r', 'p')"
    )
    found = []
    for (name,) in tables:
        columns = await desk.admin.fetch(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = 'intake' AND table_name = $1", name
        )  # fmt: skip
        for column, kind in columns:
            text = f"encode({column}, 'escape')" if kind == "bytea" else f"{column}::text"
            query = f"SELECT count(*) FROM {name} WHERE lower({text}) LIKE '%{CANARY}%'"
            if await desk.admin.fetchval(query):
                found.append(f"{name}.{column}")
    return found


async def canary_everywhere(desk: Hearing) -> UUID:
    """A customer who said their name at every door."""
    customer = {"name": f"Kanari {CANARY}", "email": f"{CANARY}@example.com", "external_id": CANARY}
    more = {"title": f"Kanari {CANARY} waits", "description": f"I am {CANARY}", "external_id": f"x-{CANARY}"}
    id = await asked(desk, customer, channel="web_chat", city=CANARY, **more)
    mailer = desk.client("adapter")
    headers = {"content-type": "message/rfc822"}
    paper = EmailMessage()
    paper["From"], paper["Subject"] = f"{CANARY}@example.com", f"{CANARY} sends a paper"
    paper.set_content("see")
    paper.add_attachment(f"bill of {CANARY}".encode(), "text", "plain", filename=f"{CANARY}.txt")
    first = MAIL.format(1, "")
    reply = MAIL.format(2, f"In-Reply-To: <1-{CANARY}@example.com>\r\n")
    aside = MAIL.format(3, "Auto-Submitted: auto-replied\r\n")
    for mail in (first.encode(), reply.encode(), aside.encode(), paper.as_bytes()):
        answer = await mailer.post("/intake/channels/email", content=mail, headers=headers)
        assert answer.status_code == 202
    noted = {"customer": customer, "description": f"{CANARY} called"}
    call = {"call_id": f"pbx-{CANARY}", "event": "answered", "region": "east", "request": noted}
    key = {"idempotency-key": str(uuid7())}
    assert (await mailer.post("/intake/channels/phone", json=call, headers=key)).status_code == 202
    agent = desk.client("care", id=AGENT)
    requests = [
        row["id"] for row in await desk.admin.fetch("SELECT id FROM request WHERE customer_id = $1", id)
    ]
    answered = {"text": f"Dear {CANARY}", "spoken": True}
    assert (await agent.post(f"/intake/requests/{requests[0]}/answers", json=answered)).status_code == 201
    judged = {"kind": "fault", "severity": "urgent", "reason": f"{CANARY} called twice"}
    tag = (await agent.get(f"/intake/requests/{requests[0]}")).headers["etag"]
    path = f"/intake/requests/{requests[0]}/judgement"
    assert (await agent.put(path, json=judged, headers={"if-match": tag})).status_code == 200
    said = {"purpose": "survey", "channel": "phone", "given": True, "source": f"letter of {CANARY}"}
    await agent.post(f"/intake/customers/{id}/consents", json=said)
    return id


async def test_who_is_forgotten_is_nowhere_and_is_still_counted(desk: Hearing) -> None:
    """S20: no canary in any table, log, outbox or key; figures stay; done twice it is done once."""
    id = await canary_everywhere(desk)
    other = await asked(desk, {"name": CANARY, "external_id": f"other-{CANARY}"})
    await merged(desk, id, other)
    places = {"identity.value", "source.body", "message.text", "set_aside.body", "attachment.name"}
    assert places | {"message.address", "message.sender_name"} <= set(await canaries(desk))
    counts = "SELECT count(*), count(ticket_id), min(received_at) FROM request WHERE customer_id = $1"
    before = tuple(await desk.admin.fetchrow(counts, id))
    client = desk.client("care", id=AGENT)
    answer = await client.post(f"/intake/customers/{id}/erase")
    assert answer.json() == {"requests": before[0]}
    assert await canaries(desk) == []
    assert tuple(await desk.admin.fetchrow(counts, id)) == before
    assert (await client.post(f"/intake/customers/{other}/erase")).json() == {"requests": 0}
    told = [each for each in await desk.told() if each[0] == "customer_erased"]
    assert [each[2] for each in told] == [{"requests": before[0]}]
    log = await desk.admin.fetch("SELECT body FROM event_log")
    assert all(json.loads(row["body"])["specversion"] == "1.0" for row in log)
    again = await asked(desk, {"name": "somebody", "email": f"{CANARY}@example.com"})
    assert again not in (id, other)


async def test_a_request_that_comes_while_its_customer_is_erased_is_a_new_customers(desk: Hearing) -> None:
    """Recognised a moment too early: the store refuses, and the writer looks again."""
    id = await somebody(desk)
    await desk.admin.execute("UPDATE customer SET erased_at = now() WHERE id = $1", id)
    late = (
        "INSERT INTO request (id, channel, account, external_id, customer_id, kind, severity, region, city,"
        " title, received_at, version) SELECT gen_random_uuid(), channel, account, 'late', customer_id, kind,"
        " severity, region, city, title, received_at, 1 FROM request WHERE customer_id = $1"
    )
    with pytest.raises(asyncpg.UniqueViolationError, match="merged or erased"):
        await desk.admin.execute(late, id)


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Reached and recognised by"), ("zh-CN", "联系与识别方式")]
)
async def test_the_page_shows_merges_corrects_and_forgets(desk: Hearing, language: str, words: str) -> None:
    number = "1380000" + str(uuid7().int)[-4:]
    id = await asked(desk, {"name": "赵先生", "phone": number})
    other = await somebody(desk)
    browser = await desk.served.signed_in("care")
    path = f"/intake/customers/{id}"
    shown = (await browser.get(path, headers={"accept-language": language})).text
    assert words in shown
    assert f"+86{number}" in shown
    [csrf] = set(re.findall(r'name="csrf" value="([^"]+)"', shown))

    async def send(what: str, **form: str) -> int:
        return (await browser.post(f"{path}/{what}", data={"csrf": csrf, **form})).status_code

    assert await send("merge", other=str(other)) == 303
    [merge] = re.findall(r'name="merge" value="([^"]+)"', (await browser.get(path)).text)
    assert await send("undo", merge=merge) == 303
    assert await send("merge", other="nobody@example.com") == 422
    assert await send("data", name="赵总", level="vip", city="苏州市") == 303
    consent = {"purpose": "survey", "channel": "phone", "given": "yes", "source": "电话"}
    assert await send("consent", **consent) == 303
    row = await desk.admin.fetchrow("SELECT name, level, region, city FROM customer WHERE id = $1", id)
    assert tuple(row) == ("赵总", "vip", "east", "suzhou")
    assert [data for name, _, data in await desk.told(id) if name == "customer_changed"] == [{"level": "vip"}]
    assert await send("forget", sure="yes") == 303
    assert number not in (await browser.get(path)).text
