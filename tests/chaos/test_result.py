"""A proof's file says what was run and what came out, the same bytes for the same facts."""

import json
from dataclasses import replace
from pathlib import Path

import asyncpg

from chaos.checkers import Report
from chaos.result import Result, versions

CLEAN = Report("C1 answers", 2000, {}, ())
BROKEN = Report("C2 deliveries", 8000, {"parked": 1, "missing": 2}, ("missing: a", "missing: b", "parked: c"))
RESULT = Result(
    name="kill-replicas",
    claim="A replica killed at any instant loses nothing and repeats nothing.",
    seeds=[7, 8],
    versions={"Python": "3.11.7", "PostgreSQL": "15.20"},
    counts={"kills": 12, "requests": 2000},
    seconds=31.26,
    reports=[CLEAN],
)


def test_a_result_reads_back_as_the_facts_it_was_made_of(tmp_path: Path) -> None:
    RESULT.write(tmp_path / "proofs")
    document = json.loads((tmp_path / "proofs" / "kill-replicas.json").read_text())
    assert document["verdict"] == "holds"
    assert (document["seeds"], document["seconds"]) == ([7, 8], 31.3)
    assert document["checkers"]["C1 answers"] == {"checked": 2000, "found": {}, "violations": []}
    assert list(document) == sorted(document)


def test_a_result_can_be_read_by_people(tmp_path: Path) -> None:
    replace(RESULT, reports=[CLEAN, BROKEN]).write(tmp_path)
    lines = (tmp_path / "kill-replicas.md").read_text().splitlines()
    assert lines[0] == "# kill-replicas: violated"
    assert "| kills | 12 |" in lines
    assert "| seeds | 7, 8 |" in lines
    assert "| C1 answers | no violation among 2,000 |" in lines
    assert "| C2 deliveries | 2 missing, 1 parked among 8,000 |" in lines
    assert "| PostgreSQL | 15.20 |" in lines


def test_the_same_facts_make_the_same_bytes(tmp_path: Path) -> None:
    RESULT.write(tmp_path / "first")
    versions = {"PostgreSQL": "15.20", "Python": "3.11.7"}
    replace(RESULT, versions=versions, counts={"requests": 2000, "kills": 12}).write(tmp_path / "second")
    for name in ("kill-replicas.json", "kill-replicas.md"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_only_checkers_that_checked_and_found_nothing_make_a_claim_hold() -> None:
    assert RESULT.holds
    assert not replace(RESULT, reports=[CLEAN, BROKEN]).holds
    assert not replace(RESULT, reports=[replace(CLEAN, checked=0)]).holds
    assert not replace(RESULT, reports=[]).holds


async def test_versions_are_those_the_proof_ran_on(postgres_url: str) -> None:
    db = await asyncpg.connect(postgres_url)
    found = await versions(db, rabbitmq=None)
    assert int(found["PostgreSQL"].split(".")[0]) == db.get_server_version().major
    assert found["RabbitMQ"] == "none: memory bus"
    assert found["asyncpg"] == asyncpg.__version__
    await db.close()
