"""The process that reads mails: no network, no database, a limit on time and memory. Started by `pool`.

It takes a mail by its standard input (length of the host and of the mail, then both) and gives what it says
as JSON with its length in front. Whoever made a mail to keep us busy ends this process and nothing else.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import sys
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, Final

from intake.channels.mail.parser import parse

ASKED: Final = struct.Struct("!HQ")  # lengths of the host's name and of the mail
ANSWERED: Final = struct.Struct("!Q")
TOO_MUCH: Final = 3
"""The exit code where memory was not enough."""


def serve(asked: BinaryIO, answers: BinaryIO, seconds: float) -> None:
    """One mail after the other, each with `seconds` of processor time; the kernel ends us after them."""
    while len(head := asked.read(ASKED.size)) == ASKED.size:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        host, length = ASKED.unpack(head)
        mail = parse_next(asked, host, length)
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(ANSWERED.pack(len(mail)) + mail)
        answers.flush()


def parse_next(asked: BinaryIO, host: int, length: int) -> bytes:
    """What the next mail says; nothing of it stays in memory."""
    name = asked.read(host).decode()
    return json.dumps(asdict(parse(asked.read(length), name))).encode()


def confine(mebibytes: int) -> None:
    """From here on nothing written to files, few of them open, and `mebibytes` beyond what is in use."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us ends us
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if (used := _used()) is not None:
        most = used + mebibytes * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))


def _used() -> int | None:
    """Bytes of address space, None where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return None


def main() -> None:
    """`python -m intake.channels.mail.child SECONDS MEBIBYTES`."""
    seconds, mebibytes = float(sys.argv[1]), int(sys.argv[2])
    parse(b"Subject: =?gb2312?B?y66xww==?=\r\n\r\nwarm")  # codecs are files
    "".encode("big5hkscs")
    confine(mebibytes)
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer, seconds)
    except (MemoryError, RecursionError):
        os._exit(TOO_MUCH)


if __name__ == "__main__":
    main()
