"""Attachments: by names that fool no file system, page or eye, and by what their bytes say they are."""

from __future__ import annotations

import binascii
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from intake.channels.mail.headers import words
from intake.channels.mail.reading import LONGEST_PART_HEADERS, Piece, headers_at
from intake.channels.mail.value import Part

MOST: Final = 200
LONGEST_NAME: Final = 100  # bytes of UTF-8
_KIND: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
_RESERVED: Final = re.compile(r"(?i)(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?")
_FORBIDDEN: Final = re.compile(r'[<>:"|?*/\\]')
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BEGINNINGS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\x1f\x8b", "application/gzip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"\x78\x9f\x3e\x22", "application/ms-tnef"),
    (b"MZ", "application/vnd.microsoft.portable-executable"),
    (b"\x7fELF", "application/x-executable"),
)
_ACTIVE: Final = (
    (re.compile(rb"(?i)\s*(?:<\?xml[^>]*>\s*)?(?:<!--.{0,200}?-->\s*)?(?:<!doctype svg|<svg\b)", re.DOTALL),
     "image/svg+xml"),
    (re.compile(rb"(?i)\s*(?:<!doctype html|<html\b|<script\b)"), "text/html"),
)  # fmt: skip
_ENDINGS: Final = {
    "image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "application/pdf": ".pdf",
    "text/plain": ".txt", "text/html": ".html", "text/calendar": ".ics", "message/rfc822": ".eml",
}  # fmt: skip
# Office and other formats are zip archives or OLE storages: their own type says more.
_CONTAINERS: Final = frozenset({"application/zip", "application/x-ole-storage"})
_OFFICE: Final = re.compile(
    r"application/(?:vnd\.(?:openxmlformats|oasis|ms-|visio)|msword|x-msi|epub|java-archive)"
)


def is_attached(piece: Piece) -> bool:
    """Whether it is a file, not something to be read in its place."""
    if piece.children:
        return False
    disposition, named = piece.disposition
    if disposition == "attachment" or named.get("filename") or piece.typed[1].get("name"):
        return True
    return not piece.kind.startswith(("text/", "multipart/"))


def attachments(mail: Piece) -> Iterator[Part]:
    """The files of a mail, in its order."""
    given = 0
    for piece in mail.leaves():
        if given < MOST and (is_attached(piece) or piece.kind == "text/calendar"):
            given += 1
            yield described(piece, given)


def described(piece: Piece, position: int) -> Part:
    """What one file is called and is."""
    disposition, named = piece.disposition
    said = piece.kind if _KIND.fullmatch(piece.kind) else "application/octet-stream"
    found = sniffed(_beginning(piece))
    kind = said if found is None or (found in _CONTAINERS and _OFFICE.match(said)) else found
    name = safe_name(words(named.get("filename") or piece.typed[1].get("name") or _subject(piece)))
    if not name:
        name = f"attachment-{position}"
    if "." not in name:
        name += _ENDINGS.get(kind, ".bin")
    inline = disposition != "attachment" and bool(piece.headers.raw("Content-ID"))
    return Part(name, kind, piece.start, piece.end, piece.encoding, inline)


def safe_name(name: str) -> str:
    """The last part of a path without what hides, turns round or is reserved; at most 100 bytes, ending kept.

    Empty when nothing is left.
    """
    folded = unicodedata.normalize("NFC", name[-1000:])
    visible = "".join(each for each in folded if unicodedata.category(each) not in _INVISIBLE)
    last = re.split(r"[/\\]", visible)[-1]
    kept = " ".join(_FORBIDDEN.sub("_", last).split()).strip(". ")
    if _RESERVED.fullmatch(kept):
        kept = f"_{kept}"
    stem, dot, ending = kept.rpartition(".")
    if not dot or len(ending.encode()) > 16:
        stem, dot, ending = kept, "", ""
    room = LONGEST_NAME - len(ending.encode()) - 1
    return stem.encode()[:room].decode(errors="ignore").rstrip(". ") + dot + ending if kept else ""


def sniffed(beginning: bytes) -> str | None:
    """What the first bytes are, None when they could be anything."""
    if beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP":
        return "image/webp"
    if beginning[4:8] == b"ftyp":
        return "image/heic" if beginning[8:11] in (b"hei", b"mif") else "video/mp4"
    for magic, kind in _BEGINNINGS:
        if beginning.startswith(magic):
            return kind
    return next((kind for pattern, kind in _ACTIVE if pattern.match(beginning)), None)


def _beginning(piece: Piece) -> bytes:
    """The first few hundred bytes, decoded."""
    encoded = piece.raw[piece.start : min(piece.end, piece.start + 512)]
    if piece.encoding == "base64":
        letters = re.sub(rb"[^A-Za-z0-9+/]", b"", encoded)
        with suppress(binascii.Error):
            return binascii.a2b_base64(letters[: len(letters) // 4 * 4])
    return binascii.a2b_qp(encoded) if piece.encoding == "quoted-printable" else encoded


def _subject(piece: Piece) -> str:
    """A nested mail is called by its subject."""
    if piece.kind != "message/rfc822":
        return "invite.ics" if piece.kind == "text/calendar" else ""
    headers, _ = headers_at(piece.raw, piece.start, piece.end, LONGEST_PART_HEADERS)
    subject = re.sub(r"[/\\.]", "_", words(headers.raw("Subject")))[:60]
    return f"{subject}.eml" if subject else "mail.eml"
