"""Store requests with all that follows from them, many in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from intake.customers import store as customers
from intake.customers.store import Customer
from intake.duplicates.store import load_duplicates
from intake.messages import store as messages
from intake.messages import suggestions
from intake.places import actions as places
from intake.places.rules import Placed
from intake.requests import sessions, store
from intake.requests.rules import Normalised, is_solvable, require_solvable
from intake.sending.reach import NobodyReads, nobody_reads
from intake.tables.devices import request_device
from intake.triage.actions import in_force
from intake.triage.rules import Rules, Triage, judge
from shared.clock import uuid7
from shared.db import Tx
from shared.db.engine import sqlstate
from shared.db.rows import Rows
from shared.errors import AftercareError
from shared.events.intake import (
    AnswerGiven,
    RequestAnswered,
    RequestReclassified,
    RequestRegistered,
    RequestSolved,
)
from shared.events.terms import Kind, Reason, Severity, Site
from shared.http.problem import fault
from shared.i18n import N_, gettext
from shared.logs import redact
from shared.outbox.emit import emit
from shared.trace import current_traceparent, tracing

_UNIQUE_VIOLATION: Final = "23505"


class AlreadySo(AftercareError):
    """It is judged so already; choose another severity or kind, or leave it as it is."""

    kind = "conflict"
    shown: ClassVar = ("errors",)


class Overtaken(AftercareError):
    """The same message was being registered at the same moment; the next try recognises it."""

    kind = "conflict"
    sqlstate: ClassVar = "40001"  # so the edge tries again by itself, as where PostgreSQL could not serialise


@dataclass(frozen=True, slots=True)
class Registered:
    """What became of one message: the request it is or belongs to, and whether it is new."""

    request_id: UUID
    fresh: bool


@dataclass(frozen=True, slots=True)
class _Judged:
    """A new request, before it is stored."""

    id: UUID
    message: Normalised
    verdict: Triage
    customer: Customer
    placed: Placed


@dataclass(frozen=True, slots=True)
class _Claim:
    """The request that a message says it belongs to, and whether it may."""

    request_id: UUID
    proved: bool


def _nothing(answers: Sequence[Registered]) -> Sequence[Rows]:
    return ()


async def register(
    tx: Tx, arrived: Sequence[Normalised], beside: Callable[[Sequence[Registered]], Sequence[Rows]] = _nothing
) -> list[Registered]:
    """Register messages, in their order: known ones are recognised, replies and chats go on, the rest is new.

    `beside` makes of the answers what is written with them. The number of statements does not depend on the
    number of messages. Raises `Overtaken`.
    """
    chats = await sessions.hold_open(tx, (each.session for each in arrived))
    known, rules = await store.load_known(tx, [_place(each) for each in arrived])
    claimed = await _threads(tx, arrived)
    fresh: dict[store.Place, Normalised] = {}
    joined: dict[store.Place, tuple[UUID, Normalised]] = {}
    more: dict[store.Place, Normalised] = {}  # of chats whose first message came in the same group
    opening: set[str] = set()
    for each in arrived:
        place = _place(each)
        if place in known or place in fresh or place in joined or place in more:
            continue
        claim = claimed[place]
        thread = claim.request_id if claim and claim.proved else chats.get(each.session or "")
        if thread is not None:
            joined[place] = thread, each
        elif each.session in opening:
            more[place] = each
        else:
            fresh[place] = each
            opening.update([each.session] if each.session else [])
    judged, unknown = await _judge(tx, list(fresh.values()), await in_force(tx, rules))
    opened = {each.message.session: each.id for each in judged}
    joined |= {place: (opened[each.session], each) for place, each in more.items()}
    answers = {place: Registered(id, fresh=False) for place, id in known.items()}
    answers |= {place: Registered(id, fresh=False) for place, (id, _) in joined.items()}
    answers |= {_place(each.message): Registered(each.id, fresh=True) for each in judged}
    registered = _in_order(arrived, answers)
    suggested = suggestions.rows_of(
        [(each.id, claim.request_id) for each in judged if (claim := claimed[_place(each.message)])]
    )
    await _save(tx, judged, *unknown, suggested, *beside(registered))
    await messages.save_replies(tx, list(joined.values()))
    return registered


def _in_order(arrived: Sequence[Normalised], answers: Mapping[store.Place, Registered]) -> list[Registered]:
    """The answer to each message; what came twice in one group is new once."""
    left = dict(answers)
    given: list[Registered] = []
    for each in arrived:
        answer = left[_place(each)]
        left[_place(each)] = Registered(answer.request_id, fresh=False)
        given.append(answer)
    return given


async def threads_of(tx: Tx, arrived: Sequence[Normalised]) -> dict[store.Place, UUID]:
    """The request that each message goes on with, of those that do; held as `register` holds them."""
    chats = await sessions.hold_open(tx, (each.session for each in arrived))
    claimed = await _threads(tx, arrived)
    proved = {place: claim.request_id for place, claim in claimed.items() if claim and claim.proved}
    open_chats = {_place(each): chats[each.session] for each in arrived if each.session in chats}
    return open_chats | proved


async def _threads(tx: Tx, arrived: Sequence[Normalised]) -> dict[store.Place, _Claim | None]:
    """Which request each message belongs to, as a signature of ours proves or as it says itself.

    Ids of earlier mails get about: by them only a customer joins, and only a request of their own. What
    somebody else says is a suggestion: nobody enters a conversation by naming it.
    """
    signed = await store.load_existing(tx, [each.thread for each in arrived if each.thread])
    answered = [id for each in arrived for id in each.answers]
    senders = [identity for each in arrived if each.answers for identity in each.identities]
    threads = await store.load_threads(tx, answered, senders)
    claims: dict[store.Place, _Claim | None] = {}
    for each in arrived:
        if each.thread in signed:
            claims[_place(each)] = _Claim(each.thread, proved=True)
            continue
        named = [threads[place] for id in each.answers if (place := (each.account, id)) in threads]
        own = (thread for thread in named if not thread.known.isdisjoint(each.identities))
        thread = next(own, named[0] if named else None)
        known = thread is not None and not thread.known.isdisjoint(each.identities)
        claims[_place(each)] = _Claim(thread.request_id, proved=known) if thread else None
    return claims


async def _judge(tx: Tx, fresh: Sequence[Normalised], rules: Rules) -> tuple[list[_Judged], Sequence[Rows]]:
    """New requests with their customers, and what is to be saved of customers that are new."""
    askers, unknown = await customers.recognise(tx, fresh)
    placed = await places.placed(tx, fresh)
    judged = [
        _Judged(uuid7(), each, judge(f"{each.title}\n{each.text}", rules), asker, where)
        for (each, where), asker in zip(placed, askers, strict=True)
    ]
    return judged, (*unknown, places.rows_of([(each.id, each.placed) for each in judged]), _devices(judged))


def _devices(judged: Sequence[_Judged]) -> Rows:
    named = [(each.id, each.message.device_id) for each in judged]
    return request_device, [{"request_id": id, "device_id": device} for id, device in named if device]


async def _save(tx: Tx, judged: Sequence[_Judged], *others: Rows) -> None:
    said = messages.incoming([(each.id, each.message) for each in judged])
    try:
        await store.save_new(
            tx, [_row(each) for each in judged], [_judgement(each) for each in judged], *others, *said
        )
    except IntegrityError as error:
        if sqlstate(error) == _UNIQUE_VIOLATION:
            raise Overtaken from error
        raise
    for each in judged:
        _tell(tx, each)


async def reclassify(
    tx: Tx, request: store.Request, kind: Kind, severity: Severity, by: UUID, reason: str
) -> None:
    """A person overrules the triage; both judgements are kept. The request is locked."""
    if (request.kind, request.severity) == (kind, severity):
        so = fault("body", ["severity"], gettext(N_("It is judged so already.")), "already_so")
        raise AlreadySo(errors=[so])
    await store.save(tx, request.id, kind=kind, severity=severity)
    judgement = {
        "id": uuid7(),
        "request_id": request.id,
        "kind": kind,
        "severity": severity,
        "reasons": [{"rule": "overruled", "because": reason}],
        "by": str(by),
    }
    await store.save_judgements(tx, [judgement])
    site = Site(region=request.region, city=request.city)  # a person may have set it since it came
    payload = RequestReclassified(kind=kind, severity=severity, by=by, reason=redact(reason), site=site)
    emit(tx, payload, subject=request.id, sequence=request.version + 1)


@dataclass(frozen=True, slots=True)
class Said:
    """What a person answers.

    solved  there is nothing else to do (R11)
    spoken  it was said on the phone, and is written down: nothing is sent
    name    of the person, for colleagues; empty where nobody told one
    """

    text: str
    solved: bool = False
    spoken: bool = False
    name: str = ""


async def answer(tx: Tx, request: store.Request, said: Said, by: UUID) -> UUID:
    """A person answers; the first answer keeps R52 and R53, each is progress (R62). The request is locked.

    Whoever asked twice is answered once: what is merged into the request is answered with it, and what of it
    is simple is solved with it. Raises `NotSimple`, `AlreadyClosed`, `Forgotten`, `NobodyReads`.
    """
    await customers.require_known(tx, request.customer_id)
    if not said.spoken and await nobody_reads(tx, request.id):
        raise NobodyReads
    if said.solved:
        require_solvable(request.kind, request.closed_at)
    channel: Any = "phone" if said.spoken else request.channel
    author = messages.Author(str(by), said.name)
    message_id = await messages.save_answer(tx, request.id, channel, said.text, author, spoken=said.spoken)
    merged = await load_duplicates(tx, request.id)
    for each in (request, *[await store.lock(tx, id) for id in merged]):
        by_channel: Any = "phone" if said.spoken else each.channel
        solves = said.solved and is_solvable(each.kind, each.closed_at)
        ends = {"solved_at": tx.now, "closed_at": tx.now} if solves else {}
        await store.save(tx, each.id, answered_at=each.answered_at or tx.now, **ends)
        for payload in (AnswerGiven,) if each.answered_at else (RequestAnswered, AnswerGiven):
            emit(tx, payload(channel=by_channel, by=by), subject=each.id, sequence=each.version + 1)
        if solves:
            done = RequestSolved(request_id=each.id, solved_at=tx.now, by=by, channel=by_channel)
            emit(tx, done, subject=each.id, sequence=each.version + 1)
    return message_id


def _place(each: Normalised) -> store.Place:
    return each.channel, each.account, each.external_id


def _row(judged: _Judged) -> dict[str, Any]:
    message, verdict = judged.message, judged.verdict
    return {
        "id": judged.id,
        "channel": message.channel,
        "account": message.account,
        "external_id": message.external_id,
        "customer_id": judged.customer.id,
        "kind": verdict.kind,
        "severity": verdict.severity,
        "region": message.region,
        "city": message.city,
        "product_line": message.product_line,
        "title": message.title,
        "received_at": message.received_at,
        "call_id": message.call_id,
        "door": message.door,
        "session": message.session,
        "version": 1,
    }


def _judgement(judged: _Judged) -> dict[str, Any]:
    verdict = judged.verdict
    return {
        "id": uuid7(),
        "request_id": judged.id,
        "kind": verdict.kind,
        "severity": verdict.severity,
        "reasons": [{"rule": each.rule, "because": each.word} for each in verdict.reasons],
        "by": None,
        "rules_version": verdict.version,
        "difficulty": verdict.difficulty,
        "skills": list(verdict.skills),
        "parts": list(verdict.parts),
        "hours": verdict.hours,
    }


def anonymous(title: str, name: str) -> str:
    """A title as events tell it: without numbers, addresses, and the name that came with it."""
    hidden = redact(title)
    return hidden.replace(name, "[name]") if len(name) > 1 else hidden


def _tell(tx: Tx, judged: _Judged) -> None:
    message, verdict = judged.message, judged.verdict
    payload = RequestRegistered(
        channel=message.channel,
        customer_id=judged.customer.id,
        customer_level=judged.customer.level,
        kind=verdict.kind,
        severity=verdict.severity,
        difficulty=verdict.difficulty,
        skills=verdict.skills,
        parts=verdict.parts,
        hours=verdict.hours,
        product_line=message.product_line,
        site=Site(
            region=message.region,
            city=message.city,
            latitude=_coarse(message.latitude),
            longitude=_coarse(message.longitude),
        ),
        title=anonymous(message.title, message.name),
        reasons=tuple(Reason(rule=reason.rule, because=reason.word) for reason in verdict.reasons),
        call_id=message.call_id,
        device_id=message.device_id,
    )
    with tracing(message.traceparent or current_traceparent()):
        emit(tx, payload, subject=judged.id, sequence=1, time=message.received_at)


def _coarse(degrees: float | None) -> float | None:
    """About a kilometre: events carry no address."""
    return None if degrees is None else round(degrees, 2)
