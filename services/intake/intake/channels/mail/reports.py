"""What mail servers report: mails of ours that could not be delivered (RFC 3464)."""

from __future__ import annotations

import re
from typing import Final

from intake.channels.mail.headers import ID, answered, words
from intake.channels.mail.reading import LONGEST_PART_HEADERS, Headers, Piece, headers_at
from intake.channels.mail.text import payload_of
from intake.channels.mail.value import Undelivered

_READ: Final = 50_000  # characters of a report
_BLANK: Final = re.compile(r"\r?\n\r?\n")
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_MOST_RECIPIENTS: Final = 50


def report_type(mail: Piece) -> str | None:
    """The kind of a multipart/report, None when it is none."""
    if mail.kind != "multipart/report":
        return None
    return mail.typed[1].get("report-type", "").lower() or "delivery-status"


def undelivered(mail: Piece) -> Undelivered | None:
    """Which mail was given up, and why; None while the server still tries, or when it does not say."""
    leaves = list(mail.leaves())
    for leaf in leaves:
        if leaf.kind in ("message/delivery-status", "message/global-delivery-status"):
            if (failed := _failed(payload_of(leaf)[:_READ])) is not None:
                return Undelivered(_returned(mail, leaves), *failed)
            return None
    if failed_to := mail.headers.raw("X-Failed-Recipients"):  # Exim's own way
        return Undelivered(_returned(mail, leaves), failed_to.split(",")[0].strip()[:254], "")
    return None


def _failed(report: str) -> tuple[str, str] | None:
    for group in _BLANK.split(report)[1 : _MOST_RECIPIENTS + 1]:
        fields = Headers(group.encode("utf-8", "replace"))
        found = _STATUS.match(fields.raw("Status"))
        status = found.group() if found else ""
        if fields.raw("Action").lower() == "failed" or (status.startswith("5") and not fields.raw("Action")):
            recipient = fields.raw("Final-Recipient") or fields.raw("Original-Recipient")
            return recipient.rpartition(";")[2].strip()[:254], status
    return None


def _returned(mail: Piece, leaves: list[Piece]) -> tuple[str, ...]:
    """The Message-ID of what came back: from its own headers, else from what the report answers."""
    ids: list[str] = []
    for leaf in leaves:
        if leaf.kind in ("message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global"):
            returned, _ = headers_at(leaf.raw, leaf.start, leaf.end, LONGEST_PART_HEADERS)
            ids += ID.findall(words(returned.raw("Message-ID")))[:1]
    return tuple(dict.fromkeys([*ids, *answered(mail.headers)]))
