"""What must never be: each a count that reads 0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from sqlalchemy import text

from dispatch.tickets.rules import ENDED, WORKING, State
from shared.http.auth import allow
from shared.http.transaction import ReadTx, ServiceRoute

router: Final = APIRouter(route_class=ServiceRoute)


def _among(states: Iterable[State]) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states))


_OPEN: Final = f"state NOT IN ({_among(ENDED)})"
_AT_WORK: Final = f"state IN ({_among(WORKING)})"

# Some are constraints too; counting them shows that the constraints are there.
INVARIANTS: Final[Mapping[str, str]] = {
    "tickets_without_owner": "SELECT count(*) FROM ticket WHERE owner_id IS NULL",
    "open_tickets_owned_by_who_left": f"""
        SELECT count(*) FROM ticket JOIN person ON person.id = owner_id WHERE {_OPEN} AND NOT active""",
    "tickets_worked_on_by_who_left": f"""
        SELECT count(*) FROM ticket JOIN person ON person.id = engineer_id WHERE {_AT_WORK} AND NOT active""",
    "tickets_at_work_without_engineer": f"""
        SELECT count(*) FROM ticket WHERE {_AT_WORK} AND engineer_id IS NULL""",
    "urgent_tickets_without_group": f"""
        SELECT count(*) FROM ticket
        WHERE severity = 'urgent' AND {_OPEN} AND jsonb_array_length(group_ids) = 0""",
    "important_tickets_without_supervisor": """
        SELECT count(*) FROM ticket
        WHERE severity = 'important' AND engineer_id IS NOT NULL AND supervisor_id IS NULL""",
    "people_who_supervise_themselves": "SELECT count(*) FROM ticket WHERE supervisor_id = engineer_id",
    "tickets_that_wait_for_nothing": """
        SELECT count(*) FROM ticket WHERE (state = 'waiting') <> (waiting_for IS NOT NULL)
            OR (state = 'waiting') <> (paused_in IS NOT NULL)""",
    "cancelled_tickets_without_reason": """
        SELECT count(*) FROM ticket WHERE state = 'cancelled' AND ended_as IS NULL""",
    "open_tickets_that_ended": f"SELECT count(*) FROM ticket WHERE {_OPEN} AND ended_as IS NOT NULL",
    "duplicates_of_nothing": """
        SELECT count(*) FROM ticket WHERE duplicate_of IS NOT NULL AND (
            duplicate_of = id OR state <> 'cancelled'
            OR NOT EXISTS (SELECT FROM ticket AS main WHERE main.id = ticket.duplicate_of))""",
    "customers_not_asked": """
        SELECT count(*) FROM ticket WHERE state = 'resolved' AND NOT EXISTS (
            SELECT FROM acceptance WHERE ticket_id = ticket.id AND outcome IS NULL)""",
    "customers_asked_in_vain": """
        SELECT count(*) FROM acceptance JOIN ticket ON ticket.id = ticket_id
        WHERE outcome IS NULL AND state <> 'resolved'""",
    "engineers_at_two_places": """
        SELECT count(*) FROM visit JOIN visit AS other
            ON other.engineer_id = visit.engineer_id AND other.id > visit.id
            AND tstzrange(other.starts_at, other.ends_at) && tstzrange(visit.starts_at, visit.ends_at)
        WHERE visit.state = 'agreed' AND other.state = 'agreed'""",
    "visits_of_tickets_that_ended": f"""
        SELECT count(*) FROM visit JOIN ticket ON ticket.id = ticket_id
        WHERE visit.state = 'agreed' AND NOT ticket.{_OPEN}""",
    "tickets_with_gaps_in_history": """
        SELECT count(*) FROM ticket WHERE version <> (
            SELECT count(*) FROM history WHERE ticket_id = ticket.id)""",
    "open_tasks_nobody_here_answers_for": """
        SELECT count(*) FROM department_task LEFT JOIN person ON person.id = owner_id AND active
        WHERE state IN ('asked', 'accepted') AND person.id IS NULL""",
    "tasks_open_after_the_end": f"""
        SELECT count(*) FROM department_task AS task JOIN ticket ON ticket.id = ticket_id
        WHERE task.state IN ('asked', 'accepted') AND NOT ticket.{_OPEN}""",
    "finished_in_spite_of_a_task": """
        SELECT count(*) FROM department_task AS task JOIN ticket ON ticket.id = ticket_id
        WHERE task.state IN ('asked', 'accepted') AND blocking AND ticket.state = 'resolved'""",
    "wrong_loads": f"""
        SELECT count(*) FROM capacity
            LEFT JOIN (SELECT engineer_id, count(*) AS working FROM ticket WHERE {_AT_WORK}
                       GROUP BY engineer_id) AS counted ON counted.engineer_id = person_id
            LEFT JOIN (SELECT supervisor_id, count(*) AS supervising FROM ticket
                       WHERE {_AT_WORK} AND supervisor_id IS NOT NULL
                       GROUP BY supervisor_id) AS guided ON guided.supervisor_id = person_id
        WHERE capacity.working <> coalesce(counted.working, 0)
            OR capacity.supervising <> coalesce(guided.supervising, 0)""",
    "events_about_unknown_requests": """
        SELECT count(*) FROM early_event WHERE kept_at < now() - interval '60 seconds'""",
    "parts_for_unknown_tickets": """
        SELECT count(*) FROM requisition LEFT JOIN ticket ON ticket.id = ticket_id
        WHERE ticket.id IS NULL AND told_at < now() - interval '60 seconds'""",
}
VIOLATIONS: Final = text(
    "SELECT " + ", ".join(f"({counting}) AS {name}" for name, counting in INVARIANTS.items())
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
