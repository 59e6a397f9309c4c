"""Whatever is sent to any operation of intake, it answers what its description says, and never with a 5xx."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from chaos.checkers import Report
from chaos.result import Result, versions
from contracts.hearing import hearing
from contracts.intake_calls import Calls
from contracts.operations import Findings, call_everything
from intake.app import service

CLAIM = """20,000 calls of intake's operations, half drawn from what they describe, half from what it is not,
with identifiers that exist and some that do not: no answer is a 5xx, none has a status that is not described,
each refusal is a problem document; and each operation did what it is there for at least once."""
PUBLISHED = Path(__file__).parents[2] / "docs" / "proofs"


async def findings_of(postgres_url: str, each: int, seed: int) -> Findings:
    async with hearing(postgres_url, service) as desk:
        calls = Calls(desk)
        async with desk.client("adapter", "care", "admin") as client:
            await calls.prepare(client)
        return await call_everything(
            desk.served, "/intake", each=each, seed=seed, known=calls.known, genuine=calls.genuine()
        )


async def test_no_operation_fails_whatever_it_is_sent(postgres_url: str) -> None:
    found = await findings_of(postgres_url, each=2, seed=2026)
    assert found.faults == []
    assert found.never_served == []


@pytest.mark.proof
async def test_no_operation_fails_in_20_000_calls(postgres_url: str) -> None:
    began = time.monotonic()
    operations = len((await findings_of(postgres_url, each=1, seed=1)).answers)
    # Of a call that takes nothing there is little to draw: a quarter more makes up for it.
    found = await findings_of(postgres_url, each=25_000 // (2 * operations), seed=2026)
    assert found.calls >= 20_000
    reports = [
        report("answers", found.calls, "wrong", found.faults),
        report("operations that served", operations, "never", found.never_served),
    ]
    async with hearing(postgres_url, service) as desk:
        ran_on = await versions(desk.admin, None)
    counts, seconds = {"operations": operations, "calls": found.calls}, time.monotonic() - began
    Result("intake-operations", CLAIM, [2026], ran_on, counts, seconds, reports).write(PUBLISHED)
    for each in reports:
        each.assert_clean()


def report(checker: str, checked: int, kind: str, violations: Sequence[str]) -> Report:
    return Report(checker, checked, {kind: len(violations)} if violations else {}, tuple(violations[:20]))
