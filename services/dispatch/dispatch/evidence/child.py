"""The process that reads one photo: no network, no database, little time and memory. Started by `pictures`.

It takes a photo by its standard input, and answers with a line of JSON: what is wrong with it, or its sides
and lengths, followed by the photo and its thumbnail. Whoever made a file to keep us busy ends this process
and nothing else.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from PIL import Image, JpegImagePlugin, MpoImagePlugin, PngImagePlugin, WebPImagePlugin

from dispatch.evidence.rules import LONG_SIDE, MOST_PIXELS, THUMBNAIL

READ: Final = ("JPEG", "PNG", "WEBP")
TOO_MUCH: Final = 3
"""The exit code where memory was not enough."""
_PLUGINS: Final = (JpegImagePlugin, MpoImagePlugin, PngImagePlugin, WebPImagePlugin)
"""Loaded while files may still be opened."""
_ORIENTATION: Final = 0x0112
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read(raw: bytes) -> list[bytes]:
    """The answer about one photo, in pieces."""
    try:
        photo = Image.open(BytesIO(raw), formats=READ)
    except Image.DecompressionBombError:
        return [_told(problem="too_many_pixels")]
    except Exception:  # whatever a format's reader trips over, it is none of its photos
        return [_told(problem="not_a_photo")]
    if photo.width * photo.height > MOST_PIXELS:
        return [_told(problem="too_many_pixels")]
    try:
        return _kept(photo)
    except MemoryError:
        raise
    except Exception:
        return [_told(problem="broken")]


def _kept(photo: Image.Image) -> list[bytes]:
    """The pixels alone: what stood beside them, such as where and with what it was taken, is left behind."""
    turn = _turn(photo)
    photo.thumbnail((LONG_SIDE, LONG_SIDE))  # a JPEG is decoded at half or a quarter of its size
    flat = _flat(photo)
    if turn is not None:
        flat = flat.transpose(turn)
    small = flat.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    content, thumbnail = _jpeg(flat, 85), _jpeg(small, 75)
    sides = {"width": flat.width, "height": flat.height}
    return [_told(**sides, content=len(content), thumbnail=len(thumbnail)), content, thumbnail]


def _turn(photo: Image.Image) -> Image.Transpose | None:
    """What turns it the right way up; None where it is, or where what it says of itself cannot be read."""
    with suppress(Exception):
        return _TURNS.get(photo.getexif().get(_ORIENTATION, 1))
    return None


def _flat(photo: Image.Image) -> Image.Image:
    """In three colours, on white where one can see through it; a new image that knows nothing of its file."""
    if photo.mode == "P" or photo.has_transparency_data:
        photo = photo.convert("RGBA")
        white = Image.new("RGB", photo.size, "white")
        white.paste(photo, mask=photo.getchannel("A"))
        return white
    plain = Image.new("RGB", photo.size)
    plain.paste(photo.convert("RGB"))
    return plain


def _jpeg(image: Image.Image, quality: int) -> bytes:
    written = BytesIO()
    image.save(written, "JPEG", quality=quality, optimize=True)
    return written.getvalue()


def _told(**said: Any) -> bytes:
    return json.dumps(said).encode() + b"\n"


def confine(seconds: int, mebibytes: int) -> None:
    """From here on so much time, so much memory beyond what is in use, and nothing written to files."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us ends us
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    if (used := _used()) is not None:
        most = used + mebibytes * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))


def _used() -> int | None:
    """Bytes of address space, None where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return None


def main() -> None:
    """`python -m dispatch.evidence.child SECONDS MEBIBYTES`."""
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    Image.preinit()
    confine(int(sys.argv[1]), int(sys.argv[2]))
    try:
        for piece in read(sys.stdin.buffer.read()):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    except (MemoryError, RecursionError):
        os._exit(TOO_MUCH)


if __name__ == "__main__":
    main()
