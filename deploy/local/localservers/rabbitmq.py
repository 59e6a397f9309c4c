"""A private RabbitMQ: AMQP, Erlang distribution and epmd on 127.0.0.1 only, restarted when it dies.

Written for Debian's 3.10 and for 4.x (tried with 3.10 only): the variables set here mean the same in both
(4.x keeps Khepri's data in what is still called the Mnesia folder), and both read the classic format of the
configuration, with which 3.10 skips the schemas of its plugins. Boot takes one core 6 to 10 s, half of it to
load code. No plugin is enabled.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from localservers import definitions
from localservers.folders import kept_secret, write_private
from localservers.install import SYSTEM_PATH, RabbitmqMissing, ensure_rabbitmq
from localservers.keeper import Command, Keeper
from localservers.loopback import answers, free_ports
from localservers.server import LocalServer

AMQP_GREETING, AMQP_REPLY = b"AMQP\0\0\x09\x01", b"\x01"
EPMD_GREETING = b"\0\1n"  # Asks for the names of all nodes; the reply begins with epmd's own port.
NODE = "aftercare@localhost"
# For every Erlang here, also the short-lived ones of boot and rabbitmqctl: none listens to the network, and
# none starts an epmd of its own, which would outlive it.
ERLANG_FLAGS = "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"


class BrokerCommandFailed(RuntimeError):
    """rabbitmqctl, or an expression in the broker, failed; the message is its output."""


class RabbitServer(LocalServer):
    """One RabbitMQ node in `folder`, with a user for the administrator and one for each of `services`."""

    port: int

    def __init__(self, folder: Path, services: Iterable[str] = ()) -> None:
        super().__init__(folder)
        self.services = tuple(services)
        self._path = SYSTEM_PATH

    @property
    def url(self) -> str:
        """`amqp://admin:<password>@127.0.0.1:<port>/`, of the administrator."""
        return self.url_of(definitions.ADMINISTRATOR)

    def url_of(self, user: str, vhost: str = "/") -> str:
        """The same for the user of a service, or for another virtual host."""
        path = "" if vhost == "/" else quote(vhost, safe="")
        return f"amqp://{user}:{self._password(user)}@127.0.0.1:{self.port}/{path}"

    def suspend(self) -> None:
        """SIGSTOP: connections stay open, nothing answers."""
        if self._keeper is not None:
            self._keeper.signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self._keeper is not None:
            self._keeper.signal(signal.SIGCONT)

    async def set_memory_alarm(self, on: bool) -> None:
        """The alarm of a broker short of memory: it takes nothing from publishers until the alarm is off."""
        alarm = "{resource_limit, memory, node()}"
        change = f"set_alarm({{{alarm}, []}})" if on else f"clear_alarm({alarm})"
        await self._evaluate(f"rabbit_alarm:{change}")

    async def settle(self) -> None:
        """Have queues declared just now survive `kill`.

        RabbitMQ 3.10 confirms a declaration up to seconds before all of it is on disk. Killed within these,
        it may forget a classic queue (Mnesia's log lacks that the transaction was committed), and it brings
        a quorum queue back empty and without a leader, for good (the name of its log is still in memory).
        """
        await self._evaluate("ok = mnesia:sync_log(), [ok = dets:sync(Table) || Table <- dets:all()]")

    async def add_vhost(self, name: str) -> None:
        """A fresh virtual host (milliseconds), with the same rights for all users as in `/`."""
        await self._import(definitions.rights(name, self.services))

    async def remove_vhost(self, name: str) -> None:
        """Delete it with all its queues; connections to it are closed."""
        await self._evaluate(f'rabbit_vhost:delete({binary(name)}, <<"{definitions.ADMINISTRATOR}">>)')

    async def ctl(self, *arguments: str) -> str:
        """The output of `rabbitmqctl arguments…` (about a second). Raises `BrokerCommandFailed`."""
        script = await asyncio.to_thread(ensure_rabbitmq)
        return await self._run(script.with_name("rabbitmqctl"), *arguments)

    async def _evaluate(self, expression: str) -> None:
        """Have the broker compute an Erlang expression. Raises `BrokerCommandFailed`."""
        caller = shutil.which("erl_call", path=self._path)
        if caller is None:
            await self.ctl("eval", f"{expression}.")
            return
        # A small C program where rabbitmqctl starts a whole Erlang: milliseconds instead of a second.
        place = f"127.0.0.1:{self._dist_port}"
        # -R: a name of its own for each call. All are c17 otherwise, and the broker refuses a second c17
        # until it has seen that the one before is gone.
        reply = await self._run(caller, "-R", "-address", place, "-e", stdin=f"{expression}.\n")
        if not reply.startswith("{ok"):
            raise BrokerCommandFailed(f"{expression} gave {reply}")

    async def _import(self, wanted: dict[str, object]) -> None:
        await self._evaluate(f"ok = rabbit_definitions:import_raw({binary(json.dumps(wanted))})")

    def _password(self, user: str) -> str:
        return kept_secret(self.folder / f"{user}.password")

    def _choose_ports(self) -> None:
        self.port, self._dist_port, self._epmd_port = free_ports(3)

    async def _start(self) -> Keeper:
        script = await asyncio.to_thread(ensure_rabbitmq)
        self._path = os.pathsep.join(filter(None, (str(script.parent), os.environ.get("PATH"), SYSTEM_PATH)))
        self._write_files()
        epmd = shutil.which("epmd", path=self._path)
        if epmd is None:
            raise RabbitmqMissing("RabbitMQ is here, but not Erlang's program epmd: put it into the PATH.")
        port_mapper = self._keeper_of(
            "epmd",
            (epmd, "-address", "127.0.0.1", "-port", str(self._epmd_port)),
            lambda: answers(self._epmd_port, EPMD_GREETING, self._epmd_port.to_bytes(4, "big")),
        )
        broker = self._keeper_of("rabbitmq", (script,), lambda: answers(self.port, AMQP_GREETING, AMQP_REPLY))
        self._companions.append(port_mapper)
        await port_mapper.start()
        await broker.start()
        return broker

    def _write_files(self) -> None:
        passwords = {user: self._password(user) for user in (definitions.ADMINISTRATOR, *self.services)}
        wanted = {"users": definitions.users(passwords), **definitions.rights("/", self.services)}
        place = self.folder / "definitions.json"
        write_private(place, json.dumps(wanted, indent=2))
        erlang_text = json.dumps(str(place), ensure_ascii=False)
        settings = f"[{{rabbit, [{{load_definitions, {erlang_text}}}]}}].\n"
        write_private(self.folder / "rabbitmq.config", settings)
        write_private(self.folder / "enabled_plugins", "[].\n")
        kept_secret(self.folder / ".erlang.cookie", mode=0o400)

    def _keeper_of(
        self, name: str, arguments: Sequence[str | Path], ready: Callable[[], Awaitable[bool]]
    ) -> Keeper:
        command = Command(
            title={"rabbitmq": "RabbitMQ", "epmd": "RabbitMQ's epmd"}[name],
            arguments=arguments,
            environment=self._environment(),
            log=self.folder / f"{name}.log",
        )
        return Keeper(command, self.folder / f"{name}.pid", ready)

    def _environment(self) -> dict[str, str]:
        folder = self.folder
        return {
            "PATH": self._path,
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "ERL_FLAGS": ERLANG_FLAGS,
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP_SECONDS": "0",  # No dump: it is large, and delays the restart.
            "RUNNING_UNDER_SYSTEMD": "true",  # The script becomes the broker, not its parent.
            "RABBITMQ_NODENAME": NODE,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(folder / "beam.pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.config"),
            # What /etc/rabbitmq holds is for the system's broker.
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "none.config"),
            "RABBITMQ_CONFIG_FILES": str(folder / "none.d"),
        }

    async def _run(self, *command: str | Path, stdin: str = "") -> str:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment(),
        )
        output, _ = await process.communicate(stdin.encode())
        if process.returncode != 0:
            raise BrokerCommandFailed(f"{command[0]} exited with {process.returncode}: {output.decode()}")
        return output.decode()


def binary(text: str) -> str:
    """An Erlang expression for the UTF-8 bytes of `text`, whatever they are."""
    return f'base64:decode("{b64encode(text.encode()).decode()}")'
