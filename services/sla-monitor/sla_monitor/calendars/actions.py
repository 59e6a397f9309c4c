"""Publish a version of a calendar."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from shared.db import Tx
from shared.db.audit import record
from shared.db.locks import lock_subjects
from shared.errors import AftercareError
from shared.http.auth import Principal
from shared.http.etag import Precondition
from shared.http.strict import pointer
from sla_monitor.calendars import store
from sla_monitor.calendars.versions import Content, Fault, Version, effective_from, faults
from sla_monitor.scope import require_whole_house


class CalendarRefused(AftercareError):
    """The calendar cannot be counted by; `errors` says what is wrong with which part."""

    shown: ClassVar = ("errors",)

    def __init__(self, found: Sequence[Fault]) -> None:
        errors = [
            {"source": "body", "pointer": pointer(each.path), "detail": each.detail, "code": each.code}
            for each in found
        ]
        super().__init__(errors=errors)


def check(content: Content) -> None:
    """`CalendarRefused` with all that is wrong with `content`."""
    if found := faults(content):
        raise CalendarRefused(found[:50])


async def publish(
    tx: Tx, name: str, content: Content, valid_from: datetime | None, by: Principal, seen: Precondition
) -> Version:
    """Add a version to a calendar, or begin a calendar with it; `seen` is its last version, 0 when it is new.

    Takes effect now, which is within two minutes, or at a later instant; never before.
    """
    require_whole_house(by)
    check(content)
    begins = effective_from(valid_from, tx.now)
    if begins is None:
        raise CalendarRefused([Fault(("valid_from",), "in_the_past", "A version takes effect now or later")])
    await lock_subjects(tx, [f"calendar {name}"])
    heads = (await store.load_heads(tx, name)).get(name, [])
    last = max((head.version for head in heads), default=0)
    seen.require(last)
    head, days = store.rows_of(
        name, last + 1, begins, content.zone, content.week, content.days, content.source
    )
    await store.save_version(tx, {**head, "made_by": by.id}, days)
    await record(tx, by.id, "calendar published", name, {"version": last + 1, "digest": head["digest"]})
    return await store.load_version(tx, name, last + 1)
