"""One more event of the toy services."""

from shared.events import Payload


class ThingCounted(Payload):
    """The same as `ThingMade`, to a listener that only writes rows."""

    type = "maker.thing_counted.v1"
    amount: int
    text: str = ""
