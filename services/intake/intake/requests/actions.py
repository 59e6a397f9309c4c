"""Store requests with all that follows from them, many in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from intake.customers import store as customers
from intake.messages import store as messages
from intake.requests import store
from intake.requests.rules import UNKNOWN, Normalised
from intake.triage.rules import Triage, judge
from shared.clock import uuid7
from shared.db import Tx
from shared.errors import AftercareError
from shared.events.intake import RequestAnswered, RequestReclassified, RequestRegistered
from shared.events.terms import Kind, Reason, Severity, Site
from shared.logs import redact
from shared.outbox.emit import emit


class AlreadySo(AftercareError):
    """The request is judged so already; there is nothing to overrule."""

    kind = "conflict"


@dataclass(frozen=True, slots=True)
class Registered:
    """What became of one message: the request it is or belongs to, and whether it is new."""

    request_id: UUID
    fresh: bool
    kind: Kind | None = None
    severity: Severity | None = None


async def register(tx: Tx, arrived: Sequence[Normalised]) -> list[Registered]:
    """Register messages, in their order: known ones are recognised, replies join, the rest is new.

    The number of statements does not depend on the number of messages.
    """
    known = await store.load_known(tx, [_place(each) for each in arrived])
    threads = await store.load_threads(tx, [each for message in arrived for each in message.answers])
    fresh: dict[store.Place, Normalised] = {}
    joined: dict[store.Place, tuple[UUID, Normalised]] = {}
    for each in arrived:
        place = _place(each)
        if place in known or place in fresh or place in joined:
            continue
        thread = next((threads[id] for id in each.answers if id in threads), None)
        if thread is None:
            fresh[place] = each
        else:
            joined[place] = thread, each
    new = await _save(tx, list(fresh.values()))
    await messages.save_incoming(tx, [(id, each) for id, each in joined.values()])
    answers = {place: Registered(id, fresh=False) for place, id in known.items()}
    answers |= {place: Registered(id, fresh=False) for place, (id, _) in joined.items()}
    answers |= new
    return [answers[_place(each)] for each in arrived]


async def _save(tx: Tx, fresh: Sequence[Normalised]) -> dict[store.Place, Registered]:
    if not fresh:
        return {}
    judged = [judge(f"{each.title}\n{each.text}") for each in fresh]
    customer_ids = await customers.recognise(tx, fresh)
    levels = await customers.load(tx, customer_ids)
    ids = [uuid7() for _ in fresh]
    rows = [
        _row(id, each, verdict, customer)
        for id, each, verdict, customer in zip(ids, fresh, judged, customer_ids, strict=True)
    ]
    sources = [
        {"request_id": id, "content_type": each.content_type, "body": each.raw}
        for id, each in zip(ids, fresh, strict=True)
    ]
    judgements = [_judgement(id, verdict) for id, verdict in zip(ids, judged, strict=True)]
    new = await store.save_new(tx, rows, sources, judgements)
    if len(new) < len(fresh):
        # Another transaction was faster with one of them; this one begins again and recognises it.
        raise Overtaken
    await messages.save_incoming(tx, list(zip(ids, fresh, strict=True)))
    early = await store.take_early_tickets(tx, ids)
    if early:
        await store.link_tickets(tx, early)
    for id, each, verdict, customer in zip(ids, fresh, judged, customer_ids, strict=True):
        _tell(tx, id, each, verdict, customer, levels[customer].level)
    return {
        _place(each): Registered(id, fresh=True, kind=verdict.kind, severity=verdict.severity)
        for id, each, verdict in zip(ids, fresh, judged, strict=True)
    }


class Overtaken(AftercareError):
    """The same message was being registered at the same moment; the next try recognises it."""

    kind = "conflict"


async def reclassify(
    tx: Tx, id: UUID, kind: Kind, severity: Severity, by: UUID, reason: str, version: int
) -> None:
    """A person overrules the triage; both judgements are kept. The request is locked, at `version`."""
    request = await store.load(tx, id)
    if (request.kind, request.severity) == (kind, severity):
        raise AlreadySo
    await store.save(tx, id, kind=kind, severity=severity)
    overruled = {"rule": "overruled", "because": reason}
    await store.save_judgement(
        tx,
        {
            "id": uuid7(),
            "request_id": id,
            "kind": kind,
            "severity": severity,
            "reasons": [overruled],
            "by": str(by),
        },
    )
    payload = RequestReclassified(kind=kind, severity=severity, by=by, reason=redact(reason))
    emit(tx, payload, subject=id, sequence=version + 1)


async def answer(tx: Tx, request: store.Request, text: str, by: UUID) -> UUID:
    """A person answers; the first answer stops the clock of R52 and R53. The request is locked."""
    channel: Any = request.channel
    message_id = await messages.save_answer(tx, request.id, request.channel, text, author=str(by))
    if request.answered_at is None:
        await store.save(tx, request.id, answered_at=tx.now)
        answered = RequestAnswered(channel=channel, by=by)
        emit(tx, answered, subject=request.id, sequence=request.version + 1)
    return message_id


def _place(each: Normalised) -> store.Place:
    return each.channel, each.account, each.external_id


def _row(id: UUID, each: Normalised, verdict: Triage, customer_id: UUID) -> dict[str, Any]:
    return {
        "id": id,
        "channel": each.channel,
        "account": each.account,
        "external_id": each.external_id,
        "customer_id": customer_id,
        "kind": verdict.kind,
        "severity": verdict.severity,
        "region": each.region,
        "city": each.city,
        "product_line": each.product_line,
        "title": each.title,
        "received_at": each.received_at,
        "call_id": each.call_id,
        "version": 1,
    }


def _judgement(id: UUID, verdict: Triage) -> dict[str, Any]:
    reasons = [{"rule": each.rule, "because": each.word} for each in verdict.reasons]
    return {
        "id": uuid7(),
        "request_id": id,
        "kind": verdict.kind,
        "severity": verdict.severity,
        "reasons": reasons,
        "by": None,
    }


def _tell(tx: Tx, id: UUID, each: Normalised, verdict: Triage, customer_id: UUID, level: Any) -> None:
    coarse = partial(round, ndigits=2)  # about a kilometre: events carry no address
    payload = RequestRegistered(
        channel=each.channel,
        customer_id=customer_id,
        customer_level=level,
        kind=verdict.kind,
        severity=verdict.severity,
        difficulty=verdict.difficulty,
        skills=verdict.skills,
        product_line=each.product_line,
        site=Site(
            region=each.region or UNKNOWN,
            city=each.city or UNKNOWN,
            latitude=None if each.latitude is None else coarse(each.latitude),
            longitude=None if each.longitude is None else coarse(each.longitude),
        ),
        title=redact(each.title),
        reasons=tuple(Reason(rule=reason.rule, because=reason.word) for reason in verdict.reasons),
        call_id=each.call_id,
    )
    emit(tx, payload, subject=id, sequence=1, time=each.received_at)
