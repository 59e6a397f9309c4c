"""Who did what to what: overrides, and every look at contact data. Append-only, kept two years by default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.clock import uuid7
from shared.db.rows import insert_rows
from shared.db.tables import audit
from shared.db.tx import Tx


async def record(tx: Tx, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
    """Note that `actor` (a principal's id) did `action` to `subject`; `detail` has ids, no contact data."""
    row = {"id": uuid7(), "actor": actor, "action": action, "subject": subject, "detail": dict(detail)}
    await insert_rows(tx, audit, [row])
