"""The doors of mails that an operator has opened; without settings there is none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from intake.channels.mail.listener import Listening, nothing
from shared.context import ServiceContext
from shared.process.loops import Loop


def mail_doors(context: ServiceContext) -> Sequence[Loop]:
    """A listener where a port is named, and one loop for each mailbox."""
    doors: list[Loop] = []
    if context.settings.mail_port is not None:
        doors.append(Listening("mail-listener", nothing, every=timedelta(days=1), context=context))
    if context.settings.imap_urls is not None:
        from intake.channels.mail.imap import EVERY, Fetching, mailbox_of

        for number, url in enumerate(context.settings.imap_urls.get_secret_value().split(), start=1):
            box = mailbox_of(url)
            doors.append(Fetching(f"mailbox-{number}", nothing, every=EVERY, context=context, box=box))
    return doors
