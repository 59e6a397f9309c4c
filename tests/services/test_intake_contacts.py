"""The engineer of a job is shown the customer's number, nobody else is, and each look is recorded (R127)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
import pytest_asyncio

from chaos.databases import empty
from contracts.hearing import Hearing, hearing
from intake.app import service
from shared.clock import clock, uuid7
from shared.http.auth import Role
from shared.http.passes import LIVES, pass_for

ENGINEER = str(UUID(int=7))
NUMBER = "+8613800000777"


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as found:
        yield found


@pytest_asyncio.fixture
async def desk(running: Hearing) -> Hearing:
    await empty(running.admin, "request, customer, audit")
    return running


async def asked(desk: Hearing, **customer: str) -> UUID:
    """A request of a customer; its id."""
    body = {"customer": {"name": "Wang Fang", **customer}, "description": "The pump makes a noise"}
    place = {"region": "east", "city": "shanghai", "latitude": 31.23041, "longitude": 121.47373}
    headers = {"idempotency-key": str(uuid7())}
    answer = await desk.client("adapter").post("/intake/requests", json=body | place, headers=headers)
    assert answer.status_code == 202, answer.text
    return UUID(answer.json()["request_id"])


def token(desk: Hearing, request_id: UUID, who: str = ENGINEER, *, ago: timedelta = timedelta()) -> str:
    return pass_for("contact", request_id, who, clock.now() - ago, desk.served.settings)


async def looks(desk: Hearing) -> list[str]:
    rows = await desk.admin.fetch("SELECT actor FROM audit WHERE action = 'customer_read'")
    return [row["actor"] for row in rows]


async def test_who_has_the_job_sees_the_number_and_that_is_recorded(desk: Hearing) -> None:
    request_id = await asked(desk, phone="13800000777")
    answer = await desk.client("engineer", id=ENGINEER).get(f"/intake/contacts/{token(desk, request_id)}")
    assert answer.status_code == 200, answer.text
    assert f'href="tel:{NUMBER}"' in answer.text
    assert "Wang Fang" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert await looks(desk) == [ENGINEER]


@pytest.mark.parametrize("role", ["storekeeper", "adapter"])
async def test_a_pass_opens_for_engineers_only(desk: Hearing, role: Role) -> None:
    request_id = await asked(desk, phone="13800000777")
    answer = await desk.client(role, id=ENGINEER).get(f"/intake/contacts/{token(desk, request_id)}")
    assert answer.status_code == 403


async def test_another_persons_pass_an_old_one_and_a_forged_one_open_nothing(desk: Hearing) -> None:
    request_id = await asked(desk, phone="13800000777")
    mine = desk.client("engineer", id=ENGINEER)
    good = token(desk, request_id)
    wrong = {
        "another's": token(desk, request_id, str(UUID(int=8))),
        "old": token(desk, request_id, ago=LIVES + timedelta(seconds=1)),
        "changed": ("B" if good[0] == "A" else "A") + good[1:],
        "prolonged": good[:26] + ("B" if good[26] == "A" else "A") + good[27:],
        "short": good[:20],
        "nonsense": "x",
    }
    for what, each in wrong.items():
        answer = await mine.get(f"/intake/contacts/{each}")
        assert answer.status_code == 404, what
        assert NUMBER not in answer.text
    assert await looks(desk) == []


async def test_a_customer_without_a_number_is_said_to_have_none(desk: Hearing) -> None:
    request_id = await asked(desk, email="wang@example.com")
    answer = await desk.client("engineer", id=ENGINEER).get(f"/intake/contacts/{token(desk, request_id)}")
    assert answer.status_code == 200
    assert "tel:" not in answer.text
    assert "wang@example.com" not in answer.text
