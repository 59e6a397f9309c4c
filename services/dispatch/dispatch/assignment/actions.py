"""Publishing the assignment policy, and noting what customers wish."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from dispatch.assignment import store
from dispatch.assignment.policy import Policy
from dispatch.assignment.staff import Preference
from dispatch.organisation.store import load_persons
from shared.db import Tx, lock_subjects
from shared.events.terms import PersonId
from shared.http.etag import Precondition
from shared.http.problem import InvalidInput
from shared.http.strict import pointer


async def publish_policy(tx: Tx, policy: Policy, note: str, seen: Precondition, by: str) -> int:
    """The next version, in force for every decision from now on. `VersionChanged`."""
    await lock_subjects(tx, ["assignment_policy"])
    newest = await store.list_policies(tx)
    version = newest[0]["version"] if newest else 0
    seen.require(version)
    await store.save_policy(tx, version + 1, policy.model_dump(mode="json"), note, by)
    return version + 1


async def note_preferences(tx: Tx, customer_id: UUID, wishes: Mapping[PersonId, Preference], by: str) -> None:
    """Whom a customer prefers or does not want, instead of what was noted before. `InvalidInput`."""
    known = await load_persons(tx, wishes.keys())
    unknown = [
        {"source": "body", "pointer": pointer((place,)), "detail": "no such person", "code": "unknown_person"}
        for place, person_id in enumerate(wishes)
        if person_id not in known
    ]
    if unknown:
        raise InvalidInput(errors=unknown)
    await store.replace_preferences(tx, customer_id, wishes, by)
