"""A private RabbitMQ: AMQP, Erlang distribution and epmd on 127.0.0.1 only, restarted when it dies.

Written for Debian's 3.10 and for 4.x: the variables set here have the same meaning in both (4.x calls the Mnesia folder
so still, though it keeps Khepri's data there), and the classic configuration format is read by both; 3.10 then skips
parsing the schemas of all plugins. Boot is 7 to 10 s of one core; no plugin is enabled.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from localservers import definitions
from localservers.folders import kept_secret, write_private
from localservers.install import SYSTEM_PATH, ensure_rabbitmq
from localservers.keeper import Command, Keeper
from localservers.loopback import answers, free_ports
from localservers.server import LocalServer

GREETING, REPLY = b"AMQP\0\0\x09\x01", b"\x01"
NODE = "aftercare@localhost"
LOOPBACK_ONLY = "-kernel inet_dist_use_interface {127,0,0,1}"


class BrokerCommandFailed(RuntimeError):
    """rabbitmqctl, or an expression in the broker, failed; the message is its output."""


class RabbitServer(LocalServer):
    """One RabbitMQ node in `folder`, with a user for the administrator and one for each of `services`."""

    def __init__(self, folder: Path, services: Iterable[str] = ()) -> None:
        super().__init__(folder)
        self.services = tuple(services)
        self._choose_ports()
        self._log = self.folder / "rabbitmq.log"
        self._home = self.folder / "home"
        self._epmd: Keeper | None = None

    @property
    def url(self) -> str:
        """`amqp://admin:<password>@127.0.0.1:<port>/`, of the administrator."""
        return self.url_of(definitions.ADMINISTRATOR)

    def url_of(self, user: str, vhost: str = "/") -> str:
        """The same for the user of a service, and for another virtual host."""
        path = "" if vhost == "/" else quote(vhost, safe="")
        return f"amqp://{user}:{self._password(user)}@127.0.0.1:{self.port}/{path}"
