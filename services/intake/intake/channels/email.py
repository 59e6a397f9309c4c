"""E-mail: raw RFC 822 into one request. Pure: bytes in, value out.

Charset labels lie, headers are missing, parts are broken: what cannot be read is still kept whole, and
what can be read is read the way mail programs do it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parseaddr
from html.parser import HTMLParser
from typing import Final

from intake.requests.rules import Identity, Normalised, email_identity, title_of

# What senders write on the label, and what is in the tin.
_MEANT: Final = {"gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "big5": "big5hkscs"}
_LONGEST_TEXT: Final = 100_000  # characters; the raw source keeps the rest
_SILENT: Final = frozenset({"script", "style", "head", "title"})
_BREAKS: Final = frozenset({"p", "br", "div", "li", "tr", "h1", "h2", "h3", "blockquote"})
_ID: Final = re.compile(r"<[^<>\s]{1,900}>")
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
    mail = BytesParser(policy=policy.default).parsebytes(raw)
    external_id = _message_id(mail, raw)
    if reason := _automatic(mail):
        return NotForPeople(external_id, reason)
    name, address = parseaddr(_header(mail, "From"))
    subject, text = _header(mail, "Subject"), _text(mail)[:_LONGEST_TEXT]
    return Normalised(
        channel="email",
        account=account,
        external_id=external_id,
        identities=_sender(address, external_id),
        name=name or address or "—",
        text=text,
        title=title_of(subject, text),
        received_at=received_at,
        raw=raw,
        content_type="message/rfc822",
        region=region,
        city=city,
        product_line=product_line,
        answers=tuple(_answered(mail)),
    )


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
    if _header(mail, "X-Loop") or _header(mail, "X-Autoreply") or _header(mail, "X-Autorespond"):
        return "loop"
    return None


def _answered(mail: EmailMessage) -> Iterator[str]:
    """The ids of the mails this one replies to, the nearest first."""
    for name in ("In-Reply-To", "References"):
        yield from reversed(_ID.findall(_header(mail, name))[-20:])


def _header(mail: EmailMessage, name: str) -> str:
    try:
        value = str(mail.get(name, ""))
    except Exception:  # the header parser itself trips over some headers
        value = next((str(each) for key, each in mail.raw_items() if key.lower() == name.lower()), "")
    return _UNSTORABLE.sub("\ufffd", " ".join(value.split()))


def _text(mail: EmailMessage) -> str:
    """What a person would read: the plain part, else the HTML one without its markup."""
    try:
        part = mail.get_body(("plain", "html"))
    except Exception:  # a structure the library cannot follow
        part = None
    if not isinstance(part, EmailMessage):
        return ""
    payload = part.get_payload(decode=True)
    text = _decoded(payload if isinstance(payload, bytes) else b"", part.get_content_charset())
    if part.get_content_type() == "text/html":
        text = _without_markup(text)
    return _UNSTORABLE.sub("\ufffd", text).strip()


def _decoded(payload: bytes, label: str | None) -> str:
    """UTF-8 when it is that, else what the label means, else what is common here."""
    named = (label or "").lower()
    for charset in ("utf-8", _MEANT.get(named, named), "gb18030"):
        try:
            return payload.decode(charset)
        except (UnicodeDecodeError, LookupError):
            continue
    return payload.decode("utf-8", errors="replace")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._silent += tag in _SILENT
        if tag in _BREAKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (tag in _SILENT))

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.pieces.append(data)


def _without_markup(html: str) -> str:
    reader = _Reader()
    reader.feed(html)
    lines = (" ".join(line.split()) for line in "".join(reader.pieces).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
