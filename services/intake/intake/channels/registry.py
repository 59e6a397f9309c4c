"""All channels of providers, by name: whatever file lies in `channels/providers/`."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from intake.channels import providers
from intake.channels.contract import Channel
from shared.errors import AftercareError

NAMED_DOORS: Final = frozenset({"email", "phone", "webhook"})
"""Doors with an address of their own under `/channels/`; what is called so here is only set up here."""


class NoSuchChannel(AftercareError):
    """There is no channel {name}; GET /intake/channels lists them."""

    kind = "not_found"


@cache
def channels() -> dict[str, Channel]:
    """By name."""
    modules = (
        import_module(f"{providers.__name__}.{each.name}") for each in iter_modules(providers.__path__)
    )
    found: list[Channel] = [module.channel for module in modules]
    by_name = {each.name: each for each in sorted(found, key=lambda each: each.name)}
    if len(by_name) != len(found):
        raise ValueError("two channels have one name")
    return by_name


def doors() -> list[str]:
    """The names of the channels whose providers call `/channels/{name}`."""
    return [name for name in channels() if name not in NAMED_DOORS]


def channel_of(name: str) -> Channel:
    """Raises `NoSuchChannel`."""
    try:
        return channels()[name]
    except KeyError:
        raise NoSuchChannel(name=name) from None
