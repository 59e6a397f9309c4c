"""Alerts in the form in which Alertmanager (API v2) lists them, for what reads that."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel

from sla_monitor.sinks.kinds.alertmanager import HOLDS, fingerprint_of, labels_of

MOST: Final = 1_000  # nobody acts on more at once; the latest are told


class FeedStatus(BaseModel):
    """Whether somebody should look: what is acknowledged or snoozed is suppressed, by its alert's id."""

    state: Literal["active", "suppressed"]
    silencedBy: list[str]  # noqa: N815 - Alertmanager's words
    inhibitedBy: list[str]  # noqa: N815
    mutedBy: list[str]  # noqa: N815


class FeedReceiver(BaseModel):
    """Who is told."""

    name: str


class AlertInFeed(BaseModel):
    """One alert that stands."""

    labels: dict[str, str]
    annotations: dict[str, str]
    startsAt: datetime  # noqa: N815
    endsAt: datetime  # noqa: N815
    updatedAt: datetime  # noqa: N815
    fingerprint: str
    generatorURL: str  # noqa: N815
    receivers: list[FeedReceiver]
    status: FeedStatus

    @classmethod
    def of(cls, row: Any, public_url: str) -> AlertInFeed:
        """From a row of `queries.list_standing`."""
        labels = labels_of(
            {
                "id": str(row.id),
                "clock_id": str(row.clock_id),
                "about": str(row.subject_id),
                "promise": row.promise,
                "threshold": row.threshold,
                "severity": row.raised_severity,
                "region": row.raised_region,
            }
        )
        handled = row.state != "open"
        changed = row.acknowledged_at or row.raised_at
        return cls(
            labels=labels,
            annotations={"summary": row.title or row.promise, "deadline": row.deadline.isoformat()},
            startsAt=row.raised_at,
            endsAt=row.raised_at + HOLDS,
            updatedAt=changed,
            fingerprint=fingerprint_of(labels),
            generatorURL=f"{public_url}/sla/subjects/{row.subject_id}",
            receivers=[FeedReceiver(name="aftercare")],
            status=FeedStatus(
                state="suppressed" if handled else "active",
                silencedBy=[str(row.id)] if handled and row.state != "superseded" else [],
                inhibitedBy=[str(row.superseded_by)] if row.superseded_by else [],
                mutedBy=[],
            ),
        )
