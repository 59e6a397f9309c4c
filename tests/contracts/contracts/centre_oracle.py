"""What must be so of tickets whatever happened, in plain SQL that shares nothing with the service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import asyncpg

from contracts.dispatching import SAMPLE
from dispatch.invariants import VIOLATIONS

MOST_OPEN: Final = {"junior": 2, "senior": 2, "emergency": 3}
"""How many tickets an engineer of a tier may have by the policy; few, so that it is reached."""
_MOST: Final = {each.id: MOST_OPEN[each.tier] for each in SAMPLE.people if each.tier}
_HAS: Final = ("assigned", "accepted", "visit_agreed", "travelling", "on_site", "working", "waiting")

WRONG: Final = {
    "an open ticket is owned by nobody who works here": """
        SELECT ticket.id FROM ticket LEFT JOIN person ON person.id = owner_id AND person.active
        WHERE state NOT IN ('closed', 'cancelled') AND person.id IS NULL""",
    "a request has no ticket or two": """
        SELECT asked.id FROM unnest($1::uuid[]) AS asked (id) LEFT JOIN ticket ON request_id = asked.id
        GROUP BY asked.id HAVING count(ticket.id) <> 1""",
    "two visits of one engineer overlap": """
        SELECT one.id FROM visit AS one
        JOIN visit AS two ON one.engineer_id = two.engineer_id AND one.id < two.id
        WHERE one.state = 'agreed' AND two.state = 'agreed'
          AND one.starts_at < two.ends_at AND two.starts_at < one.ends_at""",
    "somebody's load is not what they have": """
        SELECT person_id FROM capacity WHERE working <> (
            SELECT count(*) FROM ticket WHERE engineer_id = person_id AND state IN (
                'assigned', 'accepted', 'visit_agreed', 'travelling', 'on_site', 'working', 'waiting'))""",
    "what was told of a ticket has a gap": """
        SELECT subject FROM event_log
        WHERE type LIKE 'dispatch.%' AND subject IN (SELECT id::text FROM ticket)
        GROUP BY subject HAVING count(DISTINCT sequence) <> max(sequence)""",
    "what was told of a ticket is not its history": """
        SELECT id FROM ticket
        WHERE version <> (SELECT max(version) FROM history WHERE ticket_id = ticket.id)""",
    "an owner is another one than was told last": """
        SELECT ticket.id FROM ticket JOIN LATERAL (
            SELECT body::jsonb #>> '{data,owner_id}' AS owner_id FROM event_log
            WHERE subject = ticket.id::text AND body::jsonb -> 'data' ? 'owner_id'
              AND type LIKE 'dispatch.%' ORDER BY sequence DESC LIMIT 1
        ) AS told ON true WHERE told.owner_id::uuid IS DISTINCT FROM ticket.owner_id""",
    "what was told to dispatch could not be handled": """
        SELECT type FROM parked UNION ALL SELECT reason FROM dead_letter""",
    "a command that was answered as done is not in the history": """
        SELECT done.id FROM unnest($2::uuid[], $3::bigint[]) AS done (id, version)
        LEFT JOIN history ON ticket_id = done.id AND history.version = done.version
        WHERE history.version IS NULL""",
}
"""Each finds what must not be there."""
_LOOK: Final = " UNION ALL ".join(
    f"SELECT $${what}$$ AS what FROM ({query}) AS found" for what, query in WRONG.items()
)
_GIVEN: Final = """
    SELECT id, engineer_id, state, (
        SELECT max(version) FROM history WHERE ticket_id = ticket.id AND what = 'ticket_assigned'
    ) AS given_at FROM ticket
"""


@dataclass
class Oracle:
    """What was asked for and answered, and how everything was when it looked last.

    asked      requests that were told of
    done       tickets with the version that somebody was told their command had made
    brought    what a phone was told of each of its commands
    overruled  tickets that a dispatcher gave to an engineer who was full, and said so
    """

    admin: asyncpg.Connection
    asked: list[UUID] = field(default_factory=list)
    done: set[tuple[UUID, int]] = field(default_factory=set)
    brought: dict[tuple[UUID, str], str] = field(default_factory=dict)
    overruled: set[tuple[UUID, UUID]] = field(default_factory=set)
    _before: Mapping[UUID, Any] = field(default_factory=dict)

    async def look(self) -> None:
        """Raises `AssertionError` with what is wrong."""
        ids, versions = [id for id, _ in self.done], [version for _, version in self.done]
        found = await self.admin.fetch(_LOOK, self.asked, ids, versions)
        assert not found, {row["what"] for row in found}
        rows = await self.admin.fetch("SELECT person, id, outcome FROM phone_command")
        kept = {(UUID(row["person"]), str(row["id"])): row["outcome"] for row in rows}
        assert kept == self.brought, "a phone was told something else than what is kept"
        counts = await self.admin.fetchrow(str(VIOLATIONS))
        assert not any(counts.values()), dict(counts)
        self.judge_loads({row["id"]: row for row in await self.admin.fetch(_GIVEN)})

    def judge_loads(self, tickets: Mapping[UUID, Any]) -> None:
        """Nobody was given more than they may have, unless somebody said that they know.

        What comes back to its engineer, because the customer was not content, may be one too many.
        """
        having = {id: row for id, row in tickets.items() if row["state"] in _HAS}
        loads = Counter(row["engineer_id"] for row in having.values())
        fresh = [id for id, row in having.items() if row["given_at"] != self._given_at(id)]
        excused = Counter(
            row["engineer_id"]
            for id, row in having.items()
            if (id in fresh and (id, row["engineer_id"]) in self.overruled)
            or (id not in fresh and id in self._before and self._before[id]["state"] not in _HAS)
        )
        for id in fresh:
            engineer = having[id]["engineer_id"]
            if (id, engineer) not in self.overruled:
                full = loads[engineer] > _MOST[engineer] + excused[engineer]
                assert not full, "an engineer was given more than they may have"
        self._before = tickets

    def _given_at(self, id: UUID) -> int | None:
        """The version with which it was last given to anybody, when the oracle looked last."""
        return self._before[id]["given_at"] if id in self._before else None
