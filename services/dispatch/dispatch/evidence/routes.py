"""Photos and signatures over HTTP: brought by telephones, looked at by who may see the ticket."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response, UploadFile
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from dispatch.access import READERS, WORKERS, NoSuchTicket, Viewer, find_ticket
from dispatch.evidence import store
from dispatch.evidence.actions import BroughtPhoto, BroughtSignature, keep_photo, keep_signature
from dispatch.evidence.pictures import darkroom_of
from dispatch.evidence.rules import (
    HEIGHT,
    LARGEST_PHOTO,
    MOST_POINTS,
    MOST_STROKES,
    WIDTH,
    Photo,
    PhotoKind,
    Signature,
    is_signature,
    svg_of,
)
from shared.errors import AftercareError
from shared.http.auth import Caller, allow
from shared.http.limits import BodyTooLarge
from shared.http.problem import invalid
from shared.http.scope import service_of
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.i18n import N_
from shared.sent import Sent

router: Final = APIRouter(route_class=ServiceRoute)

_READING: Final = [Depends(allow(*READERS))]
_WORKING: Final = [Depends(allow(*WORKERS))]
_AROUND: Final = 64 * 1024  # bytes of a form beside its file
_Responses: TypeAlias = dict[int | str, dict[str, Any]]
_BYTES: Final = {"schema": {"type": "string", "format": "binary"}}
_JPEG: Final[_Responses] = {200: {"description": "The photo.", "content": {"image/jpeg": _BYTES}}}
_SVG: Final[_Responses] = {200: {"description": "The signature.", "content": {"image/svg+xml": _BYTES}}}

Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class NoSuchPicture(AftercareError):
    """There is no such picture, or it is not yours to see, or it was erased with its customer."""

    kind = "not_found"


class PhotoView(BaseModel):
    """A photo of the work; its bytes are at `/dispatch/photos/{id}`, small at `/thumbnail` of that."""

    id: UUID
    episode: int
    kind: PhotoKind
    caption: str
    taken_at: datetime
    """By our clock, reckoned from the telephone's."""
    device_time: datetime
    received_at: datetime
    by: str
    width: int
    height: int
    size: int
    sha256: str
    """Of the bytes that are kept, in hexadecimal digits."""
    kept: bool
    """False once the customer was erased."""

    @classmethod
    def of(cls, photo: Photo) -> PhotoView:
        values = {name: getattr(photo, name) for name in cls.model_fields if name != "sha256"}
        return cls(**values, sha256=photo.sha256.hex())


class SignatureView(BaseModel):
    """A signature; how it looks is at `/dispatch/signatures/{id}`."""

    id: UUID
    episode: int
    signed_version: int
    """The version of the ticket that it was signed on."""
    signer: str
    work_note: str
    """What was signed."""
    signed_at: datetime
    """By our clock, reckoned from the telephone's."""
    device_time: datetime
    received_at: datetime
    by: str

    @classmethod
    def of(cls, signature: Signature) -> SignatureView:
        return cls(**{name: getattr(signature, name) for name in cls.model_fields})


class EvidenceView(BaseModel):
    """What shows how the work was done: photos in the order they were taken, the newest signature first."""

    photos: list[PhotoView]
    signatures: list[SignatureView]


class PhotoForm(BaseModel):
    """A photo as a telephone sends it."""

    model_config = ConfigDict(extra="forbid")

    photo: UploadFile
    """JPEG, PNG or WebP."""
    kind: PhotoKind
    device_time: AwareDatetime
    """When it was taken, by the telephone's clock."""
    sent_at: AwareDatetime
    """Now, by the same clock."""
    caption: Line = ""


Coordinate = Annotated[int, Field(ge=0, le=WIDTH)]
Point = tuple[Coordinate, Annotated[int, Field(ge=0, le=HEIGHT)]]


class SentSignature(Sent):
    """A signature as it was drawn, for the words that stood above it.

    `strokes` are lines of points, each its distance from the left (0 to 1000) and from the top (0 to 400).
    Either the `base_version` of the ticket it was signed on, or `after`: the id of the command of the same
    telephone that it follows.
    """

    signer: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    work_note: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
    strokes: Annotated[
        list[Annotated[list[Point], Field(min_length=1, max_length=MOST_POINTS)]],
        Field(min_length=1, max_length=MOST_STROKES),
    ]
    device_time: AwareDatetime
    """When it was signed, by the telephone's clock."""
    sent_at: AwareDatetime
    base_version: Annotated[int, Field(ge=1, le=2**53)] | None = None
    after: UUID | None = None

    @model_validator(mode="after")
    def _is_one(self) -> SentSignature:
        if (self.base_version is None) == (self.after is None):
            raise PydanticCustomError("one_of", N_("give either base_version or after"))
        if sum(map(len, self.strokes)) > MOST_POINTS:
            raise PydanticCustomError("too_long", N_("a signature has at most 10,000 points"))
        if not is_signature(self.strokes):
            raise PydanticCustomError("no_signature", N_("nobody has signed yet: draw the signature"))
        return self


@router.put("/tickets/{ticket_id}/photos/{id}", dependencies=_WORKING, max_body_size=LARGEST_PHOTO + _AROUND)
async def put_photo(
    request: Request, caller: Caller, ticket_id: UUID, id: UUID, sent: Annotated[PhotoForm, Form()]
) -> PhotoView:
    """Keep a photo of the work: made anew from its pixels, the right way up, without where it was taken.

    The id is chosen by the telephone; the same again is the same photo. Who has, or ever had, the ticket may
    bring it, whatever became of the ticket since.
    """
    raw = await sent.photo.read(LARGEST_PHOTO + 1)
    if not raw:
        raise invalid("body", ("photo",), N_("the photo is empty"), "missing")
    if len(raw) > LARGEST_PHOTO:
        raise BodyTooLarge(limit=LARGEST_PHOTO)
    service = service_of(request)
    brought = BroughtPhoto(id, ticket_id, sent.device_time, sent.sent_at, raw, sent.kind, sent.caption)
    return PhotoView.of(await keep_photo(service.database, darkroom_of(service), brought, Viewer.of(caller)))


@router.put("/tickets/{ticket_id}/signatures/{id}", dependencies=_WORKING)
async def put_signature(
    tx: WriteTx, caller: Caller, ticket_id: UUID, id: UUID, sent: SentSignature
) -> SignatureView:
    """Keep a signature with what was signed; the same id again is the same signature."""
    brought = BroughtSignature(
        id=id,
        ticket_id=ticket_id,
        device_time=sent.device_time,
        sent_at=sent.sent_at,
        signer=sent.signer,
        work_note=sent.work_note,
        strokes=[list(each) for each in sent.strokes],
        base_version=sent.base_version,
        after=sent.after,
    )
    return SignatureView.of(await keep_signature(tx, brought, Viewer.of(caller)))


@router.get("/tickets/{ticket_id}/evidence", dependencies=_READING)
async def evidence(tx: ReadTx, caller: Caller, ticket_id: UUID) -> EvidenceView:
    """The photos and signatures of one ticket."""
    ticket = await find_ticket(tx, Viewer.of(caller), ticket_id)
    return EvidenceView(
        photos=[PhotoView.of(each) for each in await store.list_photos(tx, ticket.id)],
        signatures=[SignatureView.of(each) for each in await store.list_signatures(tx, ticket.id)],
    )


@router.get("/photos/{id}", dependencies=_READING, response_class=Response, responses=_JPEG)
async def photo(request: Request, tx: ReadTx, caller: Caller, id: UUID) -> Response:
    """One photo as it is kept."""
    return await _photo(request, tx, Viewer.of(caller), id, small=False)


@router.get(
    "/photos/{id}/thumbnail",
    dependencies=_READING,
    response_class=Response,
    responses=_JPEG,
)
async def thumbnail(request: Request, tx: ReadTx, caller: Caller, id: UUID) -> Response:
    """The same, at most 320 pixels long."""
    return await _photo(request, tx, Viewer.of(caller), id, small=True)


@router.get("/signatures/{id}", dependencies=_READING, response_class=Response, responses=_SVG)
async def signature(tx: ReadTx, caller: Caller, id: UUID) -> Response:
    """One signature as a picture."""
    found = await store.load_signature(tx, id)
    if found is None or not found.strokes:
        raise NoSuchPicture
    await _require_visible(tx, Viewer.of(caller), found.ticket_id)
    return Response(svg_of(found.strokes), media_type="image/svg+xml", headers=_PRIVATE)


# Whoever was shown a picture asks again before each further look: it may be erased, or not theirs any more.
_PRIVATE: Final = {"cache-control": "private, no-cache", "content-disposition": "inline"}


async def _photo(request: Request, tx: ReadTx, viewer: Viewer, id: UUID, *, small: bool) -> Response:
    found = await store.load_photo(tx, id, small=small)
    if found is None:
        raise NoSuchPicture
    await _require_visible(tx, viewer, found["ticket_id"])
    headers = _PRIVATE | {"etag": f'"{bytes(found["sha256"]).hex()}"'}
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    return Response(bytes(found["content"]), media_type="image/jpeg", headers=headers)


async def _require_visible(tx: ReadTx, viewer: Viewer, ticket_id: UUID) -> None:
    """`NoSuchPicture` where the ticket does not exist for this viewer."""
    try:
        await find_ticket(tx, viewer, ticket_id)
    except NoSuchTicket:
        raise NoSuchPicture from None
