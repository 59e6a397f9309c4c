"""A person declares, updates and ends incidents; each linked customer is told once each time (R13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from intake.incidents import rules, store
from intake.incidents.rules import Signature, Step
from intake.incidents.store import Incident
from intake.triage.store import load_rules
from shared.clock import uuid7
from shared.db import Tx
from shared.errors import AftercareError
from shared.events.intake import IncidentDeclared, IncidentEnded, IncidentUpdated, RequestLinked
from shared.http.problem import invalid
from shared.i18n import N_, ZONE
from shared.logs import redact
from shared.outbox.emit import emit

MOST_RECENT: Final = 5_000
"""Requests looked at for a burst; as many in half an hour are one however many more there are."""

_PAYLOADS: Final[dict[Step, Any]] = {
    "declared": IncidentDeclared,
    "updated": IncidentUpdated,
    "ended": IncidentEnded,
}


class IncidentMoved(AftercareError):
    """Somebody changed this incident since you read it; load the page again, so that nobody is told twice."""

    kind = "conflict"


class NotOpen(AftercareError):
    """This can only be done with an incident in another state; load the page again."""

    kind = "conflict"


class AlreadyGoingOn(AftercareError):
    """An incident of this product line, region and symptom is proposed or open already."""

    kind = "conflict"


@dataclass(frozen=True, slots=True)
class Said:
    """What is told of an incident; `note` is one more sentence for the customers."""

    title: str
    cause: str
    recovery_at: datetime | None = None
    note: str = ""


async def propose(tx: Tx, now: datetime) -> None:
    """Look for bursts; what is found is proposed to people, never declared."""
    terms = rules.SHIPPED
    # Words that say what is wanted, or of what, are no symptoms.
    trouble = {rule.name for rule in (await load_rules(tx)).rules if rule.severity}
    recent = await store.load_recent(tx, now - terms.window, MOST_RECENT, trouble)
    if len(recent) < terms.least:
        return
    recent = rules.unclaimed(recent, await store.load_known(tx, now - terms.quiet))
    wanted = rules.candidates(recent, terms)
    if not wanted:
        return
    end = now - terms.window
    found = rules.burst(recent, await store.load_baseline(tx, wanted, end - terms.baseline, end), now, terms)
    await store.save_proposals(tx, found, now, [uuid7() for _ in found])


async def declare(
    tx: Tx, id: UUID, said: Said, requests: Sequence[UUID], by: UUID, seen: int = 0
) -> Incident:
    """Make a proposal an incident: link the requests, tell their customers."""
    _require_ahead(said, tx.now)
    found = await store.lock(tx, id)
    if found.state != "proposed" or seen != found.revision:
        raise NotOpen
    return await _declare(tx, found, said, requests, by)


async def declare_new(
    tx: Tx, signature: Signature, said: Said, requests: Sequence[UUID], by: UUID
) -> Incident:
    """An incident that somebody knows of before anything was proposed."""
    _require_ahead(said, tx.now)
    proposal = rules.Proposal(signature, (), 0, 0.0)
    await store.save_proposals(tx, [proposal], tx.now, [id := uuid7()])
    try:
        found = await store.lock(tx, id)
    except store.NoSuchIncident:
        raise AlreadyGoingOn from None
    return await _declare(tx, found, said, requests, by)


async def dismiss(tx: Tx, id: UUID) -> None:
    """It is no incident; the same is not proposed again for a while."""
    if (await store.lock(tx, id)).state != "proposed":
        raise NotOpen
    await store.save(tx, id, state="dismissed", settled_at=tx.now)


async def revise(tx: Tx, id: UUID, said: Said, by: UUID, seen: int) -> Incident:
    """Tell what changed: cause, expected recovery, or both."""
    _require_ahead(said, tx.now)
    return await _say(tx, await _open(tx, id, seen), "updated", said, by)


async def end(tx: Tx, id: UUID, said: Said, by: UUID, seen: int) -> Incident:
    """It works again; every linked customer is told."""
    return await _say(tx, await _open(tx, id, seen), "ended", said, by)


async def link(tx: Tx, id: UUID, requests: Sequence[UUID], by: UUID) -> None:
    """Requests belong to an incident; a customer who comes late is told how it stands, once."""
    found = await store.lock(tx, id)
    if found.revision == 0:
        raise NotOpen
    await _link(tx, found, requests, True, by)
    await _tell(tx, found, by)


async def unlink(tx: Tx, id: UUID, requests: Sequence[UUID], by: UUID) -> None:
    """They have another cause; nothing more is told there, and they are not suggested again."""
    found = await store.lock(tx, id)
    await _link(tx, found, requests, False, by)


def _require_ahead(said: Said, now: datetime) -> None:
    """Customers read day and hour only: what has been would be read as still to come."""
    if rules.is_over(said.recovery_at, now):
        detail = N_("This is in the past; name a time that is still to come, or none while nobody knows")
        raise invalid("body", ["recovery_at"], detail, "in_the_past")


async def _open(tx: Tx, id: UUID, seen: int) -> Incident:
    found = await store.lock(tx, id)
    if found.state != "open":
        raise NotOpen
    if found.revision != seen:
        raise IncidentMoved
    return found


async def _declare(tx: Tx, found: Incident, said: Said, requests: Sequence[UUID], by: UUID) -> Incident:
    await _link(tx, found, requests, True, by)
    return await _say(tx, found, "declared", said, by)


async def _say(tx: Tx, before: Incident, step: Step, said: Said, by: UUID) -> Incident:
    after = replace(
        before,
        state="ended" if step == "ended" else "open",
        title=said.title,
        cause=said.cause,
        recovery_at=said.recovery_at,
        revision=before.revision + 1,
        settled_at=tx.now if step == "ended" else None,
    )
    changed = ("state", "title", "cause", "recovery_at", "revision", "settled_at")
    await store.save(tx, after.id, **{name: getattr(after, name) for name in changed})
    row = {
        "incident_id": after.id,
        "revision": after.revision,
        "step": step,
        "title": said.title,
        "cause": said.cause,
        "recovery_at": said.recovery_at,
        "note": said.note,
        "by": str(by),
        "at": tx.now,
    }
    await store.save_revision(tx, row)
    told = await _tell(tx, after, by)
    _emit(tx, after, step, told, by)
    return after


async def _link(tx: Tx, of: Incident, requests: Sequence[UUID], linked: bool, by: UUID) -> None:
    if requests:
        versions = await store.link_requests(tx, of.id, requests, linked, str(by))
        for request_id, version in sorted(versions.items()):
            payload = RequestLinked(incident_id=of.id, linked=linked, by=by)
            emit(tx, payload, subject=request_id, sequence=version)


async def _tell(tx: Tx, of: Incident, by: UUID) -> int:
    """Queue a message for who is linked and was not told how it stands; for how many."""
    told = await store.load_told(tx, of.id, of.revision)
    missing = rules.notices(await store.load_linked(tx, of.id), told)
    said = (await store.load_revisions(tx, of.id))[-1]
    due = said.recovery_at and said.recovery_at.astimezone(ZONE)
    words = {
        chinese: rules.wording(
            said.step, said.title, said.cause, rules.written(due, chinese), said.note, chinese=chinese
        )
        for chinese in (True, False)
    }
    await store.save_notices(tx, of, [(uuid7(), each, words[each.chinese]) for each in missing], str(by))
    return len(missing)


def _emit(tx: Tx, of: Incident, step: Step, told: int, by: UUID) -> None:
    payload = _PAYLOADS[step](
        product_line=of.product_line,
        region=of.region,
        title=redact(of.title),
        cause=redact(of.cause),
        recovery_at=of.recovery_at,
        customers_told=told,
        by=by,
    )
    emit(tx, payload, subject=of.id, sequence=of.revision)
