"""Alertmanager of the Prometheus project: each alert is posted as it stands, and once more when it is over.

Labels name the alert for ever, so what is sent twice is one alert there. Source: Alertmanager's API v2,
https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import Field

from shared.i18n import N_
from shared.outgoing import Outgoing
from sla_monitor.sinks.kind import Config, Kind, Parcel, SinkUnusable
from sla_monitor.sinks.kinds.webhook import accept, check_address
from sla_monitor.sinks.messages import TEST, title_of, what_of

HOLDS: Final = timedelta(
    days=14
)  # an alert that nobody ends stands so long; Alertmanager would say 5 minutes
_OVER: Final = ("retraction", "ended")


class AlertmanagerConfig(Config):
    """Which Alertmanager is told."""

    url: str = Field(title=N_("Address"), max_length=2000, examples=["https://alertmanager.example.com"])


def check(config: AlertmanagerConfig, secret: str, outgoing: Outgoing) -> None:
    check_address(config.url, outgoing)
    if not secret.isascii() or any(character.isspace() for character in secret):
        raise SinkUnusable(reason="its token is one word of plain letters and signs")


async def send(parcel: Parcel) -> None:
    headers = {"content-type": "application/json"}
    if parcel.secret:
        headers["authorization"] = f"Bearer {parcel.secret}"
    content = json.dumps(alerts_of(parcel), ensure_ascii=False).encode()
    url = parcel.config.url.rstrip("/") + "/api/v2/alerts"
    accept(await parcel.outgoing.post(url, content, headers))


def alerts_of(parcel: Parcel) -> list[dict[str, Any]]:
    """The alerts of a message in Alertmanager's form."""
    what = what_of(parcel.body)
    title = title_of(parcel.body, parcel.terms.language)
    if what == TEST:
        return [_posted({"alertname": "AftercareTest"}, title, parcel.made_at, parcel.made_at, "")]
    ends = parcel.made_at if what in _OVER else parcel.made_at + HOLDS
    return [
        _posted(labels_of(each), title, datetime.fromisoformat(each["raised_at"]), ends, each["url"])
        for each in parcel.body["data"]["alerts"]
    ]


def _posted(
    labels: Mapping[str, str], title: str, begins: datetime, ends: datetime, url: str
) -> dict[str, Any]:
    return {
        "labels": dict(labels),
        "annotations": {"summary": title},
        "startsAt": begins.isoformat(),
        "endsAt": ends.isoformat(),
        "generatorURL": url,
    }


def labels_of(alert: Mapping[str, Any]) -> dict[str, str]:
    """What an alert is known by there; the same from the first time to the last."""
    raised_as = alert.get("raised_as", alert)  # a message made before there was any
    labels = {
        "alertname": "PromiseMissed" if alert["threshold"] == 100 else "PromiseAtRisk",
        "service": "aftercare",
        "alert_id": alert["id"],
        "clock_id": alert["clock_id"],
        "about": alert["about"],
        "promise": alert["promise"],
        "threshold": str(alert["threshold"]),
        "severity": raised_as["severity"],
        "region": raised_as["region"],
    }
    return {name: value for name, value in labels.items() if value}  # an empty label is none


def fingerprint_of(labels: Mapping[str, str]) -> str:
    """A short name for a set of labels, 16 hexadecimal digits."""
    joined = "\xff".join(f"{name}\xff{labels[name]}" for name in sorted(labels))
    return hashlib.blake2b(joined.encode(), digest_size=8).hexdigest()


KIND: Final = Kind(
    code="alertmanager",
    name=N_("Alertmanager"),
    about=N_("Posts alerts to an Alertmanager and ends them there when they are over."),
    config=AlertmanagerConfig,
    secret=N_("Bearer token, if it asks for one"),
    check=check,
    send=send,
    drops_duplicates=True,
    tells_ends=True,
)
