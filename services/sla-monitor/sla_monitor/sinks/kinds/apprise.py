"""Chat and push services by way of apprise: WeCom, DingTalk, Feishu, Slack, and a hundred more.

An extra, because most houses need none of it: `pip install aftercare-sla-monitor[apprise]`. These services
cannot tell a message they already have, so that one whose fate a crash left open is shown to a person.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any, Final

from shared.i18n import N_
from shared.outgoing import PATIENCE, Outgoing, in_thread
from sla_monitor.sinks.kind import Config, Kind, Parcel, SinkUnusable, Undelivered
from sla_monitor.sinks.messages import text_of, title_of

_MISSING: Final = "the apprise extra is not installed: pip install 'aftercare-sla-monitor[apprise]'"


class AppriseConfig(Config):
    """Nothing beside the address, which holds tokens and is secret."""


def check(config: AppriseConfig, secret: str, outgoing: Outgoing) -> None:
    plugin = _plugin(secret)
    # Of a kind whose address names a host; the others call the service's own.
    host = plugin.host if "host" in plugin.template_tokens else None
    # Apprise looks names up by itself and may follow where it is sent: only what the operator allows.
    if host and not outgoing.allowed.host(host):
        raise SinkUnusable(reason=f"the operator must allow {host} (AFTERCARE_SLA_ALLOWED_HOSTS)")


async def send(parcel: Parcel) -> None:
    title = title_of(parcel.body, parcel.terms.language)
    text = text_of(parcel.body, parcel.terms.language) or title
    plugin = _plugin(parcel.secret)
    async with asyncio.timeout(PATIENCE):
        taken = await in_thread(lambda: plugin.notify(body=text, title=title))
    if not taken:
        raise Undelivered("the service did not take the message")


def _plugin(address: str) -> Any:
    try:
        apprise = import_module("apprise")
    except ImportError:
        raise SinkUnusable(reason=_MISSING) from None
    plugin = apprise.Apprise.instantiate(address.strip(), suppress_exceptions=True)
    if plugin is None:
        raise SinkUnusable(reason="apprise cannot read its address; there is one for each sink")
    return plugin


KIND: Final = Kind(
    code="apprise",
    name=N_("Chat (apprise)"),
    about=N_("Writes to WeCom, DingTalk, Feishu, Slack and others; needs the apprise extra."),
    config=AppriseConfig,
    secret=N_("Address, as apprise describes it"),
    check=check,
    send=send,
    drops_duplicates=False,
)
