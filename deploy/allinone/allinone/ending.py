"""How a command of `aftercare` ends: well, or with a sentence and an exit code that says whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

import typer

from allinone.faults import AlreadyTold, NotUsable, OutOfReach

T = TypeVar("T")


def do(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; what a person can put right ends in a sentence, not in a traceback."""
    try:
        return asyncio.run(work)
    except AlreadyTold as reason:
        raise typer.Exit(reason.code) from None
    except Exception as reason:
        if (code := _exit_code(reason)) is None:
            raise
        fail(reason, code)


def _exit_code(reason: Exception) -> int | None:
    """2 for what has to be put right here, 1 for what a server did; None for a fault of ours."""
    from localservers.folders import FolderInUse
    from localservers.install import ProgramMissing
    from localservers.keeper import ServerFailed
    from shared.errors import AftercareError
    from shared.settings import WrongSettings

    if isinstance(reason, NotUsable | WrongSettings):
        return 2
    here = OutOfReach | AftercareError | FolderInUse | ProgramMissing | ServerFailed
    return 1 if isinstance(reason, here) else None


def fail(reason: object, code: int) -> NoReturn:
    """End with a sentence."""
    typer.echo(str(reason), err=True)
    raise typer.Exit(code) from None
