"""What shows how the work was done: photos, and the signature of whoever was there (R28, R33), pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias, get_args
from uuid import UUID

PhotoKind = Literal["before", "after", "part", "name_plate", "other"]
PHOTO_KINDS: Final[tuple[PhotoKind, ...]] = get_args(PhotoKind)

LARGEST_PHOTO: Final = 12 * 1024 * 1024
"""Bytes of a photo as it is sent; what a telephone makes has 2 to 8 MiB."""
MOST_PIXELS: Final = 64_000_000
"""Of a photo as it is sent, whatever its bytes are: more is made to fill the memory."""
LONG_SIDE: Final = 2048
"""Pixels of the longer side of what is kept: a name plate can be read, and ten photos are a few megabytes."""
THUMBNAIL: Final = 320
MOST_PHOTOS: Final = 200
"""Of one ticket."""
MOST_SIGNATURES: Final = 20

WIDTH: Final = 1000
HEIGHT: Final = 400
"""The sheet that a signature is drawn on; its points lie within it."""
MOST_STROKES: Final = 300
MOST_POINTS: Final = 10_000
_LEAST: Final = 60
"""Units that a signature is wide or high at least: a touch by mistake is none."""

Stroke: TypeAlias = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Picture:
    """A photo as it is kept: JPEG without anything but its pixels, the right way up."""

    content: bytes
    thumbnail: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo without its bytes.

    taken_at     by our clock, reckoned from what the telephone said
    device_time  by the telephone's own clock
    received_at  when it reached us
    kept         False once the customer was erased
    """

    id: UUID
    ticket_id: UUID
    episode: int
    version: int
    kind: PhotoKind
    caption: str
    taken_at: datetime
    device_time: datetime
    received_at: datetime
    by: str
    width: int
    height: int
    size: int
    sha256: bytes
    kept: bool


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed for what, and how it looked.

    signed_version  the version of the ticket that it was signed on
    version         the one that came of it
    work_note       what was signed: the words that stood above the line
    """

    id: UUID
    ticket_id: UUID
    episode: int
    signed_version: int
    version: int
    signer: str
    work_note: str
    strokes: Sequence[Stroke]
    signed_at: datetime
    device_time: datetime
    received_at: datetime
    by: str

    @property
    def path(self) -> str:
        """Its strokes as the data of a path."""
        return path_of(self.strokes)


def is_signature(strokes: Sequence[Stroke]) -> bool:
    """Whether somebody drew a line that one can see."""
    points = [point for stroke in strokes for point in stroke]
    if not points:
        return False
    across, down = [x for x, _ in points], [y for _, y in points]
    return max(max(across) - min(across), max(down) - min(down)) >= _LEAST


def path_of(strokes: Iterable[Stroke]) -> str:
    """The data of an SVG path through all points; digits and letters only, whatever was sent."""
    return " ".join(_line(stroke) for stroke in strokes if stroke)


def _line(stroke: Stroke) -> str:
    first, *rest = stroke
    to = "".join(f" {int(x)} {int(y)}" for x, y in rest or (first,))
    return f"M{int(first[0])} {int(first[1])} L{to.strip()}"


def svg_of(strokes: Iterable[Stroke]) -> str:
    """A signature as a picture of its own."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}"><path d="{path_of(strokes)}" fill="none" stroke="#123" stroke-width="6" '
        'stroke-linecap="round" stroke-linejoin="round"/></svg>'
    )
