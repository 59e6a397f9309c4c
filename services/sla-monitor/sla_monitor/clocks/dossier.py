"""Everything promised about one subject, folded anew, with the arithmetic of each deadline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.db import Tx
from shared.errors import AftercareError
from shared.http.auth import Principal
from sla_monitor.clocks import queries, store
from sla_monitor.clocks.rules import Clock, Happening, Interval, evaluate, explain
from sla_monitor.clocks.rules.changes import StoredClock
from sla_monitor.policies.store import load_rulebook


class SubjectUnknown(AftercareError):
    """Nothing is known here of a ticket, request or call {id}."""

    kind = "not_found"


@dataclass(frozen=True, slots=True)
class Proof:
    """A clock, its row if there is one by now, and every piece of its time."""

    clock: Clock
    stored: StoredClock | None
    intervals: Sequence[Interval]


@dataclass(frozen=True, slots=True)
class Dossier:
    """A subject's row, the versions its clocks obey, the clocks, and what they follow from."""

    subject: Any
    policy_version: int
    calendar_version: int
    proofs: Sequence[Proof]
    history: Sequence[Happening]


async def load_dossier(tx: Tx, viewer: Principal, id: UUID) -> Dossier:
    """What is promised about a subject; `SubjectUnknown` when there is none that `viewer` may see."""
    subject = await queries.load_subject(tx, viewer, id)
    if subject is None:
        raise SubjectUnknown(id=id)
    history = await store.load_history(tx, id)
    stored = {(each.promise, each.occurrence): each for each in await store.load_clocks(tx, id)}
    governing = (await load_rulebook(tx)).at(subject.first_at)
    proofs = []
    for clock in evaluate(governing.policy, governing.calendar, history, tx.now):
        until = max(clock.deadline, clock.stopped_at or clock.deadline)
        pieces = explain(governing.calendar, clock.measure, clock.started_at, until, clock.pauses)
        proofs.append(Proof(clock, stored.get((clock.promise, clock.occurrence)), pieces))
    return Dossier(subject, *governing.versions, proofs, history)
