"""Tokens that the running suite accepts, signed with the secret of this installation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from allinone import installation, operations
from allinone.access import NAMES
from allinone.faults import NotUsable, UnknownName
from shared.clock import now
from shared.http.auth import ROLES, Principal, Role, mint
from shared.settings import PREFIX, load

SCOPES: Final = {
    "channel": "channel",
    "region": "regions",
    "product_line": "product_lines",
    "customer_level": "customer_levels",
}
"""What a token can be limited to, and the field of a principal that says so."""

_SECRET: Final = f"{PREFIX}SECRET"


class NoSecret(NotUsable):
    """There is nothing here to sign with."""

    def __init__(self) -> None:
        super().__init__(
            "no token can be signed here: no suite runs in this folder (`aftercare run`, `aftercare up`), "
            f"and {_SECRET} is not set; run this where the suite is, or set what its services are given"
        )


class NamelessEngineer(NotUsable):
    """An engineer's token speaks for one person."""

    def __init__(self) -> None:
        super().__init__("engineers see their own work only: name the person's id with --subject")


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and whom and what it allows until when."""

    token: str
    role: Role
    subject: str
    scopes: dict[str, list[str]]
    expires: datetime

    def document(self) -> dict[str, Any]:
        return {
            "token": self.token,
            "role": self.role,
            "subject": self.subject,
            "scopes": self.scopes,
            "expires": self.expires.isoformat(timespec="seconds"),
        }


async def issue(role: str, subject: str | None, scopes: Iterable[str], lifetime: timedelta) -> Token:
    """A token for `role`, limited to `scopes` (`region=east`), from now on.

    `UnknownName`, `NamelessEngineer`, `NoSecret` and `OutOfReach` say what is in its way.
    """
    known = next((each for each in ROLES if each == role), None)
    if known is None:
        raise UnknownName("role", role, sorted(ROLES))
    if known == "engineer" and subject is None:
        raise NamelessEngineer
    limits = _limits(scopes)
    environment = installation.environment()
    if not {_SECRET, f"{_SECRET}_FILE"} & environment.keys():
        raise NoSecret
    settings = load(NAMES[0], environment)
    await operations.sync_clock(NAMES[0])
    who = subject or f"aftercare-token-{role}"
    fields = {SCOPES[name]: frozenset(values) for name, values in limits.items() if name != "channel"}
    channel = limits.get("channel", [None])[0]
    name = await operations.name_of(who) if subject else None
    principal = Principal(who, frozenset({known}), channel, name=name, **fields)
    expires = now() + lifetime
    return Token(mint(principal, settings, lifetime), known, who, limits, expires)


def _limits(scopes: Iterable[str]) -> dict[str, list[str]]:
    limits: dict[str, list[str]] = {}
    for scope in scopes:
        name, _, value = scope.partition("=")
        if name not in SCOPES or not value:
            raise UnknownName("scope", scope, (f"{each}=…" for each in SCOPES))
        limits.setdefault(name, []).append(value)
    if len(limits.get("channel", ())) > 1:
        raise NotUsable("an adapter's token is for one channel: give channel= once")
    return limits
