"""What people and their machines can do in the dispatch centre that a state machine plays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from random import Random
from types import SimpleNamespace
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from contracts.centre_oracle import Oracle
from contracts.dispatching import (
    DUTY_LEAD_G,
    EXPERT_D,
    JUNIOR_A,
    JUNIOR_B,
    LEADER_E,
    REPAIRED,
    SENIOR_C,
    SUPERVISOR_F,
    Desk,
    person,
)
from contracts.dying import When, dying
from shared.clock import clock, uuid7
from shared.http.auth import Role

T = TypeVar("T")

ENGINEERS = (JUNIOR_A, JUNIOR_B, SENIOR_C, EXPERT_D, LEADER_E, SUPERVISOR_F)
LEADS = (DUTY_LEAD_G, person(16))
OBJECTIONS = (
    "away", "below_tier", "blocked", "busy", "certificate_expires", "declined", "full", "lacks_certificate",
    "lacks_skills", "off_shift", "other_product_line", "other_region",
)  # fmt: skip
PLAIN = ("accept", "depart", "arrive", "begin", "resume")
JOB = ("accept", "depart", "arrive", "begin", "resolve")
FULL: dict[str, dict[str, Any]] = {
    "decline": {"reason": "no time"},
    "pause": {"waiting_for": "customer"},
    "resolve": {"work_note": "done", "items": [*REPAIRED]},
    "parts": {"lines": [{"part_number": "belt", "quantity": 1}]},
    "inform": {"text": "we are at it"},
    "checklist": {"items": ["tested"]},
    "plan": {"planned_minutes": 90},
}
NEXT = {
    "assigned": ("accept", "accept", "decline"),
    "accepted": ("depart", "begin", "pause", "parts"),
    "visit_agreed": ("depart", "begin", "pause"),
    "travelling": ("arrive", "pause", "inform"),
    "on_site": ("begin", "resolve"),
    "working": ("resolve", "pause", "parts"),
    "waiting": ("resume",),
}
"""What makes sense in a state; now and then something else is tried."""
MEETING = ("accepted", "visit_agreed", "on_site", "waiting")
SEVERITIES = ("general", "important", "urgent")
PHONE = {
    "begin": "begin_work",
    "parts": "request_parts",
    "inform": "inform_customer",
    "checklist": "tick",
    "plan": "plan_work",
}
"""What a phone calls a command whose route is named otherwise."""
CHANCE = st.integers(0, 2**32 - 1).map(Random)
"""Decides the rest: how much there is to choose from depends on who comes first, and draws may not."""
WHEN: st.SearchStrategy[When] = st.sampled_from(("before", "after"))


async def together(*calls: Any) -> list[Any]:
    """What all of them answer; also where one fails, none goes on behind our back."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    for each in answers:
        if isinstance(each, BaseException):
            raise each
    return answers


class Hands(RuleBasedStateMachine):
    """The service, and ways to talk to it."""

    desk: ClassVar[Desk]
    loop: ClassVar[asyncio.Runner]
    looks: ClassVar[int] = 0
    deaths: ClassVar[int] = 0
    oracle: Oracle

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    def tickets(self, *states: str) -> list[Any]:
        """Those in `states`, by default all; the ones that live first."""
        query = "SELECT * FROM ticket ORDER BY state IN ('closed', 'cancelled'), id"
        rows = [SimpleNamespace(**row) for row in self.run(self.desk.admin.fetch(query))]
        return [row for row in rows if not states or row.state in states]

    def ticket(self, chance: Random, *states: str) -> Any:
        """One of the first of them; None where there is none."""
        found = self.tickets(*states)[:4]
        return chance.choice(found) if found else None

    def command(self, chance: Random, state: str) -> str:
        sensible, any_of_them = NEXT.get(state, ()), (*PLAIN, *FULL)
        return chance.choice(sensible * 4 + any_of_them)

    async def call(
        self, who: UUID, role: Role, ticket: Any, command: str, *, key: str | None = None, **body: Any
    ) -> httpx.Response:
        path = f"/dispatch/tickets/{ticket.id}/{command}"
        headers = {"idempotency-key": key} if key else {}
        sent = {"base_version": ticket.version, **body}
        return await self.desk.acting(who, role).post(path, json=sent, headers=headers)

    def next_of(self, chance: Random, ticket: Any, key: str | None = None) -> Callable[[], Any]:
        """Its engineer does what is next, or something that is not."""
        command = self.command(chance, ticket.state)
        body: dict[str, Any] = FULL.get(command, {})
        return lambda: self.call(ticket.engineer_id, "engineer", ticket, command, key=key, **body)

    async def assign(self, ticket: Any, to: UUID, lead: UUID, *, overrule: bool) -> httpx.Response:
        """By hand; who overrules says so, that somebody has enough already among it."""
        despite = [each for each in OBJECTIONS if overrule or each != "full"]
        body: dict[str, Any] = {"person_id": str(to), "reason": "because", "despite": despite}
        if overrule:
            self.oracle.overruled.add((ticket.id, to))
        return await self.call(lead, "dispatcher", ticket, "assign", **body)

    def visit(self, ticket: Any, hours: int) -> Any:
        begins = clock.now() + timedelta(hours=hours)
        visit = {"starts_at": begins.isoformat(), "ends_at": (begins + timedelta(hours=2)).isoformat()}
        return self.call(ticket.engineer_id, "engineer", ticket, "visits", **visit)

    def dies(self, work: Callable[[], Any], when: When, nth: int = 0) -> bool:
        """Whether it came to the commit at which its process dies; if not, it is done."""
        with dying(self.desk.admin, when, nth) as died:
            try:
                answer = self.run(work())
            except Exception:
                if not died:
                    raise
        if died:
            type(self).deaths += 1
        elif isinstance(answer, httpx.Response) and "app/commands" not in str(answer.url):
            self.sensible(answer)
        return bool(died)

    def deeds(self, chance: Random, ticket: Any) -> list[dict[str, Any]]:
        """What was done on a phone, one after the other."""
        names = [self.command(chance, ticket.state) for _ in range(chance.randint(1, 3))]
        made: list[dict[str, Any]] = []
        for name in chance.choice((names, [*JOB])):
            basis = {"after": made[-1]["id"]} if made else {"base_version": ticket.version}
            deed = {"id": str(uuid7()), "ticket_id": str(ticket.id), "done_at": clock.now().isoformat()}
            made.append({**deed, **basis, "name": PHONE.get(name, name), "fields": FULL.get(name, {})})
        return made

    def sensible(self, answer: httpx.Response) -> int:
        """Done, or refused for a reason that can be told; its status."""
        assert answer.status_code in (200, 403, 404, 409, 412, 422), answer.text
        told = answer.json()
        if answer.is_success:
            self.oracle.done.add((UUID(told["id"]), told["version"]))
        else:
            assert told["type"].startswith("/problems/")
        return answer.status_code
