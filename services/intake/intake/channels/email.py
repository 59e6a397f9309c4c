"""E-mail: raw RFC 822 into one request. Pure: bytes in, value out.

Charset labels lie, headers are missing, parts are broken: what cannot be read is still kept whole, and
what can be read is read the way mail programs do it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from email.policy import EmailPolicy
from email.utils import parseaddr
from html import unescape
from typing import TYPE_CHECKING, Final

from intake.requests.rules import Identity, Normalised, email_identity, title_of

# What senders write on the label, and what is in the tin.
_MEANT: Final = {"gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "big5": "big5hkscs"}
# Their bytes are ASCII, so that they would pass for UTF-8.
_SEVEN_BIT: Final = frozenset({"hz-gb-2312", "iso-2022-jp", "iso-2022-jp-2", "iso-2022-kr", "utf-7"})
# Characters or lines; beyond them the raw source alone keeps what came, and nobody waits for our processor.
_LONGEST_TEXT: Final = 100_000
_LONGEST_MARKUP: Final = 500_000
_LONGEST_HEADER: Final = 10_000
_LONGEST_NAME: Final = 200
_MOST_BOUNDARIES: Final = 2_000
_SILENT: Final = frozenset({"script", "style", "title"})
_BREAKS: Final = frozenset({"p", "br", "div", "li", "tr", "h1", "h2", "h3", "blockquote"})
_TAG: Final = re.compile(r"<(?P<opened>[a-zA-Z][a-zA-Z0-9]*)|<[!?/]")
_ID: Final = re.compile(r"<[^<>\s]{1,250}>")  # an index entry has to hold it
_UNSTORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class NotForPeople:
    """A mail that no person wrote: kept, but it opens nothing, or programs would answer each other."""

    external_id: str
    reason: str


def parse(
    raw: bytes, account: str, received_at: datetime, *, region: str, city: str, product_line: str | None
) -> Normalised | NotForPeople:
    """One mail, as it reached the mailbox `account`; a Date header never counts, only `received_at` (R52)."""
    mail = _read(raw)
    external_id = _message_id(mail, raw)
    if reason := _automatic(mail):
        return NotForPeople(external_id, reason)
    name, address = _from(mail)
    subject, text = _header(mail, "Subject"), _text(mail)[:_LONGEST_TEXT]
    return Normalised(
        channel="email",
        account=account,
        external_id=external_id,
        identities=_sender(address, external_id),
        name=(name or address)[:_LONGEST_NAME] or "—",
        text=text,
        title=title_of(subject, text),
        received_at=received_at,
        raw=raw,
        content_type="message/rfc822",
        region=region,
        city=city,
        product_line=product_line,
        answers=tuple(_answered(mail)),
        address=address or None,
    )


if TYPE_CHECKING:
    _Policy = EmailPolicy[EmailMessage]  # which takes no parameters when it runs
else:
    _Policy = EmailPolicy


class _ShortHeaders(_Policy):
    """Cut long ones off: the library's time to read one grows with the square of its length."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:_LONGEST_HEADER]


_POLICY: Final = _ShortHeaders()


def _read(raw: bytes) -> EmailMessage:
    """The mail in its parts; of one made to keep us busy, the headers."""
    if raw.count(b"\n--") <= _MOST_BOUNDARIES:
        try:
            return BytesParser(policy=_POLICY).parsebytes(raw)
        except RecursionError:  # parts within parts within parts
            pass
    return BytesHeaderParser(policy=_POLICY).parsebytes(raw)


def _message_id(mail: EmailMessage, raw: bytes) -> str:
    """The Message-ID; without one, the same bytes are the same mail."""
    found = _ID.search(_header(mail, "Message-ID"))
    return found.group() if found else f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _sender(address: str, external_id: str) -> tuple[Identity, ...]:
    identity = email_identity(address)
    return (identity or Identity("external", f"email:{external_id}"),)


def _automatic(mail: EmailMessage) -> str | None:
    """Why no person wrote this (RFC 3834, RFC 3464), None when one did."""
    submitted = _header(mail, "Auto-Submitted").split(";")[0].strip().lower()
    if submitted not in ("", "no"):
        return "auto_submitted"
    if _header(mail, "Return-Path").strip() == "<>" or mail.get_content_type() == "multipart/report":
        return "bounce"
    if _from(mail)[1].lower().startswith("mailer-daemon@"):
        return "bounce"
    if any(_header(mail, name) for name in ("X-Loop", "X-Autoreply", "X-Autorespond")):
        return "loop"
    return None


def _answered(mail: EmailMessage) -> Iterator[str]:
    """The ids of the mails this one replies to, the nearest first."""
    for name in ("In-Reply-To", "References"):
        yield from reversed(_ID.findall(_header(mail, name))[-20:])


def _from(mail: EmailMessage) -> tuple[str, str]:
    """Name and address; decoded only then, for a name may hold commas and addresses."""
    sent = _raw_header(mail, "From")
    try:
        name, address = parseaddr(sent)
    except RecursionError:  # comments within comments
        name, address = sent, ""
    return _words(name), _storable(address)


def _header(mail: EmailMessage, name: str) -> str:
    return _words(_raw_header(mail, name))


def _raw_header(mail: EmailMessage, name: str) -> str:
    """A header as it was sent; bytes that should have been encoded become text all the same."""
    value = next((str(each) for key, each in mail.raw_items() if key.lower() == name.lower()), "")
    if not value.isascii():
        value = _decoded(value.encode("utf-8", "surrogateescape"), None)
    return " ".join(value.split())


def _words(header: str) -> str:
    """Encoded words (RFC 2047) as text. By hand: the library takes their charset labels at their word."""
    try:
        pieces = decode_header(header)
    except HeaderParseError:
        pieces = [(header, None)]
    text = "".join(piece if isinstance(piece, str) else _word(piece, charset) for piece, charset in pieces)
    return _storable(" ".join(text.split()))


def _word(piece: bytes, charset: str | None) -> str:
    return piece.decode("raw-unicode-escape", "replace") if charset is None else _decoded(piece, charset)


def _text(mail: EmailMessage) -> str:
    """What a person would read: the plain part, else the HTML one without its markup."""
    for kind in ("plain", "html"):
        try:
            part = mail.get_body((kind,))
        except Exception:  # a structure the library cannot follow
            break
        if isinstance(part, EmailMessage) and (text := _text_of(part)):
            return text
    # Parts whose boundary is nowhere to be found are one piece.
    broken = mail.get_content_maintype() == "multipart" and not mail.is_multipart()
    return _text_of(mail) if broken else ""


def _text_of(part: EmailMessage) -> str:
    payload = part.get_payload(decode=True)
    text = _decoded(payload if isinstance(payload, bytes) else b"", part.get_content_charset())
    if part.get_content_type() == "text/html":
        text = _without_markup(text)
    return _storable(text).strip()


def _storable(text: str) -> str:
    return _UNSTORABLE.sub("\ufffd", text)


def _decoded(payload: bytes, label: str | None) -> str:
    """UTF-8 when it is that, else what the label means, else what is common here."""
    named = (label or "").lower()
    meant = _MEANT.get(named, named)
    for charset in (meant, "utf-8") if named in _SEVEN_BIT else ("utf-8", meant, "gb18030"):
        try:
            return payload.decode(charset)
        except (ValueError, LookupError):  # not only UnicodeDecodeError: labels name the strangest codecs
            continue
    return payload.decode("utf-8", errors="replace")


def _without_markup(markup: str) -> str:
    """In one pass whatever it holds: the library's parser takes minutes over tags that never close."""
    markup = markup[:_LONGEST_MARKUP]
    pieces: list[str] = []
    at = 0
    while tag := _TAG.search(markup, at):
        pieces.append(markup[at : tag.start()])
        at = tag.start()
        if (end := _end_of(tag, markup)) is None:
            break
        at = end
        if (tag["opened"] or "").lower() in _BREAKS:
            pieces.append("\n")
    text = "".join([*pieces, markup[at:]])
    with suppress(ValueError):  # a reference of thousands of digits
        text = unescape(text)
    lines = (" ".join(line.split()) for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))


def _end_of(tag: re.Match[str], markup: str) -> int | None:
    """Where the text goes on behind a tag or a comment; None when it never ends."""
    closing = "-->" if markup.startswith("<!--", tag.start()) else ">"
    end = markup.find(closing, tag.end())
    if end < 0:
        return None
    if (tag["opened"] or "").lower() in _SILENT:
        closed = re.compile(f"</{tag['opened']}", re.IGNORECASE).search(markup, end)
        return closed.start() if closed else len(markup)
    return end + len(closing)
