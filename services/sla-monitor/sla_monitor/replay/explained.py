"""How one subject was judged in a replay: its clocks by the ruling that was tried, and their arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from shared.db import Tx
from shared.http.pages import page
from shared.http.transaction import ReadTx, ServiceRoute
from sla_monitor.board import words
from sla_monitor.clocks.dossier import Heard, Proof, SubjectUnknown, proof_of
from sla_monitor.clocks.rules import describe, evaluate, in_order
from sla_monitor.clocks.rules.history import Subject
from sla_monitor.clocks.store import load_history
from sla_monitor.policies.store import load_rulebook
from sla_monitor.replay import actions, imports, store
from sla_monitor.replay.routes import PLANNERS
from sla_monitor.replay.rules import Recorded
from sla_monitor.replay.store import Replay

router = APIRouter(route_class=ServiceRoute)


@dataclass(frozen=True, slots=True)
class Explained:
    """A subject under the ruling that was tried; the same names as those of `Dossier`, which the page shares.

    folded_at  as of when it was judged
    zone       of the calendar
    """

    id: UUID
    name: str
    subject: Subject
    folded_at: datetime
    zone: str
    proofs: tuple[Proof, ...]
    history: tuple[Heard, ...]
    withdrawn: tuple[()] = ()


async def explain(tx: Tx, replay: Replay, id: UUID) -> Explained:
    """Fold one subject anew, as the replay did; `SubjectUnknown` when its history has none such."""
    recorded = await _load(tx, replay, id)
    subject = describe(recorded.happenings)
    ruling = await actions.tried_in(tx, replay, await load_rulebook(tx))
    policy, calendar = ruling(id, subject)
    until = replay.until or replay.finished_at or tx.now
    clocks = evaluate(policy, calendar, recorded.happenings, until)
    return Explained(
        id=id,
        name=recorded.name or subject.title or id.hex[-6:],
        subject=subject,
        folded_at=until,
        zone=calendar.zone,
        proofs=tuple(proof_of(clock, calendar) for clock in clocks),
        history=tuple(Heard(each, None) for each in in_order(recorded.happenings)),
    )


async def _load(tx: Tx, replay: Replay, id: UUID) -> Recorded:
    if replay.source is not None:
        recorded = await imports.load_one(tx, replay.source, id)
    else:
        recorded = Recorded(id, "", await load_history(tx, id))
    if recorded is None or not recorded.happenings:
        raise SubjectUnknown(id=id)
    return recorded


@router.get("/replays/{id}/subjects/{subject_id}", dependencies=PLANNERS, include_in_schema=False)
async def explained(request: Request, tx: ReadTx, id: UUID, subject_id: UUID) -> Response:
    """Each deadline of one subject, added up line by line."""
    replay = await store.load(tx, id)
    found = await explain(tx, replay, subject_id)
    return page(
        request,
        "explained.html",
        replay=replay,
        dossier=found,
        subject=found.subject,
        subject_name=words.SUBJECTS[found.subject.kind],
        zone=found.zone,
        words=words,
    )
