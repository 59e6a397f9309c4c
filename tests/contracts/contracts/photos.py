"""Photos as telephones make them, with what they tell about themselves and about where they were taken."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Final

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

PLACE: Final = "GPS-CANARY-31.2304N-121.4737E"
CAMERA: Final = "CameraOfTheCanary"
XMP: Final = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><canary>XmpCanary</canary></x:xmpmeta>'
SECRETS: Final = (PLACE.encode(), CAMERA.encode(), b"XmpCanary", b"Exif", b"adobe:ns", b"GPS-CANARY")
_CORNERS: Final = ("red", "lime", "blue", "yellow")
"""Clockwise from the upper left, of a photo the right way up."""


def scene(width: int = 640, height: int = 480) -> Image.Image:
    """A picture with a colour in each corner."""
    image = Image.new("RGB", (width, height), "gray")
    draw = ImageDraw.Draw(image)
    half, middle = width // 2, height // 2
    boxes = ((0, 0), (half, 0), (half, middle), (0, middle))
    for (left, top), colour in zip(boxes, _CORNERS, strict=True):
        draw.rectangle((left, top, left + half, top + middle), fill=colour)
    return image


_TURNED: Final = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a camera that was held so stores what is the right way up."""


def taken(kind: str = "JPEG", orientation: int = 1, size: tuple[int, int] = (640, 480)) -> bytes:
    """A photo of `scene` as a camera held in this way stores it, with place, maker and XMP."""
    image = scene(*size)
    turn = _TURNED[orientation]
    if turn is not None:
        image = image.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = CAMERA
    place = exif.get_ifd(0x8825)
    place[1], place[2], place[3], place[4] = "N", (31.0, 13.0, 49.4), "E", (121.0, 28.0, 25.3)
    place[27] = PLACE.encode()
    more: dict[str, Any] = {"exif": exif}
    if kind == "PNG":
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
        text.add_text("Comment", PLACE)
        more["pnginfo"] = text
    elif kind == "JPEG":
        more |= {"xmp": XMP, "comment": PLACE.encode()}
    else:
        more["xmp"] = XMP
    return encoded(image, kind, **more)


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    written = BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def corners(content: bytes) -> tuple[str, ...]:
    """Which colours the corners of a picture have, clockwise from the upper left."""
    image = Image.open(BytesIO(content)).convert("RGB")
    right, bottom = image.width * 9 // 10, image.height * 9 // 10
    left, top = image.width // 10, image.height // 10
    found = [image.getpixel(at) for at in ((left, top), (right, top), (right, bottom), (left, bottom))]
    return tuple(_name(colour) for colour in found)


def _name(colour: Any) -> str:
    bright = tuple(part > 128 for part in colour)
    names = {
        (True, False, False): "red",
        (False, True, False): "lime",
        (False, False, True): "blue",
        (True, True, False): "yellow",
    }
    return names.get(bright, str(colour))


UPRIGHT: Final = _CORNERS
