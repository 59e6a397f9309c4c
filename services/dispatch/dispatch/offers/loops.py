"""The loop that heeds engineers' silence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from dispatch.offers.actions import pass_on
from shared.process.loops import Loop


def offer_loops() -> Sequence[Loop]:
    """Patience is counted in minutes."""
    return (Loop("offers", pass_on, every=timedelta(seconds=15)),)
