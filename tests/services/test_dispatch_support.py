"""Levels of support (R25), and repair plans that are signed off (R21)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest_asyncio

from contracts.dispatching import (
    DUTY_LEAD_G,
    EXPERT_D,
    FROM_AFAR,
    JUNIOR_A,
    LEADER_E,
    RND_LEAD,
    SAMPLE,
    SENIOR_C,
    SUPERVISOR_F,
    Desk,
    dispatching,
    heard,
    post,
)
from dispatch.organisation.rules import Organisation
from shared.clock import clock, uuid7
from shared.events.intake import CustomerErased

STEPS = ["Take the cover off", "Seal it"]
PLAN = {"steps": STEPS, "minutes": 90, "parts": [{"part_number": "SEAL-1", "quantity": 2}]}
HELP = {"reason": "Which seal fits?", "tried": "Both in stock."}


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


async def at_work(desk: Desk, severity: str = "important", **changes: Any) -> Any:
    """A ticket whose engineer works on it from afar."""
    ticket = await desk.ticket(await desk.ask(severity, **changes))
    client = desk.acting(ticket.engineer_id, "engineer")
    version = (await post(client, ticket.id, "accept", ticket.version))["version"]
    await post(client, ticket.id, "begin", version)
    return await desk.ticket(ticket.request_id)


async def do(
    desk: Desk, ticket: Any, who: UUID, command: str, role: Any = "engineer", **body: Any
) -> dict[str, Any]:
    """The ticket in full after a command of somebody that must succeed."""
    client = desk.acting(who, role)
    now = await desk.ticket(ticket.request_id)
    await post(client, ticket.id, command, now.version, **body)
    return await shown(desk, ticket)


async def refused(
    desk: Desk, ticket: Any, who: UUID, command: str, role: Any = "engineer", **body: Any
) -> str:
    now = await desk.ticket(ticket.request_id)
    answer = await desk.acting(who, role).post(
        f"/dispatch/tickets/{ticket.id}/{command}", json={"base_version": now.version, **body}
    )
    return f"{answer.status_code} {answer.json()['type'].removeprefix('/problems/')}"


async def shown(desk: Desk, ticket: Any) -> dict[str, Any]:
    client = desk.acting(DUTY_LEAD_G, "dispatcher")
    return dict((await client.get(f"/dispatch/tickets/{ticket.id}")).json())


async def publish(desk: Desk, **policy: Any) -> None:
    body = {"policy": policy, "note": "R21"}
    answer = await desk.acting("admin", "admin").put(
        "/dispatch/support/policy", json=body, headers={"if-match": '"0"'}
    )
    assert answer.status_code == 200, answer.text


async def leave(desk: Desk, who: UUID) -> None:
    now = clock.now()
    body = {"person_id": str(who), "starts_at": now.isoformat()}
    body |= {"ends_at": (now + timedelta(days=3)).isoformat()}
    answer = await desk.acting(DUTY_LEAD_G, "dispatcher").post("/dispatch/leave", json=body)
    assert answer.status_code == 201, answer.text


def done() -> dict[str, Any]:
    return {"work_note": "sealed", "items": [*FROM_AFAR]}


# --- Plans ---


async def test_who_guides_an_important_ticket_signs_its_plan_off_r21(desk: Desk) -> None:
    ticket = await at_work(desk)
    assert (await shown(desk, ticket))["plan_mark"] == "missing"
    now = await do(desk, ticket, ticket.engineer_id, "repair-plans", **PLAN)
    assert (now["plan_mark"], now["plan_signer_id"]) == ("proposed", str(SUPERVISOR_F))
    now = await do(desk, ticket, SUPERVISOR_F, "sign-off", number=1, signed=True)
    assert (now["plan_mark"], now["plan_signer_id"]) == (None, None)
    [plan] = now["plans"]
    assert (plan["state"], plan["by"], plan["decided_by"]) == (
        "signed",
        str(ticket.engineer_id),
        str(SUPERVISOR_F),
    )
    assert (plan["steps"], plan["minutes"], plan["parts"]) == (STEPS, 90, PLAN["parts"])
    told = await desk.told(ticket.id)
    assert [name for name, _, _ in told][-2:] == ["plan_proposed", "plan_decided"]
    assert not any("cover" in str(data) for _, _, data in told)  # what people wrote stays here


async def test_nobody_else_signs_and_nobody_their_own(desk: Desk) -> None:
    ticket = await at_work(desk)
    await do(desk, ticket, ticket.engineer_id, "repair-plans", **PLAN)
    word = {"number": 1, "signed": True}
    assert await refused(desk, ticket, ticket.engineer_id, "sign-off", **word) == "403 not-yours-to-sign"
    assert await refused(desk, ticket, DUTY_LEAD_G, "sign-off", "dispatcher", **word) == (
        "403 not-yours-to-sign"
    )
    assert await refused(desk, ticket, JUNIOR_A, "sign-off", **word) == "404 no-such-ticket"
    assert await refused(desk, ticket, SUPERVISOR_F, "repair-plans", **PLAN) == "403 not-your-task"
    await do(desk, ticket, UUID(int=24), "sign-off", "admin", **word)  # an administrator for them


async def test_what_is_sent_back_is_written_anew_and_every_version_is_kept(desk: Desk) -> None:
    ticket = await at_work(desk)
    await do(desk, ticket, ticket.engineer_id, "repair-plans", **PLAN)
    no = {"number": 1, "signed": False}
    assert await refused(desk, ticket, SUPERVISOR_F, "sign-off", **no) == "422 invalid-input"
    now = await do(desk, ticket, SUPERVISOR_F, "sign-off", **no, reason="Which seal?")
    assert (now["plan_mark"], now["plans"][0]["reason"]) == ("sent_back", "Which seal?")
    await do(desk, ticket, ticket.engineer_id, "repair-plans", **PLAN | {"steps": ["Seal it with A"]})
    assert await refused(desk, ticket, SUPERVISOR_F, "sign-off", number=1, signed=True) == "409 no-such-plan"
    await do(desk, ticket, SUPERVISOR_F, "sign-off", number=2, signed=True)
    assert await refused(desk, ticket, SUPERVISOR_F, "sign-off", number=2, signed=True) == "409 no-such-plan"
    # Another one takes the place of what was signed, and has to be signed itself.
    now = await do(desk, ticket, ticket.engineer_id, "repair-plans", **PLAN)
    assert [(each["number"], each["state"]) for each in now["plans"]] == [
        (3, "proposed"),
        (2, "superseded"),
        (1, "sent_back"),
    ]
    assert now["plan_mark"] == "proposed"


async def test_without_another_policy_nothing_waits_for_a_signature(desk: Desk) -> None:
    ticket = await at_work(desk)
    now = await do(desk, ticket, ticket.engineer_id, "resolve", **done())
    assert (now["state"], now["plan_mark"]) == ("resolved", None)


async def test_a_policy_lets_the_end_wait_for_the_signature_r21(desk: Desk) -> None:
    await publish(desk, sign_off={"general": None, "important": "resolve", "urgent": None})
    ticket = await at_work(desk)
    client = desk.acting(ticket.engineer_id, "engineer")
    now = await desk.ticket(ticket.request_id)
    sent = {"base_version": now.version, **done()}
    answer = await client.post(f"/dispatch/tickets/{ticket.id}/resolve", json=sent)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/plan-not-signed")
    assert (answer.json()["state"], answer.json()["signer_id"]) == ("missing", str(SUPERVISOR_F))
    await do(desk, ticket, ticket.engineer_id, "repair-plans", **PLAN)
    assert await refused(desk, ticket, ticket.engineer_id, "resolve", **done()) == "409 plan-not-signed"
    await do(desk, ticket, SUPERVISOR_F, "sign-off", number=1, signed=True)
    await do(desk, ticket, ticket.engineer_id, "resolve", **done())
    other = await at_work(desk, "general")
    await do(desk, other, other.engineer_id, "resolve", **done())


async def test_a_policy_lets_the_beginning_wait_too(desk: Desk) -> None:
    await publish(desk, sign_off={"general": "begin_work", "important": None, "urgent": None})
    ticket = await desk.ticket(await desk.ask())
    await do(desk, ticket, ticket.engineer_id, "accept")
    assert await refused(desk, ticket, ticket.engineer_id, "begin") == "409 plan-not-signed"
    await do(desk, ticket, ticket.engineer_id, "repair-plans", **PLAN)
    await do(desk, ticket, DUTY_LEAD_G, "sign-off", "dispatcher", number=1, signed=True)
    assert (await do(desk, ticket, ticket.engineer_id, "begin"))["state"] == "working"


async def test_the_leader_of_the_group_signs_an_urgent_plan(desk: Desk) -> None:
    ticket = await at_work(desk, "urgent")
    now = await do(desk, ticket, ticket.engineer_id, "repair-plans", **PLAN)
    leader = ticket.owner_id if ticket.owner_id != ticket.engineer_id else DUTY_LEAD_G
    assert now["plan_signer_id"] == str(leader)
    role = "engineer" if leader == LEADER_E else "dispatcher"
    await do(desk, ticket, leader, "sign-off", role, number=1, signed=True)


async def test_a_substitute_signs_while_the_supervisor_is_on_leave(desk: Desk) -> None:
    people = tuple(
        each.model_copy(update={"substitutes": (EXPERT_D,)}) if each.id == SUPERVISOR_F else each
        for each in SAMPLE.people
    )
    document = SAMPLE.model_copy(update={"people": people})
    await desk.put(Organisation.model_validate(document.model_dump(mode="json")), 1)
    ticket = await at_work(desk)
    await do(desk, ticket, ticket.engineer_id, "repair-plans", **PLAN)
    await leave(desk, SUPERVISOR_F)
    assert (await shown(desk, ticket))["plan_signer_id"] == str(EXPERT_D)
    assert await refused(desk, ticket, SUPERVISOR_F, "sign-off", number=1, signed=True) == (
        "404 no-such-ticket"
    )
    now = await do(desk, ticket, EXPERT_D, "sign-off", number=1, signed=True)
    assert now["plans"][0]["decided_by"] == str(EXPERT_D)


async def test_the_same_key_signs_once(desk: Desk) -> None:
    ticket = await at_work(desk)
    await do(desk, ticket, ticket.engineer_id, "repair-plans", **PLAN)
    version = (await desk.ticket(ticket.request_id)).version
    once = {"idempotency-key": str(uuid7())}
    body = {"base_version": version, "number": 1, "signed": True}
    client = desk.acting(SUPERVISOR_F, "engineer")
    path = f"/dispatch/tickets/{ticket.id}/sign-off"
    first, again = [await client.post(path, json=body, headers=once) for _ in range(2)]
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert (await desk.names(ticket.id)).count("plan_decided") == 1


async def test_the_board_and_the_app_show_which_plan_waits(desk: Desk) -> None:
    ticket = await at_work(desk)
    board = await desk.browser(DUTY_LEAD_G, "dispatcher")
    assert "Plan not signed off yet" in (await board.get("/dispatch/board")).text
    await do(desk, ticket, ticket.engineer_id, "repair-plans", **PLAN)
    assert "Plan to be signed off" in (await board.get("/dispatch/board")).text
    phone = await desk.browser(SUPERVISOR_F, "engineer")
    assert "Plan to be signed off" in (await phone.get("/dispatch/app")).text
    assert "Sign the plan off" in (await phone.get(f"/dispatch/tickets/{ticket.id}/page")).text
    had = await desk.browser(ticket.engineer_id, "engineer")
    assert "Sign the plan off" not in (await had.get(f"/dispatch/tickets/{ticket.id}/page")).text


async def test_an_erased_customers_words_leave_the_plans_too(desk: Desk) -> None:
    ticket = await at_work(desk)
    await do(desk, ticket, ticket.engineer_id, "repair-plans", **PLAN)
    await desk.receive(heard(CustomerErased(requests=1), ticket.customer_id))
    assert (await shown(desk, ticket))["plans"][0]["steps"] == ["—"]


async def test_policies_are_kept_version_by_version(desk: Desk) -> None:
    admin = desk.acting("admin", "admin")
    assert (await admin.get("/dispatch/support/policy")).json()["version"] == 0
    await publish(desk, rnd_hours=8)
    again = await admin.put("/dispatch/support/policy", json={"policy": {}}, headers={"if-match": '"0"'})
    assert again.status_code == 412
    found = (await admin.get("/dispatch/support/policies")).json()["items"]
    assert [(each["version"], each["policy"]["rnd_hours"]) for each in found] == [(1, 8)]
    wrong = {"policy": {"sign_off": {"important": "resolve"}}}
    answer = await admin.put("/dispatch/support/policy", json=wrong, headers={"if-match": '"1"'})
    assert answer.status_code == 422


# --- Levels ---


async def test_an_expert_helps_and_engineer_and_owner_stay_r25(desk: Desk) -> None:
    ticket = await at_work(desk, "general")
    now = await do(desk, ticket, ticket.engineer_id, "escalate", to="l2", **HELP)
    helper = UUID(now["helper_id"])
    assert (now["support_level"], helper in {SENIOR_C, EXPERT_D, LEADER_E, SUPERVISOR_F}) == ("l2", True)
    assert (now["engineer_id"], now["owner_id"]) == (str(ticket.engineer_id), str(ticket.owner_id))
    seen = await desk.acting(helper, "engineer").get(f"/dispatch/tickets/{ticket.id}")
    assert seen.status_code == 200
    [told] = [data for name, _, data in await desk.told(ticket.id) if name == "ticket_escalated"]
    assert (told["level"], told["previous_level"], told["how"]) == ("l2", "l1", "supports")
    assert not any(word in str(told) for word in HELP.values())
    assert await refused(desk, ticket, ticket.engineer_id, "escalate", to="l2", **HELP) == (
        "409 already-at-level"
    )
    board = await desk.browser(DUTY_LEAD_G, "dispatcher")
    assert "Second level" in (await board.get("/dispatch/board")).text
    page = (await board.get(f"/dispatch/tickets/{ticket.id}/page")).text
    assert HELP["reason"] in page
    now = await do(desk, ticket, ticket.engineer_id, "deescalate", to="l1", reason="It fits.")
    assert (now["support_level"], now["helper_id"]) == ("l1", None)
    assert (await desk.acting(helper, "engineer").get(f"/dispatch/tickets/{ticket.id}")).status_code == 404


async def test_an_expert_takes_over_where_who_answers_says_so(desk: Desk) -> None:
    ticket = await at_work(desk, "general")
    wish = {"to": "l2", "how": "takes_over", **HELP}
    assert await refused(desk, ticket, ticket.engineer_id, "escalate", **wish) == (
        "403 not-yours-to-hand-over"
    )
    now = await do(desk, ticket, DUTY_LEAD_G, "escalate", "dispatcher", **wish)
    assert now["support_level"] == "l2"
    assert now["engineer_id"] == now["owner_id"] != str(ticket.engineer_id)
    assert (now["state"], now["helper_id"], now["transfers"]) == ("assigned", None, 1)


async def test_r_and_d_gets_a_task_and_a_lower_level_takes_it_back_r25(desk: Desk) -> None:
    ticket = await at_work(desk, "general")
    now = await do(desk, ticket, ticket.engineer_id, "escalate", to="rnd", blocking=True, **HELP)
    assert (now["support_level"], now["state"]) == ("rnd", "waiting")
    [task] = now["tasks"]
    assert (task["department"], task["owner_id"], task["blocking"]) == ("rnd", str(RND_LEAD), True)
    assert HELP["tried"] in task["what"]
    now = await do(desk, ticket, ticket.engineer_id, "deescalate", to="l1", reason="Found it.")
    assert (now["support_level"], now["state"], now["tasks"][0]["state"]) == ("l1", "working", "withdrawn")


async def test_another_expert_helps_while_the_first_is_away(desk: Desk) -> None:
    ticket = await at_work(desk, "general")
    now = await do(desk, ticket, ticket.engineer_id, "escalate", to="l2", **HELP)
    first = UUID(now["helper_id"])
    await leave(desk, first)
    now = await shown(desk, ticket)
    assert now["helper_id"] not in (None, str(first), str(ticket.engineer_id))
    assert (await desk.names(ticket.id))[-1] == "helper_changed"


async def test_a_phone_that_was_away_asks_for_help_and_brings_a_plan(desk: Desk) -> None:
    ticket = await at_work(desk)
    now = clock.now().isoformat()
    head = {"ticket_id": str(ticket.id), "done_at": now, "base_version": ticket.version}
    plan = {"steps": "\n".join(STEPS), "minutes": "90", "plan_parts": "SEAL-1 2"}
    commands = [
        {"id": str(uuid7()), **head, "form": {"command": "escalate", "to": "l2", **HELP}},
        {"id": str(uuid7()), **head, "form": {"command": "propose_plan", **plan}},
    ]
    client = desk.acting(ticket.engineer_id, "engineer")
    for outcome in ("applied", "applied"):  # sent twice, done once
        brought = await client.post("/dispatch/app/commands", json={"sent_at": now, "commands": commands})
        assert [each["outcome"] for each in brought.json()["results"]] == [outcome] * 2, brought.text
    found = await shown(desk, ticket)
    assert found["helper_id"] != str(SUPERVISOR_F)  # who guides it already
    assert (found["support_level"], len(found["plans"]), found["plan_mark"]) == ("l2", 1, "proposed")
    assert found["plans"][0]["parts"] == PLAN["parts"]


async def test_a_ticket_that_comes_back_begins_at_the_first_level_without_a_plan(desk: Desk) -> None:
    ticket = await at_work(desk)
    await do(desk, ticket, ticket.engineer_id, "escalate", to="l2", **HELP)
    await do(desk, ticket, ticket.engineer_id, "repair-plans", **PLAN)
    await do(desk, ticket, SUPERVISOR_F, "sign-off", number=1, signed=True)
    await do(desk, ticket, DUTY_LEAD_G, "cancel", "dispatcher", reason="other", note="x")
    now = await do(desk, ticket, DUTY_LEAD_G, "reopen", "dispatcher", reason="It leaks.")
    assert (now["support_level"], now["helper_id"], now["plan_mark"]) == ("l1", None, "missing")
    assert len(now["plans"]) == 1
