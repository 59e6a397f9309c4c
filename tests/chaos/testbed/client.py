"""An adapter as it should be: it repeats a request, under the same key, until it is told that it was done."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import httpx

from chaos.journal import Journal
from testbed.things import Thing

PATIENCE: Final = 120.0  # seconds until a thing is made; longer than any fault lasts
ANSWER_WITHIN: Final = 10.0
LATER: Final = frozenset({409, 503})  # the only answers, beside 201, that a correct request may get


class UnexpectedAnswer(AssertionError):
    """A correct request was answered neither with what it asked for nor with "later"."""


@dataclass(frozen=True)
class Done:
    """One request answered with 201: when it was sent, and the seconds it took."""

    at: float
    seconds: float


class Client:
    """Posts things to the replicas of maker in turn; every exchange is in the journal.

    `answers` counts them by status, "none" for a connection that failed; `replayed_after_failure` the things
    that had been made by a request whose answer never came, or was a 503.
    """

    def __init__(self, ports: Sequence[int], token: str, journal: Journal, seed: int) -> None:
        self.answers: Counter[str] = Counter()
        self.done: list[Done] = []
        self.repeated = 0
        self.replayed_after_failure = 0
        self._ports = ports
        self._turn = 0
        self._journal = journal
        self._chance = random.Random(f"{seed}/client")
        self._http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            trust_env=False,
            verify=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def make(self, thing: Thing) -> None:
        """Post until told that it is made."""
        failed = False
        pause = 0.05
        async with asyncio.timeout(PATIENCE):
            while (replayed := await self._post(thing, ANSWER_WITHIN)) is None:
                failed = True
                await asyncio.sleep(pause * self._chance.uniform(0.5, 1))
                pause = min(2 * pause, 1.0)
        self.replayed_after_failure += failed and replayed

    async def make_repeatedly(self, thing: Thing) -> None:
        """Post it more than once: at the same time, or again because the answer was not waited for."""
        self.repeated += 1
        if self._chance.random() < 0.5:
            await asyncio.gather(self.make(thing), self.make(thing))
            return
        await self._post(thing, self._chance.uniform(0.001, 0.05))
        await self.make(thing)

    async def _post(self, thing: Thing, within: float) -> bool | None:
        """Whether the answer was a repetition; None when the request has to be sent again."""
        port = self._ports[self._turn % len(self._ports)]
        self._turn += 1
        sent = time.monotonic()
        with self._journal.exchange(thing.key, thing.body) as exchange:
            try:
                answer = await self._http.post(
                    f"http://127.0.0.1:{port}/maker/things",
                    content=thing.body,
                    headers={"Idempotency-Key": thing.key},
                    timeout=within,
                )
            except httpx.TransportError:
                self.answers["none"] += 1
                return None
            self.answers[str(answer.status_code)] += 1
            if answer.status_code == 201:
                exchange.answered(201, answer.json()["id"])
                self.done.append(Done(sent, time.monotonic() - sent))
                return "idempotent-replayed" in answer.headers
            exchange.answered(answer.status_code)
        if answer.status_code in LATER and (answer.status_code != 503 or "retry-after" in answer.headers):
            return None
        raise UnexpectedAnswer(f"{answer.status_code}: {answer.text}")
