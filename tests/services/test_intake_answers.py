"""What the desk answers: by templates that are data, and at once where nothing else is to be done (R11)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest_asyncio

from contracts.hearing import Hearing, hearing, told_event
from intake.app import service
from intake.desk.store import Figures, load_figures
from intake.progress.links import path_of
from intake.requests import store
from intake.requests.access import NO_LIMITS, Limits
from intake.requests.rules import HOUSE_FORM
from shared.clock import clock, uuid7
from shared.events import sla
from shared.http.auth import Role

AGENT = "01a20273-7507-7fce-927d-0a465d28c402"
WORDS = {"language": "en", "title": "Hello", "body": "Hello {name}, we answer {promised}.", "owner": "desk"}


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


async def asked(desk: Hearing, text: str, **more: Any) -> UUID:
    customer = {"external_id": str(uuid7()), "name": "王女士"}
    new = {"customer": customer, "region": "east", "description": text, **more}
    headers = {"idempotency-key": str(uuid7())}
    answer = await desk.client("adapter", id=HOUSE_FORM).post("/intake/requests", json=new, headers=headers)
    assert answer.status_code == 202, answer.text
    return UUID(answer.json()["request_id"])


async def answered(desk: Hearing, request: UUID, **said: Any) -> httpx.Response:
    client = desk.client("care", id=AGENT)
    return await client.post(f"/intake/requests/{request}/answers", json={"text": "已发货", **said})


async def figures(desk: Hearing, limits: Limits = NO_LIMITS) -> Figures:
    async with desk.database.transaction() as tx:
        return await load_figures(tx, limits)


async def opened(browser: httpx.AsyncClient, path: str) -> str:
    answer = await browser.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


# R11.


async def test_a_simple_question_is_solved_at_once_by_who_answers_it(desk: Hearing) -> None:
    """R11: "simple questions solved at once (order, payment, logistics status)": one answer, no work left."""
    before = await figures(desk)
    id = await asked(desk, "我的订单什么时候发货？物流到哪了")
    assert (await desk.client("care").get(f"/intake/requests/{id}")).json()["kind"] == "order_query"
    assert (await answered(desk, id, solved=True)).status_code == 201
    told = await desk.told(id)
    assert [name for name, _, _ in told] == [
        "request_registered",
        "request_answered",
        "answer_given",
        "request_solved",
    ]
    solved = told[-1][2]
    view = (await desk.client("care").get(f"/intake/requests/{id}")).json()
    assert (solved["request_id"], solved["by"], solved["channel"]) == (str(id), AGENT, "web_form")
    assert datetime.fromisoformat(solved["solved_at"]) == datetime.fromisoformat(view["solved_at"])
    after = await figures(desk)
    assert (after.open, after.simple, after.at_once) == (before.open, before.simple + 1, before.at_once + 1)
    page = await opened(await desk.served.signed_in("care"), f"/intake/desk/{id}")
    assert page.count("Solved at first contact") == 2  # beside the title, and behind the answer that it was
    assert page.index("已发货</p>") < page.rindex("Solved at first contact")
    assert "It is finished." in await opened(desk.served.client(), path_of(id, desk.served.settings))


async def test_what_takes_more_than_one_answer_is_solved_but_not_at_first_contact(desk: Hearing) -> None:
    before = await figures(desk)
    id = await asked(desk, "请问订单怎么付款")
    await answered(desk, id)
    assert (await answered(desk, id, solved=True)).status_code == 201
    after = await figures(desk)
    assert (after.simple, after.at_once) == (before.simple + 1, before.at_once)
    assert (await answered(desk, id, solved=True)).status_code == 409
    assert [name for name, _, _ in await desk.told(id)].count("request_solved") == 1
    page = await opened(await desk.served.signed_in("care"), f"/intake/desk/{id}")
    assert "Solved at first contact" not in page
    assert "Solved at the desk" in page


async def test_a_fault_is_never_solved_by_an_answer_alone(desk: Hearing) -> None:
    id = await asked(desk, "水泵漏水，停机了")
    refused = await answered(desk, id, solved=True)
    assert refused.status_code == 409
    assert "judge it otherwise" in refused.json()["detail"]
    assert (
        await desk.admin.fetchval(
            "SELECT count(*) FROM message WHERE direction = 'out' AND request_id = $1", id
        )
        == 0
    )
    assert 'name="solved"' not in await opened(await desk.served.signed_in("care"), f"/intake/desk/{id}")


async def test_the_rate_counts_all_questions_of_the_last_month_within_ones_limits(desk: Hearing) -> None:
    north = Limits(regions=frozenset({"north"}))
    assert (await figures(desk, north)).first_contact is None
    await asked(desk, "请问订单发货了吗", region="east")
    first, second, old = [await asked(desk, "请问订单发货了吗", region="north") for _ in range(3)]
    await answered(desk, first, solved=True)
    await desk.admin.execute("UPDATE request SET kind = 'enquiry' WHERE id = $1", second)
    found = await figures(desk, north)
    assert (found.at_once, found.simple) == (1, 3)
    await desk.admin.execute("UPDATE request SET kind = 'fault' WHERE id = $1", old)
    assert (await figures(desk, north)).first_contact == 1 / 2
    browser = await desk.served.signed_in("care")
    assert "Questions solved at once, 30 days" in await opened(browser, "/intake/desk")


async def test_what_was_said_on_the_phone_is_written_down_and_not_sent(desk: Hearing) -> None:
    id = await asked(desk, "请问订单发货了吗")
    browser = await desk.served.signed_in("care")
    page = await opened(browser, f"/intake/desk/{id}")
    [csrf] = set(re.findall(r'name="csrf" value="([^"]+)"', page))
    form = {"text": "昨天发出", "spoken": "true", "solved": "true", "csrf": csrf}
    assert (await browser.post(f"/intake/desk/{id}/answers", data=form)).status_code == 303
    row = await desk.admin.fetchrow("SELECT channel, state, why FROM message WHERE text = '昨天发出'")
    assert tuple(row) == ("phone", "sent", "spoken")
    assert (await desk.told(id))[-1][2]["channel"] == "phone"
    assert "said on the phone" in await opened(browser, f"/intake/desk/{id}")


async def test_what_was_asked_twice_is_solved_once_for_both(desk: Hearing) -> None:
    who = {"customer": {"external_id": str(uuid7())}}
    main, part = [await asked(desk, "请问订单发货了吗", **who) for _ in range(2)]
    fault = await asked(desk, "水泵漏水", **who)
    for other in (part, fault):
        await desk.admin.execute("INSERT INTO duplicate VALUES ($1, $2, 'merged')", other, main)
    await answered(desk, main, solved=True)
    solved = [
        id for id in (main, part, fault) if "request_solved" in {name for name, _, _ in await desk.told(id)}
    ]
    assert solved == [main, part]  # a fault's ticket is not ended by the way


async def test_what_goes_on_after_all_was_not_solved(desk: Hearing) -> None:
    before, id = await figures(desk), await asked(desk, "请问订单发货了吗")
    await answered(desk, id, solved=True)
    async with desk.database.transaction() as tx:
        await store.reopen(tx, {id: clock.now() + timedelta(seconds=1)})
    after = await figures(desk)
    assert (after.simple, after.at_once) == (before.simple + 1, before.at_once)
    assert (await desk.client("care").get(f"/intake/requests/{id}")).json()["solved_at"] is None


# Templates.


async def test_templates_are_looked_after_by_the_knowledge_role_and_read_by_the_desk(desk: Hearing) -> None:
    """R124: every change is a version, with who made it."""
    keeper, key = desk.client("knowledge", id="keeper"), {"idempotency-key": str(uuid7())}
    made = await keeper.post("/intake/answer-templates", json=WORDS, headers=key)
    assert (made.status_code, made.json()["version"], made.json()["by"]) == (201, 1, "keeper")
    place, seen = made.headers["location"], {"if-match": made.headers["etag"]}
    assert (await desk.client("care").put(place, json=WORDS, headers=seen)).status_code == 403
    assert (await desk.client("care").get(place)).json()["body"] == WORDS["body"]
    changed = await keeper.put(place, json=WORDS | {"body": "Hello"}, headers=seen)
    assert (changed.json()["version"], changed.json()["body"]) == (2, "Hello")
    assert (await keeper.put(place, json=WORDS, headers=seen)).status_code == 412
    again = {"idempotency-key": str(uuid7())}
    assert (await keeper.post("/intake/answer-templates", json=WORDS, headers=again)).status_code == 409
    assert (await keeper.delete(place, headers={"if-match": changed.headers["etag"]})).status_code == 204
    assert (await keeper.get(place)).status_code == 404
    languages = [each["language"] for each in (await keeper.get("/intake/answer-templates")).json()]
    assert languages == ["zh"] * 3 + ["en"] * 3  # what ships


async def test_an_unknown_placeholder_is_refused_with_what_and_where(desk: Hearing) -> None:
    wrong = WORDS | {"body": "Hello {name},\nwe come on {date}."}
    refused = await desk.client("knowledge").post("/intake/answer-templates", json=wrong)
    assert refused.status_code == 422
    [fault] = refused.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/body", "unknown_placeholder")
    assert fault["detail"].startswith("Line 2, character 12: nothing is known that stands for {date}.")
    browser = await desk.served.signed_in("knowledge")
    [csrf] = set(re.findall(r'name="csrf" value="([^"]+)"', await opened(browser, "/intake/templates/new")))
    drawn = await browser.post("/intake/templates", data=wrong | {"csrf": csrf})
    assert drawn.status_code == 422
    assert "Line 2, character 12" in drawn.text
    assert "we come on {date}." in drawn.text  # nothing typed is lost
    assert await desk.admin.fetchval("SELECT count(*) FROM answer_template WHERE title = 'Hello'") == 0


async def test_the_pages_write_change_and_remove(desk: Hearing) -> None:
    browser = await desk.served.signed_in("knowledge")
    [csrf] = set(re.findall(r'name="csrf" value="([^"]+)"', await opened(browser, "/intake/templates/new")))
    form = WORDS | {"title": "By page", "body": "One\r\ntwo", "csrf": csrf}
    assert (await browser.post("/intake/templates", data=form)).status_code == 303
    row = await desk.admin.fetchrow("SELECT id, body FROM answer_template WHERE title = 'By page'")
    assert row["body"] == "One\ntwo"
    path = f"/intake/templates/{row['id']}"
    assert "One\ntwo" in await opened(browser, path)
    assert (await browser.post(path, data=form | {"owner": "keeper", "seen": "1"})).status_code == 303
    assert (await browser.post(path, data=form | {"seen": "1"})).status_code == 412
    assert "keeper" in await opened(browser, "/intake/templates")
    gone = await browser.post(f"{path}/remove", data={"seen": "2", "csrf": csrf})
    assert gone.status_code == 303
    assert "By page" not in await opened(await desk.served.signed_in("care"), "/intake/templates")


async def test_the_knowledge_administrator_writes_articles(desk: Hearing) -> None:
    """R124."""
    seen: dict[Role, int] = {}
    for role in ("knowledge", "dispatcher"):
        browser = await desk.served.signed_in(role)
        seen[role] = (await browser.get("/intake/knowledge/new")).status_code
    assert seen == {"knowledge": 200, "dispatcher": 403}


async def test_a_template_is_chosen_in_the_customers_language_and_filled(desk: Hearing) -> None:
    """The promised time is that of the request's first reply, as sla-monitor told it, until it is given."""
    id = await asked(desk, "Where is my order, please?")
    until = datetime(2199, 11, 22, 10, 50, tzinfo=UTC)
    promise = sla.ClockStarted(
        about=id, about_kind="request", promise="first_reply", deadline=until, started_at=clock.now()
    )
    await desk.receive(told_event(promise, subject=uuid7(), version=1))
    browser = await desk.served.signed_in("care")
    page = await opened(browser, f"/intake/desk/{id}")
    assert page.index('<optgroup label="English">') < page.index('<optgroup label="中文">')
    template = "01930000-0000-7000-8000-00000000a011"
    path = f"/intake/desk/{id}/template?template={template}"
    filled = await opened(browser, path)
    number = await desk.admin.fetchval("SELECT number FROM request WHERE id = $1", id)
    request = f"your request (number R-{number})"
    assert f"Hello 王女士,\n\nwe have read {request} and answer by Fri 22 Nov, 18:50." in filled
    assert f"{desk.served.settings.public_url}{path_of(id, desk.served.settings)}" in filled
    await answered(desk, id)
    assert "and answer as soon as we can." in await opened(browser, path)
    assert await opened(browser, f"/intake/desk/{id}/template") == ""
    unknown = await browser.get(f"/intake/desk/{id}/template?template={uuid7()}")
    assert unknown.status_code == 404
    limited = desk.client("care", regions=frozenset({"north"}))
    assert (await limited.get(path)).status_code == 404


async def test_a_promise_to_who_is_not_acknowledged_is_kept_and_decides_nothing(desk: Hearing) -> None:
    id = await asked(desk, "水泵漏水")
    promise = sla.ClockStarted(
        about=id,
        about_kind="request",
        promise="first_reply",
        deadline=clock.now() + timedelta(hours=1),
        started_at=clock.now(),
    )
    await desk.receive(told_event(promise, subject=uuid7(), version=1))
    kept = "SELECT decided_at IS NOT NULL FROM acknowledgement WHERE request_id = $1"
    assert await desk.admin.fetchval(kept, id) is True
