"""Photos of the work and signatures: only pixels are kept, each once, for who may see them (R28, R127)."""

from __future__ import annotations

import asyncio
import hashlib
import struct
import zlib
from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO
from typing import Any, Final
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from contracts.dispatching import (
    DUTY_LEAD_G,
    JUNIOR_A,
    JUNIOR_B,
    SAMPLE,
    SENIOR_C,
    Desk,
    dispatching,
    post,
)
from contracts.hearing import told_event
from contracts.photos import SECRETS, UPRIGHT, corners, encoded, scene, taken
from dispatch.evidence.pictures import BrokenPhoto, Darkroom, NoPhoto, TooManyPixels
from dispatch.evidence.rules import LARGEST_PHOTO, LONG_SIDE, MOST_PHOTOS, THUMBNAIL
from shared.clock import clock, uuid7
from shared.events.intake import CustomerErased

STROKES: Final = [[[100, 200], [300, 120], [420, 260]], [[500, 200], [760, 210]]]
SIGNER: Final = "Canary Wang"
NOTE: Final = "The CanaryPump runs again"


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with dispatching(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(running: Desk) -> AsyncIterator[Desk]:
    await running.clear()
    await running.put(SAMPLE, 0)
    yield running
    assert await running.violations() == {}


async def send_photo(
    client: httpx.AsyncClient, ticket_id: UUID, raw: bytes, id: UUID | None = None, **more: str
) -> httpx.Response:
    now = clock.now()
    said = {
        "kind": "after",
        "device_time": (now - timedelta(hours=2)).isoformat(),
        "sent_at": now.isoformat(),
    }
    return await client.put(
        f"/dispatch/tickets/{ticket_id}/photos/{id or uuid7()}",
        data=said | more,
        files={"photo": ("photo.jpg", raw, "image/jpeg")},
    )


async def sign(
    client: httpx.AsyncClient, ticket_id: UUID, id: UUID | None = None, **more: Any
) -> httpx.Response:
    now = clock.now()
    said: dict[str, Any] = {
        "signer": SIGNER,
        "work_note": NOTE,
        "strokes": STROKES,
        "device_time": (now - timedelta(hours=1)).isoformat(),
        "sent_at": now.isoformat(),
    }
    if "after" not in more:
        said["base_version"] = 1
    return await client.put(f"/dispatch/tickets/{ticket_id}/signatures/{id or uuid7()}", json=said | more)


async def shown(client: httpx.AsyncClient, ticket_id: UUID) -> Any:
    answer = await client.get(f"/dispatch/tickets/{ticket_id}/evidence")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def given_to_junior(desk: Desk) -> Any:
    return await desk.ticket(await desk.ask())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_of_a_photo_only_the_pixels_are_kept_the_right_way_up(kind: str, desk: Desk) -> None:
    ticket = await given_to_junior(desk)
    engineer = desk.acting(ticket.engineer_id, "engineer")
    raw = taken(kind, orientation=6)
    assert any(secret in raw for secret in SECRETS)  # or the test would prove nothing
    answer = await send_photo(engineer, ticket.id, raw, kind="before", caption=" the pump ")
    assert answer.status_code == 200, answer.text
    view = answer.json()
    assert (view["width"], view["height"], view["kind"], view["caption"]) == (640, 480, "before", "the pump")
    for path in (f"/dispatch/photos/{view['id']}", f"/dispatch/photos/{view['id']}/thumbnail"):
        picture = await engineer.get(path)
        assert picture.headers["content-type"] == "image/jpeg"
        assert picture.headers["x-content-type-options"] == "nosniff"
        assert picture.headers["cache-control"] == "private, no-cache"
        assert not [secret for secret in SECRETS if secret in picture.content]
        image = Image.open(BytesIO(picture.content))
        assert dict(image.getexif()) == {}
        assert not {"exif", "xmp", "comment", "icc_profile"} & set(image.info)
        assert corners(picture.content) == UPRIGHT
        again = await engineer.get(path, headers={"if-none-match": picture.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    kept = await engineer.get(f"/dispatch/photos/{view['id']}")
    assert hashlib.sha256(kept.content).hexdigest() == view["sha256"]
    assert len(kept.content) == view["size"]
    [row] = await desk.rows("SELECT * FROM photo")
    assert not [secret for secret in SECRETS if secret in row.content + row.thumbnail]


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_however_the_camera_was_held_the_photo_stands_upright(orientation: int) -> None:
    picture = await Darkroom().develop(taken("JPEG", orientation))
    assert corners(picture.content) == UPRIGHT
    assert (picture.width, picture.height) == (640, 480)


async def test_a_large_photo_is_made_smaller_and_one_with_holes_stands_on_white() -> None:
    picture = await Darkroom().develop(taken("JPEG", size=(4000, 3000)))
    assert (picture.width, picture.height) == (LONG_SIDE, LONG_SIDE * 3 // 4)
    assert max(Image.open(BytesIO(picture.thumbnail)).size) == THUMBNAIL
    holes = Image.new("RGBA", (100, 50), (0, 0, 0, 0))
    picture = await Darkroom().develop(encoded(holes, "PNG"))
    assert Image.open(BytesIO(picture.content)).getpixel((50, 25)) == (255, 255, 255)


def bomb(side: int) -> bytes:
    """A few kilobytes of PNG that say they are `side` pixels wide and high, and are."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack("!I", len(data)) + name + data + struct.pack("!I", zlib.crc32(name + data))

    packer = zlib.compressobj(9)
    row = bytes(1 + side // 8)
    rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    head = struct.pack("!IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


_PHOTO: Final = encoded(scene())
_WRONG: Final[dict[str, tuple[bytes, int]]] = {
    "no image": (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", 415),
    "a page": (b"<!doctype html><script>alert(1)</script>", 415),
    "HEIC": (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(200), 415),
    "GIF": (encoded(scene(), "GIF"), 415),
    "TIFF": (encoded(scene(), "TIFF"), 415),
    "cut off": (_PHOTO[: len(_PHOTO) // 2], 422),
    "cut off PNG": (encoded(scene(), "PNG")[:-200], 422),
    "only its beginning": (_PHOTO[:20], 415),
    "a bomb": (bomb(20_000), 413),
    "nothing": (b"", 422),
    "too many bytes": (_PHOTO + bytes(LARGEST_PHOTO), 413),
}


@pytest.mark.parametrize("what", _WRONG)
async def test_what_is_no_photo_is_told_so_and_nothing_is_kept(what: str, desk: Desk) -> None:
    raw, status = _WRONG[what]
    ticket = await given_to_junior(desk)
    answer = await send_photo(desk.acting(ticket.engineer_id, "engineer"), ticket.id, raw)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"]
    assert await desk.rows("SELECT * FROM photo") == []
    assert (await desk.ticket(ticket.request_id)).version == ticket.version


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "selfie"}, {"device_time": "yesterday"}, {"device_time": "2026-11-23T10:00:00"}, {"size": "1"},
     {"caption": "x" * 201}],
)  # fmt: skip
async def test_a_form_that_says_something_else_is_refused(wrong: dict[str, Any], desk: Desk) -> None:
    ticket = await given_to_junior(desk)
    engineer = desk.acting(ticket.engineer_id, "engineer")
    assert (await send_photo(engineer, ticket.id, _PHOTO, **wrong)).status_code == 422
    without = await engineer.put(f"/dispatch/tickets/{ticket.id}/photos/{uuid7()}", data={"kind": "after"})
    assert without.status_code == 422
    assert await desk.rows("SELECT * FROM photo") == []


_SOURCES: Final = [encoded(scene(64, 48), kind) for kind in ("JPEG", "PNG", "WEBP")]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_photos_that_are_cut_off_or_changed_are_kept_or_refused(data: st.DataObject) -> None:
    """The child process takes about a tenth of a second: few examples here, each through the real one."""
    raw = bytearray(data.draw(st.sampled_from(_SOURCES)))
    for _ in range(data.draw(st.integers(0, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(1, len(raw)))]
    try:
        picture = await Darkroom().develop(bytes(raw))
    except (BrokenPhoto, NoPhoto, TooManyPixels):
        return
    assert Image.open(BytesIO(picture.content)).size == (picture.width, picture.height)


async def test_a_photo_that_takes_too_long_or_too_much_is_refused_and_others_go_on() -> None:
    heavy = encoded(Image.effect_noise((3500, 3500), 90).convert("RGB"), "PNG", compress_level=1)
    with pytest.raises(BrokenPhoto):
        await Darkroom(mebibytes=32).develop(heavy)
    with pytest.raises(BrokenPhoto):
        await Darkroom(seconds=0).develop(heavy)
    assert (await Darkroom().develop(_PHOTO)).width == 640


async def test_the_same_photo_again_is_the_same_photo_and_the_event_says_only_that_there_is_one(
    desk: Desk,
) -> None:
    ticket = await given_to_junior(desk)
    engineer = desk.acting(ticket.engineer_id, "engineer")
    id, now = uuid7(), clock.now().isoformat()
    times = {"device_time": now, "sent_at": now}
    answers = await asyncio.gather(
        *(send_photo(engineer, ticket.id, _PHOTO, id, caption="CanaryCaption", **times) for _ in range(5))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = await send_photo(engineer, ticket.id, encoded(scene(32, 32)), id, **times)
    assert other.status_code == 409
    assert len((await shown(engineer, ticket.id))["photos"]) == 1
    noted = [data for name, _, data in await desk.told(ticket.id) if name == "work_noted"]
    assert noted == [{"what": "photo", "episode": 1, "by": str(ticket.engineer_id), "items": []}]


async def test_a_photo_comes_late_from_who_had_the_ticket_and_never_from_who_had_not(desk: Desk) -> None:
    ticket = await given_to_junior(desk)
    other = JUNIOR_B if ticket.engineer_id == JUNIOR_A else JUNIOR_A
    lead = desk.acting(DUTY_LEAD_G, "dispatcher")
    await post(lead, ticket.id, "assign", ticket.version, person_id=str(other), reason="is nearer")
    had = desk.acting(ticket.engineer_id, "engineer")
    late = await send_photo(had, ticket.id, _PHOTO)
    assert late.status_code == 200, late.text
    assert (await had.get(f"/dispatch/photos/{late.json()['id']}")).status_code == 404  # not theirs to see
    now = await desk.ticket(ticket.request_id)
    await post(lead, ticket.id, "cancel", now.version, reason="withdrawn", note="not wanted any more")
    assert (await send_photo(desk.acting(other, "engineer"), ticket.id, _PHOTO)).status_code == 200
    assert (await sign(desk.acting(other, "engineer"), ticket.id)).status_code == 200
    stranger = desk.acting(SENIOR_C, "engineer")
    assert (await send_photo(stranger, ticket.id, _PHOTO)).status_code == 404
    assert (await sign(stranger, ticket.id)).status_code == 404
    found = await shown(lead, ticket.id)
    assert (len(found["photos"]), len(found["signatures"])) == (2, 1)
    for path in (f"photos/{late.json()['id']}", f"signatures/{found['signatures'][0]['id']}"):
        assert (await stranger.get(f"/dispatch/{path}")).status_code == 404
        assert (await lead.get(f"/dispatch/{path}")).status_code == 200
    [*_, newest] = await desk.names(ticket.id)
    assert newest == "work_noted"
    assert (await desk.ticket(ticket.request_id)).state == "cancelled"


async def test_a_signature_says_who_signed_what_on_which_version_and_when(desk: Desk) -> None:
    ticket = await given_to_junior(desk)
    engineer = desk.acting(ticket.engineer_id, "engineer")
    id, now = uuid7(), clock.now()
    times = {"device_time": (now - timedelta(hours=1)).isoformat(), "sent_at": now.isoformat()}
    first = await sign(engineer, ticket.id, id, base_version=ticket.version, **times)
    assert first.status_code == 200, first.text
    view = first.json()
    assert (view["signer"], view["work_note"], view["signed_version"]) == (SIGNER, NOTE, ticket.version)
    again = await sign(engineer, ticket.id, id, base_version=ticket.version, **times)
    assert again.json() == view
    assert (await sign(engineer, ticket.id, id, signer="Somebody else", **times)).status_code == 409
    picture = await engineer.get(f"/dispatch/signatures/{view['id']}")
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert picture.text.count("M") == len(STROKES)
    told = str(await desk.told())
    assert "Canary" not in told
    assert "signature" in told


async def test_a_signature_that_follows_a_command_is_signed_on_what_that_made(desk: Desk) -> None:
    ticket = await given_to_junior(desk)
    engineer = desk.acting(ticket.engineer_id, "engineer")
    now = clock.now().isoformat()
    deed = {"id": str(uuid7()), "ticket_id": str(ticket.id), "name": "accept", "done_at": now}
    body = {"sent_at": now, "commands": [deed | {"base_version": ticket.version}]}
    brought = await engineer.post("/dispatch/app/commands", json=body)
    version = brought.json()["results"][0]["version"]
    await send_photo(engineer, ticket.id, _PHOTO)
    signed = await sign(engineer, ticket.id, after=deed["id"])
    assert signed.json()["signed_version"] == version


@pytest.mark.parametrize(
    "wrong",
    [{"strokes": []}, {"strokes": [[[10, 10], [12, 11]]]}, {"strokes": [[[0, 0], [1001, 0]]]},
     {"strokes": [[[0, 0], ["9", 0]]]}, {"strokes": [[[x % 1000, 0] for x in range(400)]] * 26},
     {"signer": " "}, {"work_note": ""}, {"after": str(UUID(int=1)), "base_version": 1}],
)  # fmt: skip
async def test_what_is_no_signature_is_refused(wrong: dict[str, Any], desk: Desk) -> None:
    ticket = await given_to_junior(desk)
    answer = await sign(desk.acting(ticket.engineer_id, "engineer"), ticket.id, **wrong)
    assert answer.status_code == 422, answer.text
    assert await desk.rows("SELECT * FROM signature") == []


async def test_erasing_a_customer_takes_photos_names_and_strokes(desk: Desk) -> None:
    ticket = await given_to_junior(desk)
    engineer = desk.acting(ticket.engineer_id, "engineer")
    photo = (await send_photo(engineer, ticket.id, _PHOTO, caption="CanaryCaption")).json()
    signature = (await sign(engineer, ticket.id)).json()
    await desk.receive(told_event(CustomerErased(requests=1), subject=ticket.customer_id, version=3))
    tables = await desk.admin.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'dispatch'")
    for [table] in tables:
        rows = await desk.admin.fetch(f"SELECT * FROM dispatch.{table}")
        assert not [row for row in rows if "Canary" in str(dict(row))], table
    [row] = await desk.rows("SELECT * FROM photo")
    assert (row.content, row.thumbnail) == (None, None)
    for path in (f"photos/{photo['id']}", f"photos/{photo['id']}/thumbnail", f"signatures/{signature['id']}"):
        assert (await engineer.get(f"/dispatch/{path}")).status_code == 404
    found = await shown(engineer, ticket.id)
    assert [each["kept"] for each in found["photos"]] == [False]
    # What was on the telephone meanwhile is not kept either.
    assert (await send_photo(engineer, ticket.id, _PHOTO)).status_code == 410
    assert (await sign(engineer, ticket.id)).status_code == 410


async def test_there_is_an_end_to_photos(desk: Desk) -> None:
    ticket = await given_to_junior(desk)
    engineer = desk.acting(ticket.engineer_id, "engineer")
    await send_photo(engineer, ticket.id, _PHOTO)
    columns = [
        row["name"]
        for row in await desk.admin.fetch(
            "SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'photo'"
        )
    ]
    values = ", ".join("gen_random_uuid()" if name in ("id", "sent_id") else name for name in columns)
    await desk.admin.execute(
        f"INSERT INTO photo ({', '.join(columns)}) "
        f"SELECT {values} FROM photo, generate_series(2, {MOST_PHOTOS})"
    )
    assert (await send_photo(engineer, ticket.id, _PHOTO)).status_code == 409
