"""What a mail says, as plain values that go through a pipe."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """An attachment: where in the mail's bytes its encoded content lies, and what it is."""

    name: str
    content_type: str
    start: int
    end: int
    encoding: str
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A mail server gave one of our mails up (RFC 3464).

    message_ids  of the mail that came back, the likeliest first
    status       its enhanced status code, such as 5.1.1 (RFC 3463); empty when the server named none
    """

    message_ids: tuple[str, ...]
    recipient: str
    status: str


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as a person would read it.

    external_id  its Message-ID, else the digest of its bytes
    text         without what it quotes; the source has it all
    recipients   every mailbox that the headers say it went to
    automatic    why no person wrote it, None when one did
    understood   False when only its first headers could be read
    """

    external_id: str
    name: str
    address: str
    subject: str
    text: str
    recipients: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    automatic: str | None = None
    undelivered: Undelivered | None = None
    parts: tuple[Part, ...] = ()
    understood: bool = True
