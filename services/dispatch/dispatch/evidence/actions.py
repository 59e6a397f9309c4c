"""Keep a photo or a signature, once; what became of the ticket since takes nothing away (R33)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Final, Literal
from uuid import UUID

from sqlalchemy import Table

from dispatch.access import NoSuchTicket, NotYourTask, Viewer, may, sees
from dispatch.desk.store import load_customers
from dispatch.evidence import store
from dispatch.evidence.pictures import Darkroom
from dispatch.evidence.rules import (
    MOST_PHOTOS,
    MOST_SIGNATURES,
    Photo,
    PhotoKind,
    Picture,
    Signature,
    Stroke,
)
from dispatch.phone.actions import IdUsedTwice
from dispatch.phone.rules import happened_at
from dispatch.phone.store import find as find_command
from dispatch.tickets import rules
from dispatch.tickets.record import Change, record
from dispatch.tickets.rules import Ticket
from dispatch.tickets.store import load_ticket
from shared.clock import uuid7
from shared.db import Database, Tx
from shared.errors import AftercareError
from shared.events.dispatch import WorkNoted

_MOST: Final = {store.photo.name: MOST_PHOTOS, store.signature.name: MOST_SIGNATURES}


class CustomerForgotten(AftercareError):
    """The customer was erased: nothing that shows or names them is kept any more."""

    status: ClassVar = 410


class EnoughOfThem(AftercareError):
    """This ticket has {most} of them; no more are kept."""

    kind = "conflict"


@dataclass(frozen=True, slots=True)
class Brought:
    """What every piece of evidence says of itself.

    id           chosen by the telephone; the same again is the same piece
    device_time  when it was made, and
    sent_at      when it is sent, both by the telephone's clock
    """

    id: UUID
    ticket_id: UUID
    device_time: datetime
    sent_at: datetime

    def happened(self, ticket: Ticket, now: datetime) -> datetime:
        """When it was made, by our clock; never before there was a ticket."""
        return happened_at(self.device_time, self.sent_at, now, min(ticket.opened_at, now))


@dataclass(frozen=True, slots=True)
class BroughtPhoto(Brought):
    raw: bytes
    kind: PhotoKind
    caption: str

    @property
    def digest(self) -> bytes:
        said = [str(self.ticket_id), self.kind, self.caption, self.device_time.isoformat()]
        return hashlib.sha256(json.dumps(said).encode() + self.raw).digest()


@dataclass(frozen=True, slots=True)
class BroughtSignature(Brought):
    """`base_version` is the version of the ticket that was signed on, or `after` the command it follows."""

    signer: str
    work_note: str
    strokes: list[Stroke]
    base_version: int | None
    after: UUID | None

    @property
    def digest(self) -> bytes:
        said = [str(self.ticket_id), self.signer, self.work_note, self.strokes, self.device_time.isoformat()]
        return hashlib.sha256(json.dumps(said).encode()).digest()


async def keep_photo(database: Database, darkroom: Darkroom, sent: BroughtPhoto, viewer: Viewer) -> Photo:
    """Keep a photo, or say why not; it is read between two transactions, and nothing is kept by halves.

    `NoSuchTicket`, `NotYourTask`, `CustomerForgotten`, `EnoughOfThem`, `IdUsedTwice`, and what is wrong with
    the photo.
    """
    known = await database.transact(partial(_take, table=store.photo, sent=sent, viewer=viewer))
    if isinstance(known, Ticket):
        picture = await darkroom.develop(sent.raw)
        known = await database.transact(partial(_add_photo, sent=sent, picture=picture, viewer=viewer))
    photos = await database.transact(partial(store.list_photos, ticket_id=sent.ticket_id))
    return next(each for each in photos if each.id == known)


async def keep_signature(tx: Tx, sent: BroughtSignature, viewer: Viewer) -> Signature:
    """Keep a signature; raises the same."""
    known = await _take(tx, store.signature, sent, viewer)
    if isinstance(known, Ticket):
        row = _row(sent, known, viewer, tx.now) | {
            "signed_version": await _signed_on(tx, sent, known, viewer),
            "signer": sent.signer,
            "work_note": sent.work_note,
            "strokes": sent.strokes,
            "signed_at": sent.happened(known, tx.now),
        }
        await store.add(tx, store.signature, row)
        await _note(tx, known, "signature", viewer, {"signature_id": str(row["id"])})
        known = row["id"]
    found = await store.load_signature(tx, known)
    assert found is not None
    return found


async def _take(tx: Tx, table: Table, sent: BroughtPhoto | BroughtSignature, viewer: Viewer) -> UUID | Ticket:
    """The id of what came by this id before; else the ticket that it may be added to, locked."""
    known = await store.find(tx, table, viewer.id, sent.id)
    if known is None:
        ticket = await _lock_had(tx, viewer, sent.ticket_id)
        known = await store.find(tx, table, viewer.id, sent.id)  # the same may have held the ticket before
        if known is None:
            most = _MOST[table.name]
            if await store.count(tx, table, ticket.id) >= most:
                raise EnoughOfThem(most=most)
            return ticket
    if bytes(known["digest"]) != sent.digest:
        raise IdUsedTwice
    before: UUID = known["id"]
    return before


async def _add_photo(tx: Tx, sent: BroughtPhoto, picture: Picture, viewer: Viewer) -> UUID:
    ticket = await _take(tx, store.photo, sent, viewer)
    if not isinstance(ticket, Ticket):
        return ticket
    row = _row(sent, ticket, viewer, tx.now) | {
        "kind": sent.kind,
        "caption": sent.caption,
        "taken_at": sent.happened(ticket, tx.now),
        "width": picture.width,
        "height": picture.height,
        "size": len(picture.content),
        "sha256": hashlib.sha256(picture.content).digest(),
        "content": picture.content,
        "thumbnail": picture.thumbnail,
    }
    await store.add(tx, store.photo, row)
    await _note(tx, ticket, "photo", viewer, {"photo_id": str(row["id"]), "kind": sent.kind})
    added: UUID = row["id"]
    return added


def _row(
    sent: BroughtPhoto | BroughtSignature, ticket: Ticket, viewer: Viewer, now: datetime
) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "person": viewer.id,
        "sent_id": sent.id,
        "digest": sent.digest,
        "ticket_id": ticket.id,
        "episode": ticket.episode,
        "version": ticket.version + 1,
        "device_time": sent.device_time,
        "received_at": now,
    }


async def _note(
    tx: Tx, ticket: Ticket, what: Literal["photo", "signature"], viewer: Viewer, notes: dict[str, Any]
) -> None:
    """That it is there; what it shows, and whose name it is, stays out of histories and events."""
    noted = WorkNoted(what=what, episode=ticket.episode, by=viewer.employee_id)
    await record(tx, [Change(ticket, rules.note_work(ticket, noted, notes))], viewer.id)


async def _lock_had(tx: Tx, viewer: Viewer, ticket_id: UUID) -> Ticket:
    """The ticket of who works on it, or did: also of who had it when it ended or went to somebody else."""
    ticket = await load_ticket(tx, ticket_id, lock=True)
    if ticket is None:
        raise NoSuchTicket
    seen = sees(viewer, ticket)
    if not (seen and may(viewer, ticket, "log_work")) and not await store.had(
        tx, ticket.id, viewer.person_id
    ):
        raise NotYourTask if seen else NoSuchTicket
    told = (await load_customers(tx, [ticket.customer_id])).get(ticket.customer_id)
    if told is not None and told.erased:
        raise CustomerForgotten
    return ticket


async def _signed_on(tx: Tx, sent: BroughtSignature, ticket: Ticket, viewer: Viewer) -> int:
    """The version it was signed on; where the command it followed was not carried out, the one there is."""
    if sent.after is not None:
        before = await find_command(tx, viewer.id, sent.after)
        carried_out = before is not None and before["ticket_id"] == ticket.id and before["version"]
        return int(carried_out or ticket.version)
    return min(sent.base_version or ticket.version, ticket.version)
