"""Whatever people, phones, the desk, crashes and time do: every ticket has one owner (R24, decision 9).

The machine and the oracle are in contracts/centre.py and centre_oracle.py.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest.mock import AsyncMock

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from chaos.checkers import Report
from chaos.result import Result, versions
from contracts.centre import Centre, playing


@pytest.fixture
def machine(postgres_url: str) -> Iterator[type[Centre]]:
    with playing(postgres_url) as made:
        yield made


def play(machine: type[Centre], examples: int, steps: int, phases: Sequence[Phase] = tuple(Phase)) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=Phase.shrink not in phases,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_every_ticket_has_one_owner_whatever_happens(machine: type[Centre]) -> None:
    play(machine, examples=10, steps=30)


CLAIM = """Dispatchers who act at the same moment, engineers on old pages and on phones that were away,
declines, customers, leave, people who go for good, requests told twice, calls cut off in the middle,
processes that die before or after a commit and are asked again, and time: after every step each open ticket
has one owner who works here and was told last, each request one ticket, no engineer two visits at once or
more than they may be given, every load is what it is counted to be, every version of a ticket was told, and
every command that was answered as done is in the history, once."""


@pytest.mark.proof
def test_every_ticket_has_one_owner_whatever_happens_for_long(machine: type[Centre]) -> None:
    drawn, begun, wrong = secrets.randbits(32), time.monotonic(), list[str]()
    try:
        play(seed(drawn)(machine), examples=1200, steps=50)
    except (AssertionError, BaseExceptionGroup) as error:
        wrong.append(str(error))
    report = Report("the oracle after each step", machine.looks, +Counter(wrong=len(wrong)), tuple(wrong))
    found = machine.loop.run(versions(machine.desk.admin, None))
    counts = {"steps": machine.looks, "deaths": machine.deaths}
    result = Result("dispatch", CLAIM, [drawn], found, counts, time.monotonic() - begun, [report])
    result.write(Path(__file__).parents[2] / "docs/proofs")
    report.assert_clean()
    assert machine.looks >= 50_000


BROKEN = {
    "counts nobody's load": ("dispatch.tickets.store.shift_loads", AsyncMock()),
    "knows no limit": ("dispatch.assignment.judging.Jury._is_full", lambda jury, person: ()),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_service_that_is_broken_is_noticed(
    machine: type[Centre], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(*BROKEN[fault])
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        play(machine, examples=30, steps=15, phases=[Phase.generate])
