"""What must never be: each a count that reads 0."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from sqlalchemy import text

from shared.http.auth import allow
from shared.http.transaction import ReadTx, ServiceRoute

router: Final = APIRouter(route_class=ServiceRoute)

# Some are constraints too; counting them shows that the constraints are there.
VIOLATIONS: Final = text(
    """
    SELECT
        (SELECT count(*) FROM ticket WHERE owner_id IS NULL) AS tickets_without_owner,
        (SELECT count(*) FROM ticket JOIN person ON person.id = owner_id
          WHERE state <> 'closed' AND NOT active) AS open_tickets_owned_by_who_left,
        (SELECT count(*) FROM ticket JOIN person ON person.id = engineer_id
          WHERE state IN ('assigned', 'accepted', 'visit_agreed', 'travelling', 'on_site')
            AND NOT active) AS tickets_worked_on_by_who_left,
        (SELECT count(*) FROM ticket WHERE severity = 'urgent' AND state <> 'closed'
            AND jsonb_array_length(group_ids) = 0) AS urgent_tickets_without_group,
        (SELECT count(*) FROM ticket WHERE severity = 'important' AND engineer_id IS NOT NULL
            AND supervisor_id IS NULL) AS important_tickets_without_supervisor,
        (SELECT count(*) FROM ticket WHERE state = 'resolved' AND NOT EXISTS (
            SELECT FROM acceptance WHERE ticket_id = ticket.id AND outcome IS NULL)) AS customers_not_asked,
        (SELECT count(*) FROM acceptance JOIN ticket ON ticket.id = ticket_id
          WHERE outcome IS NULL AND state <> 'resolved') AS customers_asked_in_vain,
        (SELECT count(*) FROM ticket WHERE version <> (
            SELECT count(*) FROM history WHERE ticket_id = ticket.id)) AS tickets_with_gaps_in_history,
        (SELECT count(*) FROM capacity
           LEFT JOIN (SELECT engineer_id, count(*) AS working FROM ticket
                       WHERE state IN ('assigned', 'accepted', 'visit_agreed', 'travelling', 'on_site')
                       GROUP BY engineer_id) AS counted ON counted.engineer_id = person_id
           LEFT JOIN (SELECT supervisor_id, count(*) AS supervising FROM ticket
                       WHERE state IN ('assigned', 'accepted', 'visit_agreed', 'travelling', 'on_site')
                         AND supervisor_id IS NOT NULL
                       GROUP BY supervisor_id) AS guided ON guided.supervisor_id = person_id
          WHERE capacity.working <> coalesce(counted.working, 0)
             OR capacity.supervising <> coalesce(guided.supervising, 0)) AS wrong_loads,
        (SELECT count(*) FROM early_event
          WHERE kept_at < now() - interval '60 seconds') AS events_about_unknown_requests,
        (SELECT count(*) FROM requisition LEFT JOIN ticket ON ticket.id = ticket_id
          WHERE ticket.id IS NULL AND told_at < now() - interval '60 seconds') AS parts_for_unknown_tickets
    """
)


class Invariants(BaseModel):
    """How often each invariant is violated; `total` of all."""

    total: int
    violations: dict[str, int]


@router.get("/invariants", dependencies=[Depends(allow("operations", "admin"))])
async def invariants(tx: ReadTx) -> Invariants:
    """Everything that must be 0 (R24)."""
    counts = dict((await tx.execute(VIOLATIONS)).mappings().one())
    return Invariants(total=sum(counts.values()), violations=counts)
