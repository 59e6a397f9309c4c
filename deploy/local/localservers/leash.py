"""Runs a program on a leash: `python leash.py PARENT SIGNAL UID GID PROGRAM ARGUMENT…`

The program takes this process over, as that user, and on Linux gets the signal when the process PARENT dies:
`kill -9` leaves no server behind. A script, not code between fork and exec: that may deadlock where there are
threads. The order matters: changing the user clears the signal.
"""

import ctypes
import os
import sys

SET_PARENT_DEATH_SIGNAL = 1


def main(parent: int, death_signal: int, uid: int, gid: int, *, command: list[str]) -> None:
    os.setsid()  # Ctrl-C in a terminal is for the parent, which stops its servers in order.
    if uid != os.geteuid():
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the process that asked for this server is gone")
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:5]), command=sys.argv[5:])
