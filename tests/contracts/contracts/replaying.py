"""What happened, and what would have been: stories from a seed, told to sla-monitor and judged again."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.clocking import (
    ARRIVED,
    ENGINEER,
    HOUR,
    MINUTE,
    SITE,
    TEN,
    Desk,
    assigned,
    clocking,
    opened,
    visit,
)
from contracts.hearing import told_event
from contracts.serving import clock_kept
from shared.clock import clock
from shared.events import Payload
from shared.events.dispatch import AssignmentAccepted, AssignmentDeclined, TicketClosed, TicketRegraded
from shared.events.intake import (
    CallAnswered,
    CallMissed,
    CallRang,
    CallReturned,
    RequestAnswered,
    RequestRegistered,
)
from shared.events.terms import Channel, Severity
from sla_monitor.policies.rules import Policy, Wall
from sla_monitor.policies.shipped import SHIPPED
from sla_monitor.replay import actions, store
from sla_monitor.replay.store import Replay

DAY = timedelta(days=1)
Story = list[tuple[Payload, datetime]]


def stricter(minutes: int = 60) -> Policy:
    """The shipped policy, but an engineer must be on site much sooner."""
    promises = []
    for each in SHIPPED.promises:
        if each.code == "on_site":
            target = Wall(length=timedelta(minutes=minutes), requirement="R54")
            each = each.model_copy(
                update={"cases": tuple(case.model_copy(update={"target": target}) for case in each.cases)}
            )
        promises.append(each)
    return SHIPPED.model_copy(update={"promises": tuple(promises)})


def wish(**changes: Any) -> actions.Wish:
    plain = actions.Wish(
        policy_version=1, policy=None, against_version=None, calendar=None, source=None,
        begins=TEN - DAY, ends=TEN + DAY,
    )  # fmt: skip
    return replace(plain, **changes)


async def run(desk: Desk, wanted: actions.Wish) -> Replay:
    asked = await desk.database.transact(lambda tx: actions.ask(tx, "tester", wanted))
    while await desk.database.transact(lambda tx: actions.step(tx, clock.now())) is not None:
        pass
    return await desk.database.transact(lambda tx: store.load(tx, asked.id))


def regraded(before: Severity, after: Severity) -> TicketRegraded:
    return TicketRegraded(previous_severity=before, severity=after, by=ENGINEER, reason="seen")


def closed(severity: Severity) -> TicketClosed:
    return TicketClosed(
        request_id=ENGINEER, customer_id=ENGINEER, engineer_id=ENGINEER, reason="accepted",
        severity=severity, site=SITE, episode=1,
    )  # fmt: skip


def stories(seed: int) -> Story:
    """What may happen to a ticket, a request or a call; the same for the same seed."""
    dice = random.Random(seed)
    at = TEN + dice.random() * 4 * HOUR
    later = [at + dice.random() * dice.choice([2, 30, 300]) * HOUR for _ in range(6)]
    if seed % 5 == 0:
        ends = (CallAnswered(region="east"), CallMissed(region="east"))
        return [
            (CallRang(region="east"), at),
            (dice.choice(ends), later[0]),
            (CallReturned(region="east"), later[1]),
        ]
    if seed % 5 == 1:
        channels: tuple[Channel, ...] = ("email", "phone", "web_form")
        registered = RequestRegistered(
            channel=dice.choice(channels), customer_id=ENGINEER, kind="fault",
            severity="general", site=SITE, title="A question",
        )  # fmt: skip
        return [(registered, at), (RequestAnswered(channel="email", by=ENGINEER), later[0])]
    grades: tuple[Severity, ...] = ("urgent", "important", "general")
    grade = dice.choice(grades)
    middle: Story = [
        (AssignmentAccepted(engineer_id=ENGINEER), later[0]),
        (AssignmentDeclined(engineer_id=ENGINEER, reason="ill"), later[1]),
        (visit(later[2] + DAY), later[2]),
        (ARRIVED, later[3]),
        (regraded(grade, dice.choice(grades)), later[4]),
        (closed(grade), later[5]),
    ]
    return [
        (opened(grade), at - MINUTE),
        (assigned(grade, same_city=dice.random() < 0.5), at),
        *dice.sample(middle, dice.randint(0, 6)),
    ]


async def live(desk: Desk, seeds: range) -> None:
    """All of the stories happen, shuffled, some told twice, with timers judged in between."""
    dice = random.Random(7)
    bodies = []
    for seed in seeds:
        subject = UUID(int=seed + 1)
        for number, (payload, at) in enumerate(stories(seed), start=1):
            bodies.append((told_event(payload, subject=subject, version=number, at=at), at))
    told = [*bodies, *dice.sample(bodies, len(bodies) // 4)]
    dice.shuffle(told)
    for part in range(0, len(told), 40):
        await desk.receive(*(body for body, _ in told[part : part + 40]))
        await desk.tick(TEN + timedelta(hours=part), intake=TEN, dispatch=TEN)
    now = clock.now()
    while (due := await desk.tick(now, intake=now, dispatch=now)) is not None and due <= now:
        pass


@asynccontextmanager
async def looking_back(admin_url: str) -> AsyncIterator[Desk]:
    """A desk a month later."""
    async with clocking(admin_url) as desk:
        with clock_kept():
            clock.set(TEN + 30 * DAY)
            yield desk
