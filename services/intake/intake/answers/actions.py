"""Somebody keeps what is answered often; who did, and which version, stands with it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from intake.answers import rules, store
from intake.answers.rules import Words, unknown_placeholders
from shared.clock import uuid7
from shared.db import Tx
from shared.db.audit import record
from shared.http.problem import InvalidInput, fault
from shared.i18n import N_, gettext


async def write(tx: Tx, words: Words, by: str) -> UUID:
    """A new template. Raises `InvalidInput` for placeholders that nobody knows, `TitleTaken`."""
    _check(words)
    row = {"id": (id := uuid7()), **asdict(words), "version": 1, "by": by, "at": tx.now}
    await store.save_new(tx, row)
    await record(tx, by, "template_written", str(id), {"title": words.title})
    return id


async def change(tx: Tx, held: Any, words: Words, by: str) -> None:
    """One more version of a template that is held; the same errors."""
    _check(words)
    await store.save(tx, held.id, **asdict(words), by=by, at=tx.now)
    await record(tx, by, "template_changed", str(held.id), {"was": held.version})


async def remove(tx: Tx, held: Any, by: str) -> None:
    """Nobody chooses it any more; answers that were made of it stay."""
    await store.remove(tx, held.id)
    await record(tx, by, "template_removed", str(held.id), {"was": held.version})


def faults_of(words: Words) -> list[dict[str, str]]:
    """Everything in braces that nothing can be put in for: what and where, in the reader's language."""
    known = ", ".join(f"{{{name}}}" for name in rules.PLACEHOLDERS)
    told = N_("Line {line}, character {column}: nothing is known that stands for {written}. Known: {known}")
    said = gettext(told)
    return [
        fault("body", ["body"], said.format(**asdict(each), known=known), "unknown_placeholder")
        for each in unknown_placeholders(words.body)
    ]


def _check(words: Words) -> None:
    if faults := faults_of(words):
        raise InvalidInput(errors=faults)
