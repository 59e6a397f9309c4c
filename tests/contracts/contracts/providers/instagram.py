"""Messages to an Instagram account come as a page's do."""

from dataclasses import replace

from contracts.providers import messenger

genuine = replace(
    messenger.genuine,
    channel="instagram",
    message=lambda number: messenger.batch(messenger.event(number), object="instagram"),
)
