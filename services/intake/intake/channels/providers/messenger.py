"""Messenger: a page's conversations, in batches.

Source: see `intake.channels.pages` and `intake.channels.meta`.
"""

from intake.channels.contract import Channel
from intake.channels.meta import LARGEST, SECRETS, greet, verify
from intake.channels.pages import parse

channel = Channel(
    name="messenger",
    secrets=SECRETS,
    optional=("access_token",),
    verify=verify,
    parse=parse,
    greet=greet,
    largest=LARGEST,
)
