"""What a pull is: how a provider that only announces is asked for what there is.

A channel whose calls are `Announced` has one (`Channel.pull`). Pure, as the channel is: what to ask, and what
the answer says. The loop (`pulling/loops.py`) does the rest: it asks, stores, then keeps the cursor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from intake.channels.contract import Account, Verdict
from intake.sending.contract import HttpCall, Later, Refused, Renew, Ticket

MOST_READ: Final = 4 * 1024 * 1024
"""Bytes of a page."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A page of one source, behind `cursor` (empty for the first), by an announcement's token while good."""

    of: str
    cursor: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True)
class Pulled:
    """A page: what it says, where the next one begins, and whether there is one."""

    verdicts: Sequence[Verdict]
    cursor: str
    more: bool


@dataclass(frozen=True, slots=True)
class Pull:
    """How one provider is asked.

    needs    the secrets without which it cannot be
    ticket   how its access token is got
    compose  the call for a page, with that token
    read     status, headers (lower case) and body of the answer into a page; `now` is when it came
    """

    needs: tuple[str, ...]
    ticket: Ticket
    compose: Callable[[Asked, Account, str], HttpCall]
    read: Callable[[int, Mapping[str, str], bytes, Account, datetime], Pulled | Renew | Refused | Later]
