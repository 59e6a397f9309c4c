"""Whether what is written to the customer of a request can reach them, as far as is known beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from intake.duplicates.store import load_duplicates
from intake.sending import store
from intake.sending.rules import SMS, unreachable
from shared.db import Tx
from shared.errors import AftercareError


class NobodyReads(AftercareError):
    """No address of this customer is known: say it on the phone and write it down as that (`spoken`)."""


async def nobody_reads(tx: Tx, request_id: UUID) -> bool:
    """Whether an answer to this request, with what is merged into it, would wait and be read by nobody."""
    ids: Sequence[UUID] = (request_id, *await load_duplicates(tx, request_id))
    row = await store.load_reach(tx, request_id, ids)
    bound = await store.load_bound(tx, [row.customer_id], SMS)
    return unreachable(store.asked_of(row, bound), has_link=row.has_link)
