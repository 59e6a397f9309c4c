"""What the toy services say."""

from shared.events import Payload


class ThingMade(Payload):
    """A thing was made; `amount` is summed by whoever listens."""

    type = "maker.thing_made.v1"
    amount: int
    text: str = ""
    fail: bool = False
    """Makes the listener's handler raise, as a bug would."""


class ThingIgnored(Payload):
    """No service listens to this."""

    type = "maker.thing_ignored.v1"


class ThingKept(Payload):
    """A thing has been added up."""

    type = "keeper.thing_kept.v1"
    total: int
