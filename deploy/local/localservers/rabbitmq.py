"""A private RabbitMQ: AMQP, Erlang distribution and epmd on 127.0.0.1 only, restarted when it dies.

Written for Debian's 3.10 and for 4.x: the variables set here have the same meaning in both (4.x calls the Mnesia folder
so still, though it keeps Khepri's data there), and the classic configuration format is read by both; 3.10 then skips
parsing the schemas of all plugins. Boot is 7 to 10 s of one core; no plugin is enabled.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
from base64 import b64encode
from collections.abc import Iterable
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
# For every Erlang here, also the short-lived ones that boot and rabbitmqctl start: none listens to the network, and
# none starts an epmd of its own, which would outlive it.
ERLANG_FLAGS = "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"


class BrokerCommandFailed(RuntimeError):
    """rabbitmqctl, or an expression in the broker, failed; the message is its output."""


class RabbitServer(LocalServer):
    """One RabbitMQ node in `folder`, with a user for the administrator and one for each of `services`."""

    def __init__(self, folder: Path, services: Iterable[str] = ()) -> None:
        super().__init__(folder)
        self.services = tuple(services)
        self._choose_ports()
        self._script: Path | None = None
        self._epmd: Keeper | None = None

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
        source = "{resource_limit, memory, node()}"
        await self._evaluate(f"rabbit_alarm:set_alarm({{{source}, []}})" if on else f"rabbit_alarm:clear_alarm({source})")

    async def settle(self) -> None:
        """Have queues declared just now survive `kill`.

        RabbitMQ 3.10 confirms the declaration of a quorum queue seconds before its name is safe on disk: killed within
        these, it brings the queue back empty and without a leader, for good.
        """
        await self._evaluate("[ok = dets:sync(Table) || Table <- dets:all()]")

    async def add_vhost(self, name: str) -> None:
        """A fresh virtual host (milliseconds), with the same rights for all users as in `/`."""
        await self._import(definitions.rights(name, self.services))

    async def remove_vhost(self, name: str) -> None:
        """Delete it with all its queues; connections to it are closed."""
        await self._evaluate(f'rabbit_vhost:delete({binary(name)}, <<"{definitions.ADMINISTRATOR}">>)')

    async def ctl(self, *arguments: str) -> str:
        """The output of `rabbitmqctl arguments…` (about a second). Raises `BrokerCommandFailed`."""
        assert self._script is not None, "start the broker first"
        return await self._run(self._script.with_name("rabbitmqctl"), *arguments)

    async def _evaluate(self, expression: str) -> None:
        """Have the broker compute an Erlang expression. Raises `BrokerCommandFailed`."""
        caller = shutil.which("erl_call", path=self._environment()["PATH"])
        if caller is None:
            await self.ctl("eval", f"{expression}.")
            return
        # A small C program where rabbitmqctl starts a whole Erlang: milliseconds instead of a second.
        reply = await self._run(caller, "-address", f"127.0.0.1:{self._dist_port}", "-e", stdin=f"{expression}.\n")
        if not reply.startswith("{ok"):
            raise BrokerCommandFailed(f"{expression} gave {reply}")

    async def _import(self, wanted: dict[str, object]) -> None:
        await self._evaluate(f"ok = rabbit_definitions:import_raw({binary(json.dumps(wanted))})")

    def _password(self, user: str) -> str:
        return kept_secret(self.folder / f"{user}.password")

    def _choose_ports(self) -> None:
        self.port, self._dist_port, self._epmd_port = free_ports(3)

    async def _start(self) -> Keeper:
        self._script = await asyncio.to_thread(ensure_rabbitmq)
        self._write_files()
        self._epmd = Keeper(self._command(self._epmd_program()), self.folder / "epmd.pid", self._epmd_answers)
        await self._epmd.start()
        broker = self._command(self._script)
        keeper = Keeper(broker, self.folder / "rabbitmq.pid", lambda: answers(self.port, AMQP_GREETING, AMQP_REPLY))
        try:
            await keeper.start()
        except BaseException:
            await self._epmd.stop()
            raise
        return keeper

    async def _clear(self) -> None:
        if self._epmd is not None:
            await self._epmd.stop()
        await super()._clear()

    async def _epmd_answers(self) -> bool:
        return await answers(self._epmd_port, EPMD_GREETING, self._epmd_port.to_bytes(4, "big"))

    def _epmd_program(self) -> Path:
        found = shutil.which("epmd", path=self._environment()["PATH"])
        if found is None:
            raise RabbitmqMissing("RabbitMQ is here, but Erlang's epmd is not in the PATH: add Erlang's folder of programs.")
        return Path(found)

    def _write_files(self) -> None:
        names = (definitions.ADMINISTRATOR, *self.services)
        wanted = {"users": definitions.users({name: self._password(name) for name in names})}
        wanted |= definitions.rights("/", self.services)
        place = self.folder / "definitions.json"
        write_private(place, json.dumps(wanted, indent=2))
        write_private(self.folder / "rabbitmq.config", f"[{{rabbit, [{{load_definitions, {json.dumps(str(place))}}}]}}].\n")
        write_private(self.folder / "enabled_plugins", "[].\n")
        kept_secret(self.folder / ".erlang.cookie", mode=0o400)

    def _command(self, program: Path) -> Command:
        options = ("-address", "127.0.0.1", "-port", str(self._epmd_port)) if program.name == "epmd" else ()
        return Command(
            title="RabbitMQ",
            arguments=(program, *options),
            environment=self._environment(),
            log=self.folder / "rabbitmq.log",
        )

    def _environment(self) -> dict[str, str]:
        beside = [str(self._script.parent)] if self._script else []
        folder = self.folder
        return {
            "PATH": os.pathsep.join([*beside, os.environ.get("PATH", ""), SYSTEM_PATH]),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "ERL_FLAGS": ERLANG_FLAGS,
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP_SECONDS": "0",  # No dump: it is large, and delays the restart.
            "RUNNING_UNDER_SYSTEMD": "true",  # The script becomes the broker instead of waiting for it as its parent.
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
            raise BrokerCommandFailed(f"{Path(command[0]).name} exited with {process.returncode}: {output.decode()}")
        return output.decode()


def binary(text: str) -> str:
    """An Erlang expression for the UTF-8 bytes of `text`, whatever they are."""
    return f'base64:decode("{b64encode(text.encode()).decode()}")'
