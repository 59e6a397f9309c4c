"""All senders, by the channel whose accounts they send for: whatever file lies in `sending/senders/`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from intake.channels.registry import NoSuchChannel, channels
from intake.sending import senders as folder
from intake.sending.contract import Sender


@dataclass(frozen=True, slots=True)
class SetUp:
    """What an account of a channel is set up with: without `secrets` nothing comes in safely."""

    name: str
    secrets: tuple[str, ...]
    optional: tuple[str, ...]


@cache
def senders() -> dict[str, Sender]:
    """By channel."""
    modules = (import_module(f"{folder.__name__}.{each.name}") for each in iter_modules(folder.__path__))
    return {each.channel: each for module in modules for each in module.senders}


@cache
def set_ups() -> dict[str, SetUp]:
    """By channel: what comes in by it needs, and what goes out; some have a way out only."""
    found: dict[str, SetUp] = {}
    for name in sorted({*channels(), *senders()}):
        channel, sender = channels().get(name), senders().get(name)
        needs = sender.needs if sender else ()
        others = (*sender.one_of, *sender.options) if sender else ()
        secrets = channel.secrets if channel else needs
        more = (*(channel.optional if channel else ()), *needs, *others)
        found[name] = SetUp(name, secrets, tuple(dict.fromkeys(each for each in more if each not in secrets)))
    return found


def set_up_of(channel: str) -> SetUp:
    """Raises `NoSuchChannel`."""
    try:
        return set_ups()[channel]
    except KeyError:
        raise NoSuchChannel(name=channel) from None
