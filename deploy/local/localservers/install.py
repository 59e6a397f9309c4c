"""Finds the programs that no wheel carries, and installs Debian's package of them where that is allowed.

ProgramMissing          not here, and may not or could not be installed
├── PostgresMissing     (in `postgres_programs`)
├── RabbitmqMissing
├── ChromiumMissing
└── FaketimeMissing
"""

import logging
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

LOCK, POLICY = "/run/aftercare-install.lock", "/usr/sbin/policy-rc.d"
# One root shell does the whole installation, so that one trap undoes what was done for its sake. The policy
# keeps Debian from starting the service that is installed; it asks the lock, so one left behind by a kill
# forbids nothing. An epmd that Erlang started on the way would stay: the ones that were not there are ended.
INSTALLATION = r"""
set -eu
package=$1 lock=$2 policy=$3
exec 9>"$lock"
flock 9
port_mappers() {
    grep --files-with-matches --null-data --line-regexp --no-messages -e -daemon /proc/[0-9]*/cmdline |
        cut -d/ -f3 | while read -r pid; do [ "$(cat "/proc/$pid/comm")" != epmd ] || echo "$pid"; done
}
before=$(port_mappers)
restore() {
    rm -f "$policy"
    [ ! -e "$policy.before-aftercare" ] || mv "$policy.before-aftercare" "$policy"
    for pid in $(port_mappers); do
        case " $(echo $before) " in *" $pid "*) ;; *) kill "$pid" || true ;; esac
    done
}
trap restore EXIT
trap 'exit 130' INT TERM HUP
if [ -e "$policy" ] && ! grep -q "$lock" "$policy"; then mv "$policy" "$policy.before-aftercare"; fi
cat >"$policy" <<POLICY
#!/bin/sh
flock --nonblock $lock true || exit 101
[ ! -x $policy.before-aftercare ] || exec $policy.before-aftercare "\$@"
POLICY
chmod 755 "$policy"
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=300 "$package"; }
apt-cache show "$package" >/dev/null 2>&1 || apt-get update
install || { apt-get update && install; }
"""


class ProgramMissing(RuntimeError):
    """A program is not on this machine; the message says why it was not installed, and what to do."""


class RabbitmqMissing(ProgramMissing):
    """No RabbitMQ server here."""


class ChromiumMissing(ProgramMissing):
    """No Chromium here."""


class FaketimeMissing(ProgramMissing):
    """No faketime here."""


@dataclass(frozen=True)
class Program:
    """Where a program may be, and which Debian package brings it."""

    title: str
    variable: str
    places: tuple[str, ...]
    commands: tuple[str, ...]
    package: str
    otherwise: str
    missing: type[ProgramMissing]


RABBITMQ = Program(
    title="RabbitMQ",
    variable="AFTERCARE_RABBITMQ_SERVER",
    # Debian's command in the PATH changes to the user rabbitmq; the script behind it does not.
    places=(
        "/usr/lib/rabbitmq/bin/rabbitmq-server",
        "/opt/homebrew/sbin/rabbitmq-server",
        "/usr/local/sbin/rabbitmq-server",
    ),
    commands=("rabbitmq-server",),
    package="rabbitmq-server",
    otherwise="`brew install rabbitmq` on macOS, or name a running broker in AFTERCARE_ADMIN_AMQP_URL",
    missing=RabbitmqMissing,
)
CHROMIUM = Program(
    title="Chromium",
    variable="AFTERCARE_CHROMIUM",
    places=("/Applications/Chromium.app/Contents/MacOS/Chromium",),
    commands=("chromium", "chromium-browser", "google-chrome"),
    package="chromium",
    otherwise="`brew install chromium` on macOS",
    missing=ChromiumMissing,
)
# The same browser without windows: pages are drawn as in Chromium, with half the work.
HEADLESS_CHROMIUM = Program(
    title="Chromium without windows",
    variable="AFTERCARE_CHROMIUM",
    places=(),
    commands=("chromium-headless-shell",),
    package="chromium-headless-shell",
    otherwise="nothing needs it where Chromium is",
    missing=ChromiumMissing,
)

FAKETIME = Program(
    title="faketime",
    variable="AFTERCARE_FAKETIME",
    places=(),
    commands=("faketime",),
    package="faketime",
    otherwise="`brew install libfaketime` on macOS",
    missing=FaketimeMissing,
)


def ensure_rabbitmq() -> Path:
    """The server script of RabbitMQ, installed first if need be. Blocks; raises `RabbitmqMissing`."""
    return ensure_program(RABBITMQ)


def ensure_chromium() -> Path:
    """The browser, installed first if need be. Blocks; raises `ChromiumMissing`."""
    return ensure_program(CHROMIUM)


def ensure_headless_chromium() -> Path:
    """The same without windows; the browser itself where that cannot be had. Raises `ChromiumMissing`."""
    try:
        return ensure_program(HEADLESS_CHROMIUM)
    except ChromiumMissing as reason:
        logger.info("%s", reason)
        return ensure_chromium()


def ensure_faketime() -> Path:
    """What changes a process's time of day, installed first if need be. Blocks; raises `FaketimeMissing`."""
    return ensure_program(FAKETIME)


def ensure_program(program: Program, environment: Mapping[str, str] = os.environ) -> Path:
    """Find `program`, or install its Debian package, as root or by `sudo -n`. Raises `program.missing`."""
    found = find_program(program, environment)
    if found is not None:
        return found
    return _install(program, environment)


def find_program(program: Program, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The program named in the environment, else at a known place, else in the PATH; None if nowhere."""
    if named := environment.get(program.variable):
        if os.access(named, os.X_OK):
            return Path(named)
        raise program.missing(f"{program.variable} names {named}, which is not a program this user can run.")
    path = environment.get("PATH", SYSTEM_PATH)
    in_path = (shutil.which(command, path=path) for command in program.commands)
    places = [*program.places, *(place for place in in_path if place)]
    return next((Path(place) for place in places if os.access(place, os.X_OK)), None)


def _install(program: Program, environment: Mapping[str, str]) -> Path:
    advice = (
        f"Install it: `apt-get install {program.package}` as root on Debian or Ubuntu; {program.otherwise}; "
        f"or set {program.variable} to the program."
    )
    if shutil.which("apt-get", path=SYSTEM_PATH) is None:
        raise program.missing(f"{program.title} is not installed, and this system has no apt-get. {advice}")
    root = _root_shell()
    if root is None:
        raise program.missing(
            f"{program.title} is not installed, and this user may not install it "
            f"(not root, and no sudo without a password). {advice}"
        )
    logger.warning("%s is not here: installing Debian's package %s", program.title, program.package)
    done = subprocess.run(
        [*root, "-c", INSTALLATION, "install", program.package, LOCK, POLICY],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": SYSTEM_PATH},
        text=True,
    )
    found = find_program(program, environment)
    if found is None:
        tail = "\n".join(done.stdout.splitlines()[-20:])
        raise program.missing(f"apt-get did not install {program.package}:\n{tail}\n{advice}")
    return found


def _root_shell() -> list[str] | None:
    if os.geteuid() == 0:
        return ["/bin/sh"]
    sudo = shutil.which("sudo", path=SYSTEM_PATH)
    if sudo is None or subprocess.run([sudo, "-n", "true"], capture_output=True).returncode != 0:
        return None
    return [sudo, "-n", "/bin/sh"]
