"""Other systems, as accounts: where their answers go. Their door is `intake.channels.webhook`.

What comes in there is signed with a secret that follows from the installation's own; what goes out with the
one that the other system's admin chose.
"""

from __future__ import annotations

from collections.abc import Sequence

from intake.channels.contract import Account, Channel, Incoming, NotGenuine, Verdict


def verify(incoming: Incoming, account: Account) -> None:
    """Nothing comes in by this one: the door with a name answers before."""
    raise NotGenuine(channel="webhook")


def parse(incoming: Incoming, account: Account) -> Sequence[Verdict]:
    """Nothing ever gets so far."""
    return ()


channel = Channel(name="webhook", secrets=("url", "signing_secret"), verify=verify, parse=parse)
