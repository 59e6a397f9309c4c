"""R13: bursts are proposed, people declare, every linked customer is told exactly once."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest_asyncio

from contracts.hearing import Hearing, hearing
from intake.app import service
from intake.incidents import actions, store
from intake.incidents.actions import Said
from intake.incidents.rules import Proposal, Signature
from intake.requests.actions import register
from intake.requests.rules import Identity, Normalised
from shared.clock import clock, uuid7
from shared.i18n import ZONE

ME = UUID(int=5)


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


def complaint(customer: int, text: str, region: str = "east") -> Normalised:
    return Normalised(
        channel="web_form",
        account="test",
        external_id=str(uuid7()),
        identities=(Identity("phone", f"+86138{customer:08d}"),),
        name="某人",
        text=text,
        title=text,
        received_at=clock.now(),
        raw=b"x",
        content_type="text/plain",
        region=region,
        product_line="cooling",
    )


async def complaints(
    desk: Hearing, *customers: int, text: str = "空调漏水", region: str = "east"
) -> list[UUID]:
    async with desk.database.transaction() as tx:
        made = await register(tx, [complaint(each, "空调漏水", region) for each in customers])
    return [each.request_id for each in made]


async def look(desk: Hearing) -> None:
    await desk.database.transact(lambda tx: actions.propose(tx, clock.now() + timedelta(seconds=1)))


async def notices(desk: Hearing, incident: UUID) -> Counter[tuple[int, UUID]]:
    """How many messages each customer has of each revision, by the messages themselves."""
    rows = await desk.admin.fetch(
        "SELECT revision, request.customer_id FROM message JOIN request ON request.id = request_id"
        " JOIN incident_notice ON message_id = message.id"
        " WHERE incident_id = $1 AND message.state = 'waiting' AND direction = 'out'",
        incident,
    )
    return Counter((row["revision"], row["customer_id"]) for row in rows)


async def csrf_of(browser: object, path: str) -> tuple[str, str]:
    answer = await browser.get(path)  # type: ignore[attr-defined]
    assert answer.status_code == 200, answer.text
    return answer.text, re.findall(r'name="csrf" value="([^"]+)"', answer.text)[0]


async def test_a_burst_is_proposed_once_and_declared_by_a_person_from_the_page(desk: Hearing) -> None:
    requests = await complaints(desk, 1, 2, 3, 4, 5, 5)
    for _ in range(2):
        await look(desk)
    [row] = await desk.admin.fetch("SELECT id, state, symptom, customers FROM incident")
    assert (row["state"], row["symptom"], row["customers"]) == ("proposed", "漏水", 5)
    at = f"/intake/incidents/{row['id']}"
    browser = await desk.served.signed_in("care")
    assert at in (await browser.get("/intake/incidents/line")).text
    shown, csrf = await csrf_of(browser, at)
    assert shown.count("checked") == 6
    for path in (at, "/intake/incidents", "/intake/incidents/line"):  # its name stands once on each
        for tag, name in (("en", "East"), ("zh", "华东")):
            seen = (await browser.get(path, headers={"accept-language": tag})).text
            main = seen.partition("</title>")[2] or seen
            assert (main.count(f"cooling · {name} · “漏水”"), " · east" in seen) == (1, False), (path, tag)
    chosen = {"requests": [str(each) for each in requests], "csrf": csrf}
    due = clock.now().astimezone(ZONE) + timedelta(hours=3)
    form = {"title": "主管道破裂", "cause": "施工", "recovery_at": f"{due:%Y-%m-%dT%H:%M}"}
    assert (await browser.post(f"{at}/declare", data=form | chosen)).status_code == 303
    assert (await browser.post(f"{at}/declare", data=form | chosen)).status_code == 409
    assert "主管道破裂" in (await browser.get(f"/intake/desk/{requests[0]}")).text
    assert set((await notices(desk, row["id"])).values()) == {1}
    texts = await desk.admin.fetch("SELECT DISTINCT text FROM message WHERE direction = 'out'")
    assert [f"{due.month}月{due.day}日 {due:%H:%M}" in each["text"] for each in texts] == [True]
    [told] = await desk.told(row["id"])
    assert (told[0], told[2]["customers_told"], told[2]["cause"]) == ("incident_declared", 5, "施工")
    assert [name for name, *_ in await desk.told(requests[0])] == ["request_registered", "request_linked"]
    [late] = await complaints(desk, 9)
    await look(desk)
    assert await desk.admin.fetchval("SELECT count(*) FROM incident") == 1
    assert str(late) in (await browser.get(at)).text


async def test_an_update_on_top_of_what_somebody_changed_tells_nobody(desk: Hearing) -> None:
    said = Said("停水", "", None, "")
    async with desk.database.transaction() as tx:
        made = await actions.declare_new(tx, Signature("cooling", "west"), said, [], ME)
    browser = await desk.served.signed_in("care")
    shown, csrf = await csrf_of(browser, f"/intake/incidents/{made.id}")
    form = {"title": "停水", "seen": "1", "csrf": csrf}
    answers = [await browser.post(f"/intake/incidents/{made.id}/update", data=form) for _ in range(2)]
    assert [each.status_code for each in answers] == [303, 409]
    wrong = await browser.post(f"/intake/incidents/{made.id}/end", data=form | {"title": " "})
    assert (wrong.status_code, "停水" in shown) == (422, True)
    again = await browser.post(
        "/intake/incidents", data={"title": "x", "region": "west", "product_line": "cooling", "csrf": csrf}
    )
    assert again.status_code == 409


async def test_a_request_belongs_to_one_incident(desk: Hearing) -> None:
    [request] = await complaints(desk, 77, region="south")
    browser = await desk.served.signed_in("care")
    ids = []
    for line in ("a", "b"):
        async with desk.database.transaction() as tx:
            made = await actions.declare_new(tx, Signature(line, "south"), Said(line, ""), [], ME)
            ids.append(made.id)
    _, csrf = await csrf_of(browser, f"/intake/incidents/{ids[0]}")
    number = await desk.admin.fetchval("SELECT number FROM request WHERE id = $1", request)
    forms = [{"number": each, "csrf": csrf} for each in (f"r {number}", "R-999999", "no number")]
    answers = [
        (await browser.post(f"/intake/incidents/{id}/links", data=form)).status_code
        for id, form in ((ids[0], forms[0]), (ids[1], forms[0]), (ids[0], forms[1]), (ids[0], forms[2]))
    ]
    assert answers == [303, 409, 404, 404]


async def test_whatever_the_order_each_customer_is_told_of_each_revision_exactly_once(desk: Hearing) -> None:
    """Random links, unlinks, updates and ends against the plainest thing that could be true."""
    customers = 6
    requests = await complaints(desk, *(100 + each % customers for each in range(14)), region="north")
    rows = await desk.admin.fetch("SELECT id, customer_id FROM request WHERE region = 'north'")
    owner = {row["id"]: row["customer_id"] for row in rows}
    for seed in range(5):
        chance = random.Random(seed)
        linked = set(chance.sample(requests, 3))
        said = Said(f"停水 {seed}", "")
        async with desk.database.transaction() as tx:
            signature = Signature(f"line-{seed}", "north")
            incident = (await actions.declare_new(tx, signature, said, sorted(linked), ME)).id
        revision, expected = 1, {(1, owner[each]) for each in linked}
        for _ in range(12):
            step = chance.choice(["link", "link", "unlink", "update"])
            some = chance.sample(requests, chance.randint(1, 4))
            async with desk.database.transaction() as tx:
                if step == "link":
                    await actions.link(tx, incident, some, ME)
                    linked |= set(some)
                elif step == "unlink":
                    await actions.unlink(tx, incident, some, ME)
                    linked -= set(some)
                else:
                    await actions.revise(tx, incident, said, ME, revision)
                    revision += 1
            expected |= {(revision, owner[each]) for each in linked}
        async with desk.database.transaction() as tx:
            await actions.end(tx, incident, said, ME, revision)
        expected |= {(revision + 1, owner[each]) for each in linked}
        told = await notices(desk, incident)
        assert set(told) == expected, f"seed {seed}"
        assert set(told.values()) == {1}, f"seed {seed}"
        async with desk.database.transaction() as tx:
            await actions.unlink(tx, incident, requests, ME)


async def test_a_dismissed_proposal_stays_quiet_for_a_while(desk: Hearing) -> None:
    await complaints(desk, *range(200, 205), region="southwest")
    await look(desk)
    async with desk.database.transaction() as tx:
        [found] = [each for each in await store.load_going_on(tx) if each.region == "southwest"]
        await actions.dismiss(tx, found.id)
    await look(desk)
    assert await desk.admin.fetchval("SELECT count(*) FROM incident WHERE region = 'southwest'") == 1


async def test_nobody_is_told_of_a_recovery_that_has_been(desk: Hearing) -> None:
    """R13: refused on declaring and on updating, before anything is linked or queued; an end may name it."""
    requests = await complaints(desk, *range(300, 303), region="northwest")
    async with desk.database.transaction() as tx:
        made = await actions.declare_new(tx, Signature("pumps", "northwest"), Said("停电", ""), [], ME)
    browser = await desk.served.signed_in("care")
    _, csrf = await csrf_of(browser, f"/intake/incidents/{made.id}")
    form = {"title": "停水", "recovery_at": "2020-01-01T00:00", "csrf": csrf}
    new = {"region": "northwest", "product_line": "cooling", "requests": [str(each) for each in requests]}
    for path, data in (("", form | new), (f"/{made.id}/update", form | {"seen": "1"})):
        problem = {"accept": "application/problem+json"}
        answer = await browser.post(f"/intake/incidents{path}", data=data, headers=problem)
        assert answer.status_code == 422, answer.text
        assert [each["pointer"] for each in answer.json()["errors"]] == ["/recovery_at"]
        page = await browser.post(f"/intake/incidents{path}", data=data, headers={"accept-language": "zh"})
        assert (page.status_code, "这个时间已经过去" in page.text) == (422, True)
    count = "SELECT count(*) FROM message WHERE direction = 'out' AND request_id = ANY($1)"
    assert await desk.admin.fetchval(count, requests) == 0
    ended = await browser.post(f"/intake/incidents/{made.id}/end", data=form | {"seen": "1"})
    assert ended.status_code == 303


async def test_the_pages_say_whom_the_messages_reached(desk: Hearing) -> None:
    """R13: a message that waits, or that has nowhere to go, told nobody."""
    requests = await complaints(desk, *range(400, 408), region="central")
    async with desk.database.transaction() as tx:
        signature = Signature("boilers", "central")
        made = await actions.declare_new(tx, signature, Said("停暖", ""), requests, ME)
    browser = await desk.served.signed_in("care")
    browser.headers["accept-language"] = "en"

    async def shown() -> list[str]:
        found = [await browser.get(path) for path in (f"/intake/incidents/{made.id}", "/intake/incidents")]
        return [each.text for each in found]

    assert ["8 messages waiting" in each for each in await shown()] == [True, True]
    assert "8 customers told" not in "".join(await shown())
    changes = {
        "state = 'waiting', lane = '', why = 'no_address'": requests[:4],
        "state = 'waiting', lane = '', why = 'no_sender'": requests[4:5],
        "state = 'sent', lane = 'sms/here', sent_id = 'taken'": requests[5:7],
        "state = 'sent', lane = 'sms/here', sent_id = 'lost'": requests[7:],
    }
    for change, some in changes.items():
        sql = f"UPDATE message SET {change} WHERE direction = 'out' AND request_id = ANY($1)"
        assert await desk.admin.execute(sql, some) == f"UPDATE {len(some)}"
    await desk.admin.execute(
        "INSERT INTO delivery_told (channel, account, external_id, state, told_at, detail)"
        " VALUES ('sms', 'here', 'lost', 'failed', now(), ''),"
        " ('sms', 'elsewhere', 'taken', 'failed', now(), '')"
    )
    reached = (
        "2 customers told · 5 customers cannot be reached"
        " (no address: 4, nothing is set up that sends there: 1)"
        " · 1 message failed (refused by the provider)"
    )
    for page in await shown():
        assert reached in page
        assert "boilers · Central" in page
    async with desk.database.transaction() as tx:
        await actions.declare_new(tx, Signature(None, "unknown"), Said("停气", ""), [], ME)
    for tag, words in (("zh", "任意产品 · 地区未知"), ("en", "any product · region not known")):
        browser.headers["accept-language"] = tag
        assert words in (await browser.get("/intake/incidents")).text


async def test_an_old_proposal_without_a_symptom_hides_no_burst(desk: Hearing) -> None:
    """R13: earlier versions proposed what shared a place only; it says nothing of what came since."""
    async with desk.database.transaction() as tx:
        old = Proposal(Signature("cooling", "northeast"), (), 7, 0.0)
        await store.save_proposals(tx, [old], tx.now, [uuid7()])
    await complaints(desk, *range(500, 505), region="northeast")
    await look(desk)
    found = await desk.admin.fetch("SELECT symptom FROM incident WHERE region = 'northeast' ORDER BY id")
    assert [row["symptom"] for row in found] == ["", "漏水"]
