"""Other departments are asked for something on a ticket (R37): who answers, what waits, and who sees what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.dispatching import (
    DUTY_LEAD_G,
    FROM_AFAR,
    JUNIOR_A,
    LOGISTICS,
    RND_DEVELOPER,
    RND_LEAD,
    SAMPLE,
    SENIOR_C,
    SUPERVISOR_F,
    Desk,
    dispatching,
    heard,
    post,
)
from dispatch.organisation.rules import Department, Organisation, faults
from shared.clock import clock, uuid7
from shared.events.intake import CustomerErased

WHAT = "Why does the seal leak?"


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with dispatching(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(running: Desk) -> AsyncIterator[Desk]:
    await running.clear()
    await running.put(SAMPLE, 0)
    yield running
    assert await running.violations() == {}


async def at_work(desk: Desk, severity: str = "general", **changes: Any) -> Any:
    """A ticket whose engineer works on it from afar."""
    ticket = await desk.ticket(await desk.ask(severity, **changes))
    client = desk.acting(ticket.engineer_id, "engineer")
    version = (await post(client, ticket.id, "accept", ticket.version))["version"]
    await post(client, ticket.id, "begin", version)
    return await desk.ticket(ticket.request_id)


def wish(department: str = "rnd", *, hours: float = 4, **more: Any) -> dict[str, Any]:
    needed = clock.now() + timedelta(hours=hours)
    return {"department": department, "what": WHAT, "needed_by": needed.isoformat(), **more}


async def ask(desk: Desk, ticket: Any, who: UUID | None = None, **more: Any) -> dict[str, Any]:
    """The new task, as its department sees it."""
    client = desk.acting(who or ticket.engineer_id, "engineer")
    await post(client, ticket.id, "tasks", (await desk.ticket(ticket.request_id)).version, **wish(**more))
    detail = (await client.get(f"/dispatch/tickets/{ticket.id}")).json()
    return dict(detail["tasks"][0])


async def do(desk: Desk, task: dict[str, Any], who: UUID, command: str, **body: Any) -> dict[str, Any]:
    role = body.pop("role", "department")
    path = f"/dispatch/department-tasks/{task['id']}/{command}"
    answer = await desk.acting(who, role).post(path, json={"base_version": task["version"], **body})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def refused(desk: Desk, task: dict[str, Any], who: UUID, command: str, **body: Any) -> str:
    role = body.pop("role", "department")
    path = f"/dispatch/department-tasks/{task['id']}/{command}"
    answer = await desk.acting(who, role).post(path, json={"base_version": task["version"], **body})
    return f"{answer.status_code} {answer.json()['type'].removeprefix('/problems/')}"


async def test_what_blocks_lets_the_ticket_wait_until_it_is_done_r37(desk: Desk) -> None:
    ticket = await at_work(desk)
    task = await ask(desk, ticket, blocking=True)
    waiting = await desk.ticket(ticket.request_id)
    assert (waiting.state, waiting.waiting_for, waiting.paused_in) == (
        "waiting",
        "other_department",
        "working",
    )
    assert (task["state"], task["owner_id"], task["late"]) == ("asked", str(RND_LEAD), False)
    task = await do(desk, task, RND_DEVELOPER, "accept")
    assert task["owner_id"] == str(RND_DEVELOPER)  # who says yes answers for it
    await do(desk, task, RND_DEVELOPER, "finish", answer="A batch of bad seals.")
    assert (await desk.ticket(ticket.request_id)).state == "working"
    names = await desk.names(ticket.id)
    assert names[-5:] == ["task_asked", "ticket_paused", "task_accepted", "task_done", "ticket_resumed"]
    told = [data for name, _, data in await desk.told(ticket.id) if name.startswith("task_")]
    assert not any(WHAT in str(data) or "seals" in str(data) for data in told)


async def test_who_resumed_by_hand_is_not_resumed_again_nor_what_waits_for_something_else(desk: Desk) -> None:
    ticket = await at_work(desk)
    task = await ask(desk, ticket, blocking=True)
    client = desk.acting(ticket.engineer_id, "engineer")
    version = (await post(client, ticket.id, "resume", (await desk.ticket(ticket.request_id)).version))[
        "version"
    ]
    await post(client, ticket.id, "pause", version, waiting_for="other_department")
    await do(desk, task, RND_LEAD, "finish")
    assert (await desk.ticket(ticket.request_id)).state == "waiting"  # by hand it waits, by hand it goes on


async def test_two_that_block_are_waited_for_both(desk: Desk) -> None:
    ticket = await at_work(desk)
    first = await ask(desk, ticket, blocking=True)
    second = await ask(desk, ticket, department="logistics", blocking=True)
    await do(desk, first, RND_LEAD, "decline", reason="Not ours.")
    assert (await desk.ticket(ticket.request_id)).state == "waiting"
    await do(desk, second, ticket.engineer_id, "withdraw", role="engineer")
    assert (await desk.ticket(ticket.request_id)).state == "working"


async def test_nothing_is_finished_while_something_blocks_it(desk: Desk) -> None:
    ticket = await at_work(desk)
    task = await ask(desk, ticket, blocking=True)
    client = desk.acting(ticket.engineer_id, "engineer")
    version = (await post(client, ticket.id, "resume", (await desk.ticket(ticket.request_id)).version))[
        "version"
    ]
    done = {"work_note": "sealed", "items": [*FROM_AFAR], "base_version": version}
    answer = await client.post(f"/dispatch/tickets/{ticket.id}/resolve", json=done)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/tasks-open")
    assert answer.json()["tasks"] == [task["id"]]
    assert "rnd" in answer.json()["detail"]
    await do(desk, task, RND_LEAD, "finish")
    now = await desk.ticket(ticket.request_id)
    await post(client, ticket.id, "resolve", now.version, work_note="sealed", items=[*FROM_AFAR])
    assert await refused(
        desk, {**task, "version": 2}, ticket.engineer_id, "reopen", role="engineer", reason="no"
    ) == ("409 ticket-has-ended")


async def test_what_is_asked_before_somebody_is_at_work_is_waited_for_when_they_are(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask())
    task = await ask(desk, ticket, blocking=True)
    assert (await desk.ticket(ticket.request_id)).state == "assigned"
    client = desk.acting(ticket.engineer_id, "engineer")
    now = await desk.ticket(ticket.request_id)
    taken = await post(client, ticket.id, "accept", now.version)
    assert (taken["state"], taken["waiting_for"]) == ("waiting", "other_department")
    await do(desk, task, RND_LEAD, "finish")
    assert (await desk.ticket(ticket.request_id)).state == "accepted"


async def test_what_is_open_when_a_ticket_ends_is_withdrawn_with_it(desk: Desk) -> None:
    ticket = await at_work(desk)
    task = await ask(desk, ticket, blocking=True)
    other = await ask(desk, ticket, department="logistics")
    dispatcher = desk.acting(DUTY_LEAD_G, "dispatcher")
    now = await desk.ticket(ticket.request_id)
    ended = await post(dispatcher, ticket.id, "cancel", now.version, reason="other", note="x")
    assert ended["version"] == (await desk.ticket(ticket.request_id)).version
    assert (await desk.names(ticket.id))[-2:] == ["task_withdrawn", "task_withdrawn"]
    for each, who in ((task, RND_LEAD), (other, LOGISTICS)):
        found = (await desk.acting(who, "department").get(f"/dispatch/department-tasks/{each['id']}")).json()
        assert (found["state"], found["lines"][-1]["what"]) == ("withdrawn", "withdrawn")


async def test_the_customer_who_accepts_ends_what_blocks_nothing(desk: Desk) -> None:
    ticket = await at_work(desk)
    task = await ask(desk, ticket)
    client = desk.acting(ticket.engineer_id, "engineer")
    now = await desk.ticket(ticket.request_id)
    await post(client, ticket.id, "resolve", now.version, work_note="done", items=[*FROM_AFAR])
    link = await desk.link_to(ticket.id)
    letter = desk.served.client()
    proof = (await letter.get(link)).text.split('name="proof" value="')[1].split('"')[0]
    origin = {"origin": str(letter.base_url).rstrip("/")}
    assert (
        await letter.post(link, data={"verdict": "accept", "proof": proof}, headers=origin)
    ).status_code < 400
    assert (await desk.names(ticket.id))[-2:] == ["ticket_closed", "task_withdrawn"]
    assert await refused(desk, {**task, "version": 2}, RND_LEAD, "finish") == "409 task-not-ready"


# --- Who answers ---


async def test_every_task_has_an_owner_whoever_is_away_r24(desk: Desk) -> None:
    ticket = await at_work(desk)
    task = await ask(desk, ticket, department="rnd")
    assert task["owner_id"] == str(RND_LEAD)
    for who, heir in ((RND_LEAD, RND_DEVELOPER), (RND_DEVELOPER, DUTY_LEAD_G)):
        now = clock.now()
        leave = {"person_id": str(who), "starts_at": now.isoformat()}
        body = {**leave, "ends_at": (now + timedelta(days=3)).isoformat()}
        answer = await desk.acting(DUTY_LEAD_G, "dispatcher").post("/dispatch/leave", json=body)
        assert answer.status_code == 201, answer.text
        [row] = await desk.rows("SELECT owner_id, state FROM department_task")
        assert (row.owner_id, row.state) == (heir, "asked")
    assert (await desk.names(ticket.id))[-2:] == ["task_handed_on", "task_handed_on"]
    assert (await ask(desk, ticket, department="rnd"))["owner_id"] == str(DUTY_LEAD_G)


async def test_an_import_moves_what_nobody_of_the_department_answers_for_any_more(desk: Desk) -> None:
    ticket = await at_work(desk)
    task = await ask(desk, ticket, department="rnd")
    await ask(desk, ticket, department="sales")
    kept = [each for each in SAMPLE.departments if each.code != "sales"]
    rnd = Department(code="rnd", name="R&D", accountable=LOGISTICS)
    document = SAMPLE.model_copy(
        update={"departments": tuple(rnd if each.code == "rnd" else each for each in kept)}
    )
    await desk.put(Organisation.model_validate(document.model_dump(mode="json")), 1)
    rows = await desk.rows("SELECT department, owner_id FROM department_task ORDER BY id")
    assert [tuple(row) for row in rows] == [("rnd", LOGISTICS), ("sales", DUTY_LEAD_G)]
    assert await refused(desk, {**task, "version": 2}, RND_LEAD, "accept") == "404 no-such-task"


async def test_a_task_is_handed_on_within_its_department_alone(desk: Desk) -> None:
    task = await ask(desk, await at_work(desk))
    assert await refused(desk, task, RND_LEAD, "reassign", person_id=str(LOGISTICS)) == "422 invalid-input"
    task = await do(desk, task, RND_LEAD, "accept")
    task = await do(desk, task, RND_LEAD, "reassign", person_id=str(RND_DEVELOPER), reason="Yours.")
    assert (task["state"], task["owner_id"]) == ("asked", str(RND_DEVELOPER))


def test_a_document_whose_departments_have_nobody_is_refused() -> None:
    stranger = uuid7()
    department = Department(code="rnd", name="R&D", accountable=stranger, members=(stranger,))
    found = faults(SAMPLE.model_copy(update={"departments": (department, department)}))
    assert [(each.path, each.code) for each in found] == [
        (("departments", 1), "repeated"),
        (("departments", 0, "accountable"), "unknown_person"),
        (("departments", 0, "members", 0), "unknown_person"),
        (("departments", 1, "accountable"), "unknown_person"),
        (("departments", 1, "members", 0), "unknown_person"),
    ]


# --- Who sees and may do what ---


async def test_people_of_a_department_see_its_tasks_and_the_head_of_the_ticket_alone(desk: Desk) -> None:
    ticket = await at_work(desk, title="The pump leaks", product_line="pumps")
    task = await ask(desk, ticket)
    await ask(desk, ticket, department="logistics")
    lead = desk.acting(RND_LEAD, "department")
    [found] = (await lead.get("/dispatch/department-tasks")).json()["items"]
    head = {
        "number": ticket.number,
        "title": "The pump leaks",
        "product_line": "pumps",
        "severity": "general",
    }
    assert (found["id"], found["ticket"]) == (task["id"], head)
    assert (await lead.get(f"/dispatch/tickets/{ticket.id}")).status_code == 403
    assert (await lead.get("/dispatch/tickets")).status_code == 403
    stranger = desk.acting(LOGISTICS, "department")
    path = f"/dispatch/department-tasks/{task['id']}"
    assert (await stranger.get(path)).status_code == 404
    for command, body in (
        ("accept", {}),
        ("finish", {}),
        ("decline", {"reason": "no"}),
        ("reassign", {"person_id": str(RND_DEVELOPER)}),
        ("withdraw", {}),
        ("reopen", {"reason": "no"}),
        ("comments", {"text": "hm"}),
    ):
        assert await refused(desk, task, LOGISTICS, command, **body) == "404 no-such-task", command
        assert (
            await refused(
                desk,
                task,
                JUNIOR_A if ticket.engineer_id != JUNIOR_A else SENIOR_C,
                command,
                role="engineer",
                **body,
            )
            == "404 no-such-task"
        )
    limited = desk.acting(DUTY_LEAD_G, "dispatcher", regions=frozenset({"north"}))
    assert (await limited.get(path)).status_code == 404
    assert (await limited.get("/dispatch/department-tasks")).json()["items"] == []
    assert (
        len((await desk.acting(DUTY_LEAD_G, "operations").get("/dispatch/department-tasks")).json()["items"])
        == 2
    )


async def test_each_side_does_what_is_its_own(desk: Desk) -> None:
    ticket = await at_work(desk)
    task = await ask(desk, ticket)
    assert (
        await refused(desk, task, ticket.engineer_id, "finish", role="engineer") == "403 not-your-department"
    )
    assert await refused(desk, task, RND_LEAD, "withdraw") == "403 not-your-department"
    await do(desk, task, ticket.engineer_id, "comments", role="engineer", text="It is the lower seal.")
    task = await do(desk, task, RND_LEAD, "comments", text="Thank you.")
    task = await do(desk, task, RND_LEAD, "finish")
    task = await do(desk, task, ticket.engineer_id, "reopen", role="engineer", reason="It leaks again.")
    assert (task["state"], task["said"]) == ("asked", "It leaks again.")
    lines = (await desk.acting(RND_LEAD, "department").get(f"/dispatch/department-tasks/{task['id']}")).json()
    assert [each["what"] for each in lines["lines"]] == ["asked", "comment", "comment", "done", "reopened"]


async def test_the_supervisor_asks_too_and_strangers_do_not(desk: Desk) -> None:
    ticket = await at_work(desk, "important")
    assert (await ask(desk, ticket, SUPERVISOR_F))["asked_by"] == str(SUPERVISOR_F)
    body = {"base_version": ticket.version, **wish()}
    stranger = await desk.acting(JUNIOR_A, "engineer").post(f"/dispatch/tickets/{ticket.id}/tasks", json=body)
    assert stranger.status_code == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"department": "marketing"}, "unknown_department"),
        ({"needed_by": "2020-01-01T00:00:00Z"}, "needed_time"),
        ({"needed_by": "2199-01-01T00:00:00Z"}, "needed_time"),
        ({"what": "Call 13800138000"}, "contact_data"),
    ],
)
async def test_what_is_wrong_with_a_wish_is_said_where(desk: Desk, body: dict[str, str], code: str) -> None:
    ticket = await at_work(desk)
    client = desk.acting(ticket.engineer_id, "engineer")
    sent = {"base_version": ticket.version, **wish(), **body}
    answer = await client.post(f"/dispatch/tickets/{ticket.id}/tasks", json=sent)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == (f"/{next(iter(body))}", code)


async def test_a_command_on_an_old_version_is_refused_and_the_same_key_does_it_once(desk: Desk) -> None:
    task = await ask(desk, await at_work(desk))
    path = f"/dispatch/department-tasks/{task['id']}/accept"
    lead = desk.acting(RND_LEAD, "department")
    assert (await lead.post(path, json={})).status_code == 428
    assert (await lead.post(path, json={}, headers={"if-match": '"9"'})).status_code == 412
    once = {"if-match": '"1"', "idempotency-key": str(uuid7())}
    first, again = [await lead.post(path, json={}, headers=once) for _ in range(2)]
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert first.headers["etag"] == '"2"'


async def test_lists_have_the_overdue_first_and_come_in_pages(desk: Desk) -> None:
    ticket = await at_work(desk)
    ids = {}
    for hours in (30, 2, 9):
        ids[hours] = (await ask(desk, ticket, hours=hours))["id"]
    await desk.admin.execute(
        "UPDATE department_task SET needed_by = now() - interval '1 hour' WHERE id = $1", UUID(ids[9])
    )
    lead = desk.acting(RND_LEAD, "department")
    first = (await lead.get("/dispatch/department-tasks?limit=2")).json()
    rest = (await lead.get("/dispatch/department-tasks", params={"limit": 2, "cursor": first["next"]})).json()
    assert [each["id"] for each in (*first["items"], *rest["items"])] == [ids[9], ids[2], ids[30]]
    assert first["items"][0]["late"]
    assert [
        each["id"] for each in (await lead.get("/dispatch/department-tasks?show=overdue")).json()["items"]
    ] == [ids[9]]
    assert (await lead.get("/dispatch/department-tasks?department=sales")).json()["items"] == []


async def test_an_erased_customers_words_leave_the_tasks_too(desk: Desk) -> None:
    ticket = await at_work(desk)
    task = await ask(desk, ticket)
    await do(desk, task, RND_LEAD, "comments", text="Seen before.")
    await desk.receive(heard(CustomerErased(requests=1), ticket.customer_id))
    found = (await desk.acting(RND_LEAD, "department").get(f"/dispatch/department-tasks/{task['id']}")).json()
    assert (found["what"], found["ticket"]["title"]) == ("—", "—")
    assert {each["said"] for each in found["lines"]} == {"—"}
