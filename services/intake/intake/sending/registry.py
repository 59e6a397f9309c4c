"""All senders, by the channel whose accounts they send for: whatever file lies in `sending/senders/`."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from intake.sending import senders as folder
from intake.sending.contract import Sender


@cache
def senders() -> dict[str, Sender]:
    """By channel."""
    modules = (import_module(f"{folder.__name__}.{each.name}") for each in iter_modules(folder.__path__))
    return {each.channel: each for module in modules for each in module.senders}
