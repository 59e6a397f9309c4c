"""Publishing the urgent policy."""

from __future__ import annotations

from dispatch.urgent import store
from dispatch.urgent.policy import Policy
from shared.db import Tx, lock_subjects
from shared.http.etag import Precondition


async def publish_policy(tx: Tx, policy: Policy, note: str, seen: Precondition, by: str) -> int:
    """The next version, in force from now on. `VersionChanged`."""
    await lock_subjects(tx, ["urgent_policy"])
    _, version = await store.load_policy(tx)
    seen.require(version)
    await store.save_policy(tx, version + 1, policy.model_dump(mode="json"), note, by)
    return version + 1
