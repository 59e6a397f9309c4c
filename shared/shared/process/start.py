"""`start("intake")` is `python -m intake`: it loads services and runs them.

It stands before `run`, because what loading costs is decided before the first library is loaded.
"""

from __future__ import annotations

import gc
import sys
from importlib import import_module


def start(*packages: str) -> None:
    """Serve the services that the `app` modules of these packages hold, until SIGTERM."""
    # Loading makes little that is garbage, and looking for it all the time took a fifth of the start.
    # `run` looks once when all is there, and from then on as usual.
    gc.disable()
    # structlog would load it, where it is installed, for tracebacks in colours that nobody gets to see.
    sys.modules["rich"] = None  # type: ignore[assignment]
    services = [import_module(f"{package}.app").service for package in packages]
    from shared.process.run import run

    run(*services)
