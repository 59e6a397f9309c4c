"""Settings from the environment, checked as a whole before anything starts.

A variable is `AFTERCARE_<FIELD>`, or `AFTERCARE_<SERVICE>_<FIELD>` where one service differs (in the
all-in-one each has its own database role). `…_FILE` names a file to read the value from, for secrets.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AmqpDsn,
    BaseModel,
    ConfigDict,
    Field,
    PostgresDsn,
    SecretStr,
    ValidationError,
    model_validator,
)

PREFIX: Final = "AFTERCARE_"
# Read by the tools around the services, not by the services.
_OF_TOOLS: Final = ("ADMIN_", "POSTGRES_", "RABBITMQ_", "CRASH_AT", "GATEWAY", "PROOF_")
_ANYWHERE: Final = "postgresql://anywhere/anything"
_DEVELOPMENT_SECRET: Final = "development-only-secret-of-no-value"


class WrongSettings(Exception):
    """Every wrong variable with what is wrong about it, one a line."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("the environment is not usable:\n" + "\n".join(f"  {fault}" for fault in faults))


class Settings(BaseModel):
    """What an operator can choose; see `deploy/` for complete examples."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: Literal["development", "production"] = "development"
    database_url: PostgresDsn
    database_pool: Annotated[int, Field(ge=1, le=100)] = 5
    bus: Literal["rabbitmq", "memory"] = "rabbitmq"
    amqp_url: AmqpDsn | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    public_url: str = "http://127.0.0.1:8000"
    secret: SecretStr = SecretStr(_DEVELOPMENT_SECRET)
    """Signs tokens, page sessions, cursors and links; at least 32 characters in production."""
    previous_secret: SecretStr | None = None
    """Still accepted while a new `secret` is rolled out."""
    allowed_hosts: str = ""
    """Names, addresses and networks, separated by commas, that messages to others may reach without TLS and
    inside of the house; everything else is reached by https, and on the public internet only."""
    smtp_url: SecretStr | None = None
    """Where answers by e-mail are handed in: smtp+starttls://user:password@host:587, smtps://… or smtp://…"""
    mail_from: str = ""
    """As whom: an address, or a name with it: Aftercare <service@example.com>."""
    mail_plus: bool = False
    """Whether that mailbox gets name+anything@ too: then answers prove which request they belong to."""
    mail_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    """Where mails come in by SMTP or LMTP, from the mail server in front; nothing listens without it."""
    mail_host: str = "127.0.0.1"
    mail_protocol: Literal["smtp", "lmtp"] = "smtp"
    mail_domains: str = ""
    """Domains, separated by commas, that mails are taken for; all, when empty."""
    imap_urls: SecretStr | None = None
    """Mailboxes to fetch mails from, separated by blanks: imaps://user:password@host/INBOX?account=support"""
    contact_phone: Annotated[str, Field(max_length=40, pattern=r"^(\+?[0-9][0-9 ()\-]{2,}[0-9])?$")] = ""
    """The number that customers find on the page of our promises."""
    contact_mail: Annotated[str, Field(max_length=254, pattern=r"^([^\s@<>\"]+@[^\s@<>\"]+)?$")] = ""
    """The address that stands there."""
    acknowledge: bool = True
    """Whether customers hear at once, by the channel they wrote on, that it reached us."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    event_log_days: Annotated[int, Field(ge=30)] = 90
    idempotency_days: Annotated[int, Field(ge=7)] = 7
    audit_days: Annotated[int, Field(ge=30)] = 730
    drain_seconds: Annotated[float, Field(gt=0, le=60)] = 10

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        faults = []
        if self.bus == "rabbitmq" and self.amqp_url is None:
            faults.append("AFTERCARE_AMQP_URL: missing; name the broker, or set AFTERCARE_BUS=memory")
        faults += self._faults_of_mail() + self._faults_of_mailboxes()
        if self.environment == "production":
            secret = self.secret.get_secret_value()
            if secret == _DEVELOPMENT_SECRET or len(secret) < 32:
                faults.append("AFTERCARE_SECRET: must be at least 32 random characters in production")
            if not self.public_url.startswith("https://"):
                faults.append("AFTERCARE_PUBLIC_URL: must be https in production")
            if "AFTERCARE_CRASH_AT" in os.environ:
                faults.append("AFTERCARE_CRASH_AT: is for tests, not for production")
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def _faults_of_mailboxes(self) -> list[str]:
        for url in self.imap_urls.get_secret_value().split() if self.imap_urls else ():
            try:
                parts = urlsplit(url)
                if parts.scheme in ("imap", "imaps") and parts.hostname and parts.username and parts.password:
                    continue
            except ValueError:
                pass
            return ["AFTERCARE_IMAP_URLS: each must be like imaps://user:password@host/INBOX?account=support"]
        return []

    def _faults_of_mail(self) -> list[str]:
        if self.smtp_url is None:
            return []
        faults = []
        try:
            parts = urlsplit(self.smtp_url.get_secret_value())
            known = parts.scheme in ("smtp", "smtps", "smtp+starttls") and parts.hostname and parts.port != 0
        except ValueError:
            known = False
        if not known:
            faults.append(
                "AFTERCARE_SMTP_URL: must be like smtp+starttls://user:password@mail.example.com:587"
            )
        address = parseaddr(self.mail_from)[1]
        if "@" not in address or not self.mail_from.isprintable():
            faults.append("AFTERCARE_MAIL_FROM: must be an address once AFTERCARE_SMTP_URL is set")
        return faults


def load(service: str, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of one service; `WrongSettings` names every variable that is wrong, or unknown."""
    values: dict[str, str] = {}
    faults: list[str] = []
    for field in Settings.model_fields:
        for name in (f"{PREFIX}{service}_{field}".upper(), f"{PREFIX}{field}".upper()):
            found = _read(name, environment, faults)
            if found is not None:
                values[field] = found
                break
    faults += _unknown(environment)
    settings = _checked(values, faults)
    if settings is None or faults:
        raise WrongSettings(faults)
    return settings


def _checked(values: dict[str, str], faults: list[str]) -> Settings | None:
    try:
        return Settings(**values)
    except ValidationError as error:
        found = error.errors()
    faults += [line for fault in found for line in _explain(fault["loc"], fault["msg"])]
    if wrong := {str(fault["loc"][0]) for fault in found if fault["loc"]}:
        # Settings are compared with each other only when each is sound: leave out those that are not.
        sound = {name: value for name, value in values.items() if name not in wrong}
        contradictions: list[str] = []
        _checked({"database_url": _ANYWHERE, **sound}, contradictions)
        known = {f"{PREFIX}{name}".upper() for name in wrong}
        faults += [fault for fault in contradictions if fault.partition(":")[0] not in known]
    return None


def _read(name: str, environment: Mapping[str, str], faults: list[str]) -> str | None:
    if (path := environment.get(f"{name}_FILE")) is not None:
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            faults.append(f"{name}_FILE: {path} cannot be read ({error.strerror})")
    return environment.get(name)


def _unknown(environment: Mapping[str, str]) -> list[str]:
    known = {f"{PREFIX}{field}".upper() for field in Settings.model_fields}
    fields = tuple(f"_{field}".upper() for field in Settings.model_fields)
    faults = []
    for name in sorted(environment):
        stem = name.removesuffix("_FILE")
        if not name.startswith(PREFIX) or stem in known or stem.endswith(fields):
            continue  # with a service's name in between it is some service's, here or elsewhere
        if name.removeprefix(PREFIX).startswith(_OF_TOOLS):
            continue
        near = difflib.get_close_matches(stem, known, n=1)
        faults.append(f"{name}: unknown" + (f"; did you mean {near[0]}?" if near else ""))
    return faults


def _explain(location: tuple[int | str, ...], message: str) -> list[str]:
    if not location:  # found by comparing settings with each other; already says which
        return message.removeprefix("Value error, ").splitlines()
    return [f"{PREFIX}{location[0]}".upper() + f": {message.lower()}"]
