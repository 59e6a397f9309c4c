"""How providers are called: guarded, with a token first where they want one, and every failure told apart."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeVar

from intake.channels.contract import Account
from intake.sending.contract import (
    MOST_READ,
    HttpCall,
    Later,
    Outcome,
    Outgoing,
    Refused,
    Renew,
    Sender,
    Ticket,
    Uncertain,
)
from shared.outgoing import Answer, BrokenOff, Forbidden, Unreached
from shared.outgoing import Outgoing as WayOut

T = TypeVar("T")
_EARLY: Final = 60.0  # seconds before its end a token is no longer used


class Calls:
    """The calls of this process, with the tokens they got."""

    def __init__(self, way_out: WayOut) -> None:
        self._way_out = way_out
        self._tokens: dict[tuple[str, int], tuple[str, float]] = {}

    async def close(self) -> None:
        await self._way_out.close()

    async def send(self, sender: Sender, account: Account, outgoing: Outgoing) -> Outcome:
        """Send one message."""
        compose = partial(sender.compose, outgoing, account)
        return await self.ask(sender.ticket, account, compose, sender.read, MOST_READ)

    async def ask(
        self,
        ticket: Ticket | None,
        account: Account,
        compose: Callable[[str], HttpCall],
        read: Callable[[int, Mapping[str, str], bytes], T | Renew],
        most: int,
    ) -> T | Later | Refused | Uncertain:
        """Call with a token where one is wanted; one that has been withdrawn is got anew, once.

        Of the answer at most about `most` bytes are read.
        """
        renew = Renew("")
        for _ in range(2):
            token = await self._token(ticket, account)
            if not isinstance(token, str):
                return token
            answer = await self._call(compose(token), most)
            if not isinstance(answer, Answer):
                return answer
            headers = {name.lower(): value for name, value in answer.headers.items()}
            outcome = read(answer.status, headers, answer.body)
            if not isinstance(outcome, Renew):
                return outcome
            renew = outcome
            self._tokens.pop(_place(account), None)
        return Later(renew.detail)

    async def _token(self, ticket: Ticket | None, account: Account) -> str | Refused | Later:
        if ticket is None:
            return ""
        token, until = self._tokens.get(_place(account), ("", 0.0))
        if time.monotonic() < until:
            return token
        answer = await self._call(ticket.compose(account))
        if not isinstance(answer, Answer):  # nothing was said yet, so nothing is uncertain
            return Later(answer.detail, why="unreachable") if isinstance(answer, Uncertain) else answer
        got = ticket.read(answer.status, answer.body)
        if not isinstance(got, tuple):
            return got
        self._tokens[_place(account)] = got[0], time.monotonic() + max(0.0, got[1] - _EARLY)
        return got[0]

    async def _call(self, call: HttpCall, most: int = MOST_READ) -> Answer | Later | Refused | Uncertain:
        # Compressed answers would have to be unpacked, and nobody needs them.
        headers = {"accept-encoding": "identity", "user-agent": "Aftercare", **call.headers}
        try:
            return await self._way_out.call(call.method, call.url, call.body, headers, most)
        except Forbidden as error:
            return Refused(str(error))
        except Unreached as error:
            return Later(type(error).__name__, why="unreachable")
        except (BrokenOff, TimeoutError) as error:
            return Uncertain(type(error).__name__)
        except OSError as error:  # the name cannot be looked up, or nobody is there
            return Later(type(error).__name__, why="unreachable")


def _place(account: Account) -> tuple[str, int]:
    """With its secrets: another secret gets another token."""
    return account.place, hash(frozenset(account.secrets.items()))
