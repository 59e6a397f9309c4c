"""R20–R25: how long a decision takes with many engineers and open tickets, and how that grows."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final
from uuid import UUID

from bench.figure import Figure, Numbers, Ratio, Side
from bench.stage import Stage
from dispatch.app import service
from dispatch.assignment.decisions import Assignment
from dispatch.assignment.store import lock_organisation
from dispatch.organisation.actions import import_organisation
from dispatch.organisation.rules import Centre, Organisation, Person, Region
from dispatch.tickets import rules
from dispatch.tickets.actions import Registered, asked_for, open_tickets
from dispatch.tickets.record import Change, record
from shared.clock import clock, uuid7
from shared.db import Database, Tx
from shared.events.envelope import event_model
from shared.events.intake import RequestRegistered
from shared.events.terms import Site
from shared.http.etag import Precondition

EACH: Final = "ms per ticket"
BATCH: Final = 100
SIZES: Final = (500, 1_000, 2_000)
CITIES: Final = 20
_LEAD, _SUPERVISOR, _LEADER, _EXPERT = (UUID(int=number) for number in range(1, 5))

_OPEN: Final = """
INSERT INTO ticket (id, request_id, request_version, customer_id, customer_level, kind, severity, difficulty,
    skills, region, city, title, state, owner_id, engineer_id, group_ids, declined_ids, tier, centre,
    same_city, episode, arrivals, opened_at, version)
SELECT gen_random_uuid(), gen_random_uuid(), 1, gen_random_uuid(), 'standard', 'fault', 'general', 1, '[]',
    'east', 'city-1', 'x', 'accepted', person.id, person.id, '[]', '[]', 'junior', person.centre, false,
    1, 0, now(), 1
FROM generate_series(1, $1) AS number
JOIN (SELECT id, centre, row_number() OVER (ORDER BY id) AS place FROM person WHERE tier = 'junior') AS person
    ON person.place = number % $2 + 1
"""
_MODEL: Final = event_model(RequestRegistered)
_LOAD: Final = """
UPDATE capacity SET working = (SELECT count(*) FROM ticket WHERE engineer_id = person_id)
"""


def organisation(engineers: int) -> Organisation:
    """One region with so many junior engineers in twenty cities; who is a centre's knows its skills."""
    juniors = tuple(
        Person(
            id=UUID(int=1000 + number),
            display_name="x",
            roles=("engineer",),
            tier="junior",
            skills=("electrical", "cooling")[: 1 + number % 2],
            regions=("east",),
            centre=f"centre-{number % CITIES}",
        )
        for number in range(engineers)
    )
    high = {"display_name": "x", "roles": ("engineer",), "regions": ("east",), "centre": "centre-0"}
    others = (
        Person(id=_LEAD, display_name="x", roles=("dispatcher",)),
        Person.model_validate({"id": _SUPERVISOR, "tier": "senior", **high}),
        Person.model_validate({"id": _LEADER, "tier": "emergency", **high}),
        Person.model_validate({"id": _EXPERT, "tier": "emergency", **high}),
    )
    east = Region(
        code="east",
        duty_lead=_LEAD,
        supervisors=(_SUPERVISOR,),
        emergency_leader=_LEADER,
        emergency_experts=(_EXPERT,),
        leadership=(_LEAD,),
    )
    centres = tuple(
        Centre(code=f"centre-{n}", region="east", city=f"city-{n}", latitude=31 + n / 10, longitude=121)
        for n in range(CITIES)
    )
    return Organisation(default_region="east", regions=(east,), centres=centres, people=(*juniors, *others))


def asked(number: int) -> Registered:
    place = number % CITIES
    site = Site(region="east", city=f"city-{place}", latitude=31 + place / 10, longitude=121.0)
    payload = RequestRegistered(
        channel="email",
        customer_id=uuid7(),
        kind="fault",
        severity="general",
        skills=("electrical",),
        site=site,
        title="x",
    )
    return _MODEL(
        id=uuid7(),
        source="/aftercare/intake",
        type=payload.type,
        subject=str(uuid7()),
        sequence=f"{1:010d}",
        time=clock.now(),
        data=payload,
    )


Opening = Callable[[Tx, Sequence[Registered]], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Filled:
    """Dispatch with an organisation and open tickets."""

    database: Database
    transactions: int

    @property
    def few(self) -> Filled:
        """The same with fewer transactions, for those that are large."""
        return replace(self, transactions=max(1, self.transactions // 10))

    async def decided(self, batch: int) -> Numbers:
        """Tickets opened and given out by the rules, in transactions of so many."""
        return await self._timed(batch, open_tickets)

    async def unchosen(self, batch: int) -> Numbers:
        """The same rows, locks and events, given to whoever is first without looking at anybody."""
        return await self._timed(batch, _without_choice)

    async def _timed(self, batch: int, opening: Opening) -> Numbers:
        spent = 0.0
        for _ in range(self.transactions):
            events = [asked(number) for number in range(batch)]
            began = time.perf_counter()
            await self.database.transact(partial(_opened, opening, events))
            spent += time.perf_counter() - began
        return {EACH: spent * 1000 / (self.transactions * batch)}


async def _without_choice(tx: Tx, events: Sequence[Registered]) -> None:
    await lock_organisation(tx)
    given = Assignment(
        owner_id=UUID(int=1000),
        group_ids=(),
        leadership_ids=(),
        findings=(),
        candidates=(),
        engineer_id=UUID(int=1000),
        supervisor_id=None,
        tier="junior",
        centre="centre-0",
        same_city=True,
    )
    fresh = [asked_for(event, UUID(event.subject), tx) for event in events]
    changes = [
        Change(None, rules.open_ticket(ticket, given), given, event)
        for ticket, event in zip(fresh, events, strict=True)
    ]
    await record(tx, changes, None)


async def _opened(opening: Opening, events: Sequence[Registered], tx: Tx) -> None:
    await opening(tx, events)


@asynccontextmanager
async def filled(stage: Stage, engineers: int, tickets: int) -> AsyncIterator[Filled]:
    url_of = await stage.database(service)
    database = Database("dispatch", url_of("dispatch"))
    document = organisation(engineers)

    async def put(tx: Tx) -> None:
        await import_organisation(tx, document, Precondition(frozenset({"0"})), "bench")

    try:
        await database.transact(put)
        admin = await stage.admin(url_of("dispatch"))
        await admin.execute("SET search_path = dispatch")
        await admin.execute(_OPEN, tickets, engineers)
        await admin.execute(_LOAD)
        await admin.execute("VACUUM ANALYZE")
        await admin.close()
        yield Filled(database, 2 if stage.quick else 20)
    finally:
        await database.close()


def alone(engineers: int) -> str:
    return f"alone, {engineers:,} engineers"


def together(engineers: int) -> str:
    return f"in batches of {BATCH}, {engineers:,} engineers"


FLOOR: Final = "locks and rows alone, nobody chosen"
FLOOR_TOGETHER: Final = f"locks and rows alone, in batches of {BATCH}"


@asynccontextmanager
async def sides(stage: Stage) -> AsyncIterator[Sequence[Side]]:
    few = 10 if stage.quick else 1
    tickets = 10_000 // few
    small, middle, large = (size // few for size in SIZES)
    async with (
        filled(stage, small, tickets) as at_500,
        filled(stage, middle, tickets) as at_1000,
        filled(stage, large, tickets) as at_2000,
    ):
        yield [
            Side(FLOOR, partial(at_1000.unchosen, 1)),
            Side(FLOOR_TOGETHER, partial(at_1000.few.unchosen, BATCH)),
            *(
                side
                for size, place in zip(SIZES, (at_500, at_1000, at_2000), strict=True)
                for side in (
                    Side(alone(size), partial(place.decided, 1)),
                    Side(together(size), partial(place.few.decided, BATCH)),
                )
            ),
        ]


FIGURE: Final = Figure(
    "assignment",
    "A ticket opened and given out: locks, who is how loaded, away and known to the customer, every engineer "
    "of the region judged, rows, history, the explanation with fifty candidates, events, committed; in one "
    "process, with 10,000 open tickets. Beside it the same lock, rows and events without looking at anybody.",
    sides,
    (
        Ratio("alone, over the floor", EACH, alone(1_000), FLOOR),
        Ratio(f"in batches of {BATCH}, over the floor", EACH, together(1_000), FLOOR_TOGETHER),
        Ratio(
            "2,000 engineers over 500, alone", EACH, alone(2_000), alone(500), targets=(4.0,), at_most=True
        ),
        Ratio(
            "2,000 engineers over 500, in batches",
            EACH,
            together(2_000),
            together(500),
            targets=(4.0,),
            at_most=True,
        ),
    ),
)
