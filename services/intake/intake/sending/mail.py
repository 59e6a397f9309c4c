"""Answers by e-mail: one mail in the customer's thread, through the operator's mail server.

Its Message-ID follows from the message, so that a server that has it already drops it when it comes again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from intake.channels.mail.automatic import LOOP_HEADER
from intake.sending.contract import Later, Outcome, Outgoing, Refused, Sent
from shared.errors import AftercareError
from shared.outgoing import PATIENCE
from shared.settings import Settings

_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")
_RE: Final = re.compile(r"^\s*(re|回复|答复)\s*[:\uff1a]", re.IGNORECASE)
_MOST_REFERENCES: Final = 20
_LONGEST_LOCAL: Final = 64  # RFC 5321
_PORTS: Final = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


class UnsafeHeader(AftercareError):
    """The {name} of a mail may not hold control characters."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mails are handed in, and as whom.

    security  plain, starttls or tls
    sender    "Name <address>" or an address
    plus      whether the sender's mailbox gets what is sent to name+anything@ too
    """

    host: str
    port: int
    security: str
    username: str
    password: str = field(repr=False)
    sender: str = ""
    plus: bool = False


def server_of(settings: Settings) -> MailServer | None:
    """The mail server that the operator names; None without one."""
    if settings.smtp_url is None:
        return None
    parts = urlsplit(settings.smtp_url.get_secret_value())
    return MailServer(
        host=parts.hostname or "localhost",
        port=parts.port or _PORTS[parts.scheme],
        security={"smtp": "plain", "smtps": "tls"}.get(parts.scheme, "starttls"),
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        sender=settings.mail_from,
        plus=settings.mail_plus,
    )


def host_of(public_url: str) -> str:
    """The name behind the @ of our Message-IDs."""
    return urlsplit(public_url).hostname or "localhost"


def compose(outgoing: Outgoing, server: MailServer, public_url: str) -> EmailMessage:
    """The mail. Raises `UnsafeHeader` where a header would carry more than its value (S14)."""
    mail = EmailMessage()
    own = parseaddr(server.sender)[1]
    wanted = {
        "From": server.sender,
        "To": outgoing.address,
        "Reply-To": reply_to(own, outgoing) if server.plus else "",
        "Subject": subject_of(outgoing),
        "Date": format_datetime(outgoing.made_at.astimezone(UTC)),
        "Message-ID": outgoing.message_id,
        "In-Reply-To": outgoing.replies_to,
        "References": " ".join(outgoing.thread[-_MOST_REFERENCES:]),
        "Auto-Submitted": outgoing.automatic,
        LOOP_HEADER: host_of(public_url),
    }
    for name, value in wanted.items():
        if _UNSAFE.search(value):
            raise UnsafeHeader(name=name)
        if value:
            mail[name] = value
    mail.set_content(outgoing.text, charset="utf-8")
    return mail


def subject_of(outgoing: Outgoing) -> str:
    """What the customer called it, as an answer to it; on one line whatever they wrote."""
    title = " ".join(_UNSAFE.sub(" ", outgoing.subject).split())
    return title if _RE.match(title) else f"Re: {title}"


def reply_to(own: str, outgoing: Outgoing) -> str:
    """Where answers come in, with what proves which request they belong to where there is such a proof."""
    local, _, domain = own.rpartition("@")
    marked = f"{local}+{outgoing.token}"
    return f"{marked}@{domain}" if outgoing.token and local and len(marked) <= _LONGEST_LOCAL else ""


async def submit(server: MailServer, outgoing: Outgoing, public_url: str) -> Outcome:
    """Hand a mail in. What nobody can be sure of is `Later`: the same Message-ID may come twice."""
    import aiosmtplib  # only who sends mail needs it

    try:
        mail = compose(outgoing, server, public_url)
    except (UnsafeHeader, ValueError) as error:
        return Refused(str(error))
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.security == "tls",
        start_tls=server.security == "starttls",
        timeout=PATIENCE,
    )
    try:
        await client.connect()
        if server.username:
            await client.login(server.username, server.password)
        await client.send_message(mail)
        await client.quit()
    except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
        return _outcome(error)
    finally:
        client.close()
    return Sent()


def _outcome(error: Any) -> Later | Refused:
    """A server that refuses this mail for good says 5xx of its recipient or content; all else passes."""
    import aiosmtplib

    if isinstance(error, aiosmtplib.SMTPRecipientsRefused) and error.recipients:
        error = error.recipients[0]
    if isinstance(error, aiosmtplib.SMTPResponseException):
        said = f"{error.code} {error.message}"[:300]
        final = isinstance(error, aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPDataError)
        return Refused(said) if final and error.code >= 500 else Later(said)
    if isinstance(error, aiosmtplib.SMTPNotSupported | ValueError):
        return Refused(type(error).__name__)
    return Later(type(error).__name__, why="unreachable")
