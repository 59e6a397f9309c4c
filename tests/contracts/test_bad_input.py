"""Each kind of bad input that intake's doors are known to get has a test that is there."""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROWS: dict[str, dict[str, list[str]]] = tomllib.loads(
    (Path(__file__).parent / "bad_input.toml").read_text(encoding="utf-8")
)


@cache
def named_in(file: str) -> frozenset[str]:
    parsed = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    functions = (each for each in parsed.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(each.name for each in functions if each.name.startswith("test_"))


@pytest.mark.parametrize("row", ROWS)
def test_every_kind_of_bad_input_is_sent_by_a_test(row: str) -> None:
    for kind, named in ROWS[row].items():
        assert named, f"{row}: {kind} has no test"
        for each in named:
            file, _, test = each.partition("::")
            assert test in named_in(file), f"{row}: {kind}: there is no {each}"
