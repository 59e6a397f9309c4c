"""The labelled requests are frozen: rules are measured by them, never the other way round (R05–R09)."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from shared.events.terms import Kind, Severity

FOLDER = Path(__file__).parent / "triage"
LABELLED = FOLDER / "labelled.jsonl"
FROZEN = {
    "second_hand.jsonl": "075b7d4d9851bb777cf437754be7c31cd4e2e21fb59da9f0da0595b122fae552",
    "third_hand.jsonl": "1b205f448990275fb6f85a0739067b4b12964225b20f120f86abcb44f7229b9b",
    "labelled.jsonl": "9dab63079f9d8ef51ec5bc161521bbcdd62692bc2abdf9cf98004a1f5c519d4c",
    "afterwards.jsonl": "845692068c5a06860ec8f5f739ae5e25175bb640388351504cf3d89e11de9c8f",
    "unseen.jsonl": "773c87c7aeb71136105c42f798fef030dfd0a0b30e7b8b39ee6a6473f6b60f8f",
}


@pytest.mark.parametrize("name", FROZEN)
def test_the_labels_are_those_from_before_the_rules(name: str) -> None:
    assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == FROZEN[name]


def test_every_kind_and_severity_is_there_in_both_languages() -> None:
    cases = [json.loads(line) for line in LABELLED.read_text().splitlines()]
    assert len({each["id"] for each in cases}) == len({each["text"] for each in cases}) == len(cases) >= 340
    for lang in ("zh", "en"):
        found = Counter(each[key] for each in cases if each["lang"] == lang for key in ("kind", "severity"))
        assert min(found[word] for word in (*get_args(Kind), *get_args(Severity))) >= 5, (lang, found)
