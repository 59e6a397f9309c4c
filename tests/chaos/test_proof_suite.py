"""The five services, as `make up` and as `make run` have them, while everything they stand on dies."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from chaos.journal import Journal
from chaos.schedule import Plan, Step, play
from testbed.customers import CLIENTS, Customers
from testbed.ground import Ground
from testbed.installation import Installation
from testbed.proof import Proof
from testbed.suite_verdict import SuiteJudge, check_invariants
from testbed.wishes import Wishes

ON_RABBITMQ = """The suite as `make up` starts it: five processes and their gateway on RabbitMQ and
PostgreSQL. Customers at 32 connections ask, half of it by forms, some of it twice, some of it
nonsense, and engineers work, while RabbitMQ, PostgreSQL and each process are killed (-9) and come
back: each accepted request is stored once and has exactly one ticket, owned from its first instant,
and exactly the clocks that R52 to R62 give it; what was refused left nothing; every event reached
each of its listeners once and had its effect once."""
IN_ONE_PROCESS = """The suite as `make run` starts it: all five services in one process on the
memory bus. Customers at 32 connections ask, half of it by forms, some of it twice, some of it
nonsense, and engineers work, while PostgreSQL and the process are killed (-9) and come back: each
accepted request is stored once and has exactly one ticket, owned from its first instant, and exactly
the clocks that R52 to R62 give it; what was refused left nothing; every event reached each of its
listeners once and had its effect once."""


@dataclass(frozen=True)
class Form:
    """How much is asked, how many of the tickets are repaired to the end, and how often each thing dies."""

    requests: int
    repairs: int
    deaths: int
    rest_within: float


SHORT = Form(requests=60, repairs=2, deaths=1, rest_within=60)
LONG = Form(requests=2_000, repairs=40, deaths=1, rest_within=180)
SHORT_ALONE = Form(requests=60, repairs=2, deaths=1, rest_within=60)
LONG_ALONE = Form(requests=2_000, repairs=40, deaths=5, rest_within=180)


def draw_deaths(seed: int, names: list[str], requests: int) -> Plan:
    """In an order drawn from the seed, each after so many accepted requests that all die under load."""
    chance = random.Random(f"{seed}/deaths")
    part = 0.9 * requests / len(names)
    steps = [
        Step(0.0, name, 0.0, {"after": int((number + chance.random()) * part)})
        for number, name in enumerate(chance.sample(names, len(names)))
    ]
    return Plan(seed, tuple(steps))


async def prove(form: Form, proof: Proof, ground: Ground) -> None:
    wishes = Wishes(proof.seed, form.requests)
    with Journal(proof.journal) as journal:
        async with (
            Installation(ground, proof.folder, proof.timeline) as suite,
            Customers(suite, wishes, form.repairs, journal, proof.seed) as customers,
        ):
            deaths = suite.deaths(customers.until_accepted)
            plan = proof.follow(draw_deaths(proof.seed, sorted(deaths) * form.deaths, form.requests))
            async with asyncio.TaskGroup() as group:
                group.create_task(customers.ask_all())
                await play(plan, deaths, proof.timeline)
            await suite.until_ready()
            judge = SuiteJudge(suite, proof.journal, wishes.dealt, customers.accepted, customers.refused)
            reports = await judge.verdict(form.rest_within)
            reports.append(check_invariants(await customers.invariants()))
            proof.counts |= counted(customers, wishes, plan)
            await proof.conclude(ground, reports)


def counted(customers: Customers, wishes: Wishes, plan: Plan) -> dict[str, int | float]:
    return {
        "clients": CLIENTS,
        "requests accepted": len(customers.accepted),
        "delivered twice": sum(each.repeated for each in wishes.dealt),
        "refused": len(customers.refused),
        "tickets repaired, accepted and scored": len(customers.repaired),
        **{f"answers: {status}": times for status, times in customers.http.answers.items()},
        **{f"killed: {name.removesuffix(' killed')}": times for name, times in deaths_in(plan).items()},
    }


def deaths_in(plan: Plan) -> Counter[str]:
    return Counter(step.fault for step in plan.steps)


async def test_nothing_is_lost_or_doubled_whatever_dies(
    bare_servers: Ground, seed: int, tmp_path: Path
) -> None:
    await prove(SHORT, Proof("suite", ON_RABBITMQ, seed, tmp_path), bare_servers)


async def test_nothing_is_lost_or_doubled_in_one_process(
    bare_postgres: Ground, seed: int, tmp_path: Path
) -> None:
    await prove(SHORT_ALONE, Proof("suite-memory", IN_ONE_PROCESS, seed, tmp_path), bare_postgres)


@pytest.mark.proof
async def test_nothing_of_two_thousand_requests_is_lost_or_doubled_whatever_dies(
    bare_servers: Ground, seed: int, tmp_path: Path
) -> None:
    await prove(LONG, Proof("suite", ON_RABBITMQ, seed, tmp_path, published=True), bare_servers)


@pytest.mark.proof
async def test_nothing_of_two_thousand_requests_is_lost_or_doubled_in_one_process(
    bare_postgres: Ground, seed: int, tmp_path: Path
) -> None:
    proof = Proof("suite-memory", IN_ONE_PROCESS, seed, tmp_path, published=True)
    await prove(LONG_ALONE, proof, bare_postgres)
