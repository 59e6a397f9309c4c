"""Mails that were made to keep a reader busy, and a corpus of ordinary ones to change at random."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_HTML: Final = "Content-Type: text/html; charset=utf-8\r\n\r\n"
_TEXT: Final = "Content-Type: text/plain; charset=utf-8\r\n\r\n"
_PARTS: Final = 'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
_FILE: Final = "--b\r\nContent-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
_REPORT: Final = (
    "Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n"
)
# Each a beginning, and what is said again and again behind it.
_REPEATED: Final = {
    "nested mails": ("", "Content-Type: message/rfc822\r\n\r\n"),
    "nested parts": ("", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"),
    "parts": (_PARTS, "--b\r\n\r\nx\r\n"),
    "headers of parts": (_PARTS, "--b\r\n" + "X: a\r\n" * 300 + "\r\nx\r\n"),
    "headers": ("", "a:b\r\n"),
    "encoded words": ("Subject: ", "=?utf-8?b?5rC05rO1?= "),
    "comments": ("From: ", "(<"),
    "recipients": ("To: ", "a@b.example,"),
    "continuations": ("Content-Type: text/plain; ", "charset*0*=x;"),
    "quotes in parameters": ('Content-Type: text/plain; a="', '\\";'),
    "references": ("References: ", "<a@b> "),
    "almost delimiters": (_PARTS, "--bx\r\n"),
    "delimiters inline": (_PARTS, "--b"),
    "links": (_HTML, "<a href=http://x.example/>x</a> "),
    "open tags": (_HTML, "<a "),
    "open comments": (_HTML, "<!--"),
    "open scripts": (_HTML, "<script>"),
    "styles": (_HTML, "<style></style>"),
    "entities": (_HTML, "&#&ampamp"),
    "paragraphs": (_HTML, "<p>"),
    "file links": (_HTML, "<img src=file:///etc/passwd><style>@import url(x)</style>data:,"),
    "almost quotes": (_TEXT, "于2026年写道x\n"),
    "many who wrote": (_TEXT, "on " + "wrote " * 45 + "\n"),
    "at signs": (_TEXT, "@" * 299 + "\n"),
    "senders": (_TEXT, "发件人: x\n"),
    "dashes": (_TEXT, "-" * 299 + "\n"),
    "quoted printable": ("Content-Transfer-Encoding: quoted-printable\r\n" + _HTML, "=3C=3D\r\n"),
    "base64": ("Content-Transfer-Encoding: base64\r\n" + _HTML, "PGEgPGEg"),
    "a file": (_PARTS + _FILE, "iVBORw0KGgo=\r\n"),
    "calendar": ("Content-Type: text/calendar\r\n\r\nBEGIN:VEVENT\r\n", "SUMMARY:x\r\n "),
    "report": (_REPORT + "\r\n", "Action: x\r\n\r\n"),
    "names": (_PARTS, "--b\r\nContent-Disposition: attachment; filename=" + "x/" * 900 + "\r\n\r\nx\r\n"),
    **{
        f"charset {name}": (f"Content-Type: text/plain; charset={name}\r\n\r\n", "+2AA-~{<:Ky2;\x1b$B-abc")
        for name in ("utf-7", "punycode", "idna", "hz-gb-2312", "iso-2022-kr", "unicode_escape", "zlib")
    },
}


def hostile_mails(size: int) -> Iterator[tuple[str, bytes]]:
    """By name, each about `size` bytes."""
    for name, (begin, piece) in _REPEATED.items():
        repeated = piece.encode() * max(1, (size - len(begin)) // len(piece.encode()))
        yield name, begin.encode() + repeated
