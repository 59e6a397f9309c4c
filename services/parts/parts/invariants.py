"""What must never be: each a count that reads 0."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy import text

from shared.http.auth import allow
from shared.http.transaction import ReadTx, ServiceRoute

router: Final = APIRouter(route_class=ServiceRoute)

# Some are constraints too; counting them shows that the constraints are there.
_VIOLATIONS: Final = text(
    """
    WITH entered AS (
        SELECT warehouse, part_number, sum(quantity) AS pieces FROM movement GROUP BY 1, 2
    ), held AS (
        SELECT warehouse, part_number, sum(quantity) AS pieces
        FROM requisition JOIN requisition_line ON requisition_id = id
        WHERE state = 'held' GROUP BY 1, 2
    ), used AS (
        SELECT id::text AS reference, part_number, quantity AS pieces
        FROM requisition JOIN requisition_line ON requisition_id = id
        WHERE state = 'used' AND NOT EXISTS (SELECT FROM requisition_use WHERE requisition_id = id)
        UNION ALL
        SELECT requisition_id::text, part_number, quantity FROM requisition_use
    ), left_stock AS (
        SELECT reference, part_number, -sum(quantity) AS pieces FROM movement
        WHERE kind = 'used' GROUP BY 1, 2
    )
    SELECT
        (SELECT count(*) FROM balance WHERE on_hand < 0 OR reserved < 0) AS shelves_below_zero,
        (SELECT count(*) FROM balance WHERE reserved > on_hand) AS shelves_promised_twice,
        (SELECT count(*) FROM balance FULL JOIN entered USING (warehouse, part_number)
          WHERE coalesce(on_hand, 0) <> coalesce(pieces, 0)) AS shelves_unlike_the_ledger,
        (SELECT count(*) FROM balance FULL JOIN held USING (warehouse, part_number)
          WHERE coalesce(reserved, 0) <> coalesce(pieces, 0)) AS shelves_unlike_what_is_held,
        (SELECT count(*) FROM used FULL JOIN left_stock USING (reference, part_number)
          WHERE coalesce(used.pieces, 0) <> coalesce(left_stock.pieces, 0)) AS uses_unlike_the_ledger,
        (SELECT count(*) FROM requisition JOIN closed_ticket USING (ticket_id)
          WHERE state IN ('held', 'short') AND ticket_version < closed_ticket.version
        ) AS requisitions_open_after_their_ticket
    """
)


class Invariants(BaseModel):
    """How often each invariant is violated; `total` of all."""

    total: int = Field(examples=[0])
    violations: dict[str, int] = Field(examples=[{"shelves_promised_twice": 0}])


@router.get("/invariants", dependencies=[Depends(allow("storekeeper", "operations", "admin"))])
async def invariants(tx: ReadTx) -> Invariants:
    """Everything that must be 0: received = on hand + used, and nothing is promised twice."""
    counts = dict((await tx.execute(_VIOLATIONS)).mappings().one())
    return Invariants(total=sum(counts.values()), violations=counts)
