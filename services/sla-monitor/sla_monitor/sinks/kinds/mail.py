"""E-mail by SMTP, with the same Message-ID at every attempt, by which mail servers drop what they have.

People whose address is known get it themselves, otherwise their role's address, otherwise the team's. Where
the mail server refuses some of several addresses, the team gets it too.
"""

from __future__ import annotations

import asyncio
import re
import smtplib
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import Field, StringConstraints

from shared.i18n import N_
from shared.outgoing import PATIENCE, Forbidden, Outgoing, in_thread
from sla_monitor.sinks.kind import Config, Kind, Parcel, SinkUnusable, Undelivered
from sla_monitor.sinks.messages import text_of, title_of
from sla_monitor.sinks.rules import Role

Mailbox = Annotated[str, StringConstraints(max_length=254, pattern=r"^[!-~]+@[A-Za-z0-9.\-]+$")]
Host = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9.\-:]+$")]
_LINES: Final = re.compile(r"[\r\n]+")


class MailConfig(Config):
    """The mail server, and who gets what."""

    host: Host = Field(title=N_("Mail server"), examples=["mail.example.com"])
    port: Annotated[int, Field(ge=1, le=65535)] = Field(default=587, title=N_("Port"))
    security: Literal["starttls", "tls", "plain"] = Field(default="starttls", title=N_("Encryption"))
    username: Annotated[str, StringConstraints(max_length=254)] = Field(default="", title=N_("User name"))
    sender: Mailbox = Field(title=N_("Sender"), examples=["aftercare@example.com"])
    to: tuple[Mailbox, ...] = Field(title=N_("The team's addresses"), min_length=1, max_length=20)
    roles: dict[Role, Mailbox] = Field(
        default={}, title=N_("Addresses of roles"), examples=["team_lead = lead@example.com"]
    )
    people: dict[UUID, Mailbox] = Field(
        default={},
        title=N_("Addresses of people"),
        max_length=2000,
        examples=["019337a6-8a44-7000-8000-5d1c0f2b9a10 = engineer@example.com"],
    )


def check(config: MailConfig, secret: str, outgoing: Outgoing) -> None:
    try:
        outgoing.check_host(config.host, encrypted=config.security != "plain")
    except Forbidden as error:
        raise SinkUnusable(reason=str(error)) from None
    if config.username and not secret:
        raise SinkUnusable(reason="a user name needs its password")


async def send(parcel: Parcel) -> None:
    config: MailConfig = parcel.config
    async with asyncio.timeout(PATIENCE):
        address = await parcel.outgoing.find(config.host, config.port)
        mail = mail_of(parcel)
        await in_thread(lambda: _submit(config, parcel.secret, address, mail))


def mail_of(parcel: Parcel) -> EmailMessage:
    """The message as a mail."""
    mail = EmailMessage()
    mail["From"] = parcel.config.sender
    mail["To"] = ", ".join(addresses_of(parcel.config, parcel.body))
    mail["Subject"] = _LINES.sub(" ", title_of(parcel.body, parcel.terms.language))
    mail["Date"] = format_datetime(parcel.made_at.astimezone(UTC))
    mail["Message-ID"] = f"<{parcel.id}@{_name_of_ours(parcel)}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no absence note comes back
    mail.set_content(text_of(parcel.body, parcel.terms.language) or mail["Subject"])
    return mail


def addresses_of(config: MailConfig, body: Mapping[str, Any]) -> list[str]:
    """Where it goes: to each person to tell, else to the role, else to the team: always to somebody."""
    found: dict[str, None] = {}
    for each in body["data"]["recipients"]:
        person = UUID(each["person_id"]) if each["person_id"] else None
        address = config.people.get(person) if person else None
        address = address or config.roles.get(each["role"])
        found |= dict.fromkeys((address,) if address else config.to)
    return list(found) or list(config.to)


def _name_of_ours(parcel: Parcel) -> str:
    return urlsplit(parcel.outgoing.public_url).hostname or "localhost"


class _Plain(smtplib.SMTP):
    """Connects to the address that was checked, under the name that was asked for."""

    address: str

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return socket.create_connection((self.address, port), timeout)


class _Encrypted(_Plain):
    context: ssl.SSLContext

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self.context.wrap_socket(super()._get_socket(host, port, timeout), server_hostname=host)


def _submit(config: MailConfig, password: str, address: str, mail: EmailMessage) -> None:
    context = ssl.create_default_context()
    server = (_Encrypted if config.security == "tls" else _Plain)(
        local_hostname="localhost", timeout=PATIENCE
    )
    server.address = address
    if isinstance(server, _Encrypted):
        server.context = context
    server._host = config.host  # type: ignore[attr-defined]  # whose certificate STARTTLS checks
    try:
        server.connect(config.host, config.port)
        if config.security == "starttls":
            server.starttls(context=context)
        if config.username:
            server.login(config.username, password)
        if server.send_message(mail):  # refused by some: a failure would repeat it to the others for a day
            _tell_team(server, config, mail)
        server.quit()
    except smtplib.SMTPResponseException as error:
        raise Undelivered(f"the mail server answered {error.smtp_code}") from None
    except smtplib.SMTPRecipientsRefused:
        raise Undelivered("the mail server knows none of the addresses") from None
    except smtplib.SMTPException as error:
        raise Undelivered(f"the mail server broke off ({type(error).__name__})") from None
    finally:
        server.close()


def _tell_team(server: smtplib.SMTP, config: MailConfig, mail: EmailMessage) -> None:
    told = {each.addr_spec for each in mail["To"].addresses}
    if others := [each for each in config.to if each not in told]:
        with suppress(smtplib.SMTPRecipientsRefused):
            server.send_message(mail, to_addrs=others)


KIND: Final = Kind(
    code="mail",
    name=N_("E-mail"),
    about=N_("Sends a mail to the people concerned, else to their role or the team."),
    config=MailConfig,
    secret=N_("Password"),
    check=check,
    send=send,
    drops_duplicates=True,
)
