"""Why a command cannot do its work, in a sentence with the way out.

NotUsable             a person has to put something right first: the command ends with 2
├── NotNamed          a variable is not set
├── NotAnAddress      it holds something else
└── UnknownName       there is nothing of that name
OutOfReach            a server does not answer, or not as the command needs it: it ends with 1
"""

from __future__ import annotations

from collections.abc import Iterable


class NotUsable(Exception):
    """What a person has to put right before a command can work; the message says how."""


class NotNamed(NotUsable):
    """A variable that this command needs is not in the environment."""

    def __init__(self, variable: str, otherwise: str = "") -> None:
        super().__init__(f"{variable} is not set: it must name the server this command works on{otherwise}")


class NotAnAddress(NotUsable):
    """A variable holds something else than the address of a server."""

    def __init__(self, variable: str) -> None:
        super().__init__(f"{variable} is not an address like scheme://user:password@host:port/name")


class UnknownName(NotUsable):
    """There is nothing of that name; `known` are those there are."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"there is no {what} {name!r}; known are {', '.join(known)}")


class OutOfReach(Exception):
    """A server does not answer, or not as this command needs it: which, why, and the way out."""


class AlreadyTold(Exception):
    """A process of ours failed and said why; there is nothing to add but its exit status."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(code)
