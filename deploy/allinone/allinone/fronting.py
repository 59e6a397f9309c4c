"""What `aftercare run --phones` prepares: certificates, the address of this machine, a process in front."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from allinone.certificates import Certificates, Names, ensure, names_here, url_of
from allinone.faults import NotUsable
from localservers.keeper import Command, Keeper

SECURE_PORT = "PHONES_PORT"
PLAIN_PORT = "PHONES_PLAIN_PORT"


class NoNetwork(NotUsable):
    """This machine is on no local network."""

    def __init__(self) -> None:
        super().__init__(
            "this machine has no address on a local network: connect it, or name one in PHONES_ADDRESS"
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """The process in front, what the others are told of it, and what the terminal says."""

    keeper: Keeper
    certificates: Certificates
    url: str
    plain: str
    told: Mapping[str, str]

    def shown(self) -> str:
        from allinone.phones import shown

        return shown(self.url, self.plain, self.certificates.fingerprint())


def prepared(suite: int, folder: Path, here: Names | None = None) -> Prepared:
    """A process in front of the services on port `suite`, not started yet. `NoNetwork`; `NotUsable`."""
    here = here or names_here(address())
    if not here.addresses:
        raise NoNetwork
    secure, plain = port(SECURE_PORT, 8443), port(PLAIN_PORT, 8080)
    kept = (folder / "phones").resolve()
    made = ensure(kept, here, datetime.now(UTC))  # noqa: TID251  certificates run by the clocks of telephones
    url = url_of(here, secure)
    command = Command(
        title="phones",
        arguments=(sys.executable, "-m", "allinone.phones"),
        environment={
            **{name: value for name, value in os.environ.items() if not name.startswith("AFTERCARE_")},
            "PHONES_FOLDER": str(kept),
            "PHONES_SUITE": str(suite),
            "PHONES_URL": url,
            SECURE_PORT: str(secure),
            PLAIN_PORT: str(plain),
        },
        log=folder.resolve() / "phones.log",
    )
    keeper = Keeper(command, folder.resolve() / "phones.pid", lambda: answers(secure, made))
    told = {"PHONES_URL": url, "AFTERCARE_PORT": str(suite)}
    return Prepared(keeper, made, url, f"http://{here.addresses[0]}:{plain}", told)


def address() -> str | None:
    """The address that the operator named."""
    written = os.environ.get("PHONES_ADDRESS")
    try:
        return str(ipaddress.IPv4Address(written)) if written else None
    except ValueError:
        raise NotUsable(f"PHONES_ADDRESS is {written!r}: give an address like 192.168.1.20") from None


def port(variable: str, otherwise: int) -> int:
    """The port that a variable names."""
    written = os.environ.get(variable, str(otherwise))
    if not written.isdigit() or not 0 < int(written) < 65536:
        raise NotUsable(f"{variable} is {written!r}, which is no port: give a number from 1 to 65535")
    return int(written)


async def answers(secure: int, made: Certificates) -> bool:
    """Whether the process in front serves by these certificates."""
    trusting = ssl.create_default_context(cafile=made.authority)
    try:
        _, writer = await asyncio.open_connection(
            "127.0.0.1", secure, ssl=trusting, server_hostname="localhost"
        )
    except OSError:
        return False
    writer.close()
    return True
