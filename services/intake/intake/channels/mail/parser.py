"""Raw RFC 822 into what it says. Pure: bytes in, value out.

Charset labels lie, headers are missing, parts are broken: what cannot be read is still kept whole, and what
can be read is read the way mail programs do it.
"""

from __future__ import annotations

from typing import Final

from intake.channels.mail import automatic, headers, reports
from intake.channels.mail.attachments import attachments
from intake.channels.mail.quoting import FORWARDED, without_quotes
from intake.channels.mail.reading import headers_at, read
from intake.channels.mail.text import text_of
from intake.channels.mail.value import Mail

_CHEAP: Final = 16 * 1024  # bytes that a mail is looked at which nobody could read


def parse(raw: bytes, host: str = "") -> Mail:
    """One mail; `host` is this house's, as its own mails say it."""
    whole = read(raw)
    reason = automatic.why_automatic(whole, host)
    name, address = headers.sender(whole.headers)
    subject, text = headers.words(whole.headers.raw("Subject")), text_of(whole)
    return Mail(
        external_id=headers.message_id(whole.headers, raw),
        name=name,
        address=address,
        subject=subject,
        # A mail that is passed on is about what it passes on.
        text=text if FORWARDED.match(subject) else without_quotes(text),
        recipients=tuple(dict.fromkeys(headers.recipients(whole.headers))),
        answers=tuple(headers.answered(whole.headers)),
        automatic=reason,
        undelivered=reports.undelivered(whole) if reason == "bounce" else None,
        parts=tuple(attachments(whole)),
    )


def skim(raw: bytes) -> Mail:
    """Sender, subject and id of a mail that cost too much to read; it has no text and no parts."""
    found, _ = headers_at(raw, 0, min(len(raw), _CHEAP), _CHEAP)
    name, address = headers.sender(found)
    subject = headers.words(found.raw("Subject")[:1000])
    return Mail(headers.message_id(found, raw), name, address, subject, "", understood=False)
