"""Another expert helps where who did is gone or away (R24, R25)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from dispatch.assignment.rules import Loads, Staff
from dispatch.support import rules, store
from dispatch.tickets.record import Change
from shared.db import Tx
from shared.events.terms import PersonId


async def other_helpers(
    tx: Tx, changes: Sequence[Change], gone: Collection[PersonId], staff: Staff, loads: Loads
) -> list[Change]:
    """`changes`, and in them other helpers for those who are `gone`: an expert, else who stands in."""
    if not any(change.after.helper_id in gone for change in changes):
        return [*changes]
    policy, _ = await store.load_policy(tx)
    changed = []
    for change in changes:
        ticket = change.after
        if ticket.helper_id in gone:
            expert, _ = rules.experts(ticket, staff, loads, policy)
            told = rules.helper_changed(ticket, expert or rules.stand_in(ticket, staff))
            change = replace(change, steps=(*change.steps, *told))
        changed.append(change)
    return changed
