"""Customers at the doors of the suite, many at once: each asks again until told what became of it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final, Self, TypeVar
from uuid import UUID

import httpx

from allinone.sample import token
from allinone.visitor import Refused, Visitor
from chaos.journal import Journal
from shared.clock import clock
from testbed.client import UnexpectedAnswer
from testbed.installation import Installation
from testbed.wishes import Wish, Wishes

T = TypeVar("T")

CLIENTS: Final = 32
CREWS: Final = 4  # repairs going on at once
PATIENCE: Final = 180.0  # seconds until an answer; longer than any fault lasts
ANSWER_WITHIN: Final = 15.0
TRIES: Final = 5  # to see what an event brings about: each lasts half a minute
SLOT: Final = timedelta(hours=2)  # an engineer is at one place at a time
PROBLEM: Final = "application/problem+json"
# Conflicts that are over in a moment; all others stay.
_PASSING: Final = frozenset({"request-in-progress", "overtaken"})


class Patient(httpx.AsyncClient):
    """Repeats every request, headers and all, until the answer is another than "later".

    `answers` counts them by status, "none" for a connection that failed.
    """

    def __init__(self, base_url: str, seed: int) -> None:
        super().__init__(base_url=base_url, trust_env=False, verify=False, timeout=ANSWER_WITHIN)
        self.answers: Counter[str] = Counter()
        self._chance = random.Random(f"{seed}/patience")

    async def request(self, method: str, url: Any, **sent: Any) -> httpx.Response:
        return await until_answered(lambda: self.once(method, url, **sent), self._chance)

    async def once(self, method: str, url: Any, **sent: Any) -> httpx.Response | None:
        """None: come again later."""
        try:
            answer = await super().request(method, url, **sent)
        except httpx.TransportError:
            self.answers["none"] += 1
            return None
        self.answers[str(answer.status_code)] += 1
        return None if _later(answer) else answer


def _later(answer: httpx.Response) -> bool:
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return "retry-after" in answer.headers
    if answer.status_code == httpx.codes.CONFLICT and answer.headers.get("content-type") == PROBLEM:
        return answer.json()["type"].rpartition("/")[2] in _PASSING
    return False


class Customers:
    """Grants `wishes` through the suite's one address, and has some of the tickets repaired to the end.

    Every exchange is in the journal under the reference of its wish.
    """

    def __init__(
        self, suite: Installation, wishes: Wishes, repairs: int, journal: Journal, seed: int
    ) -> None:
        self.http = Patient(suite.url, seed)
        self.refused: list[str] = []
        self.accepted: list[str] = []
        self.repaired: list[UUID] = []
        self._wishes = iter(wishes)
        self._slots = iter(range(repairs))
        self._journal = journal
        self._chance = random.Random(f"{seed}/customers")
        self._moved = asyncio.Condition()
        self._crews = asyncio.Semaphore(CREWS)
        self._visitor = Visitor(self.http, suite.settings())
        self._token = token("adapter", suite.settings())

    async def __aenter__(self) -> Self:
        await self._visitor.set_up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def ask_all(self) -> None:
        """Every wish, by 32 clients at once, and the repairs that follow from some."""
        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(self._ask_on(group))

    async def until_accepted(self, count: int) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: len(self.accepted) >= count)

    async def invariants(self) -> dict[str, int]:
        """What dispatch and parts count as never to be."""
        counts: dict[str, int] = {}
        for service in ("dispatch", "parts"):
            answer = await self._visitor.as_("operations", "GET", f"/{service}/invariants")
            counts |= answer.json()["violations"]
        return counts

    async def _ask_on(self, group: asyncio.TaskGroup) -> None:
        for wish in self._wishes:
            request_id = await self._grant(wish)
            if request_id is None:
                continue
            if wish.path == "/intake/requests" and (slot := next(self._slots, None)) is not None:
                group.create_task(self._repair(request_id, clock.now() + slot * SLOT))
            async with self._moved:
                self.accepted.append(wish.reference)
                self._moved.notify_all()

    async def _grant(self, wish: Wish) -> UUID | None:
        """The request it has become, None when it was refused as it should be."""
        if not wish.repeated:
            answer = await self._deliver(wish, 1)
        elif self._chance.random() < 0.5:
            answer, _ = await asyncio.gather(self._deliver(wish, 1), self._deliver(wish, 2))
        else:  # not waited for, and sent again
            await self._post(wish, 1, self._chance.uniform(0.001, 0.05))
            answer = await self._deliver(wish, 2)
        if wish.refused is not None:
            self.refused.append(wish.reference)
            return None
        return UUID(answer.json()["request_id"])

    async def _deliver(self, wish: Wish, delivery: int) -> httpx.Response:
        answer = await until_answered(lambda: self._post(wish, delivery, ANSWER_WITHIN), self._chance)
        expected = wish.refused or 202
        refused_well = wish.refused is None or answer.headers["content-type"] == PROBLEM
        if answer.status_code != expected or not refused_well:
            raise UnexpectedAnswer(f"{wish}: {answer.status_code} {answer.text}")
        return answer

    async def _post(self, wish: Wish, delivery: int, within: float) -> httpx.Response | None:
        headers = {"content-type": wish.content_type}
        if wish.keyed:
            headers["idempotency-key"] = wish.key(delivery)
        if not wish.anonymous:
            headers["authorization"] = f"Bearer {self._token}"
        with self._journal.exchange(wish.reference, wish.body) as exchange:
            answer = await self.http.once(
                "POST", wish.path, content=wish.body, params=wish.params, headers=headers, timeout=within
            )
            if answer is not None:
                told = answer.json().get("request_id") if answer.is_success else None
                exchange.answered(answer.status_code, told)
        return answer

    async def _repair(self, request_id: UUID, at: datetime) -> None:
        """An answer of the desk, the engineer's whole day, the customer's consent, and the survey."""
        async with self._crews:
            ticket = await patiently(lambda: self._visitor.ticket_of(request_id))
            await self._visitor.answer(request_id, "We are on it.")
            await self._visitor.repair(ticket["id"], at)
            asked = await patiently(lambda: self._visitor.link(request_id, "please_accept"))
            try:
                await self._visitor.press(asked, verdict="accept")
            except Refused as refused:
                if "already-answered" not in str(refused):  # by the press whose answer was lost
                    raise
            survey = await patiently(lambda: self._visitor.link(request_id, "survey"))
            await self._visitor.answer_survey(survey, score=5)
        self.repaired.append(request_id)


async def until_answered(
    ask: Callable[[], Awaitable[httpx.Response | None]], chance: random.Random
) -> httpx.Response:
    """Ask again, in a little while, as long as the answer is "later"."""
    async with asyncio.timeout(PATIENCE):
        while (answer := await ask()) is None:  # noqa: ASYNC110 (nobody says when to come again)
            await asyncio.sleep(chance.uniform(0.05, 0.5))
    return answer


async def patiently(look: Callable[[], Awaitable[T]]) -> T:
    """What takes as long as a broker takes to come back."""
    for _ in range(TRIES - 1):
        try:
            return await look()
        except TimeoutError:
            continue
    return await look()
