"""Subject locks: who folds a subject's history holds its lock, so that no other replica loses an update."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sqlalchemy import ARRAY, BigInteger, bindparam, text

from shared.db.tx import Tx

_LOCK = text(
    "SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS held(key)"
).bindparams(bindparam("keys", type_=ARRAY(BigInteger)))


def _key(service: str, subject: str) -> int:
    digest = hashlib.blake2b(f"{service}\0{subject}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


async def lock_subjects(tx: Tx, subjects: Iterable[str]) -> None:
    """Hold each subject until the transaction ends, taken in one order everywhere.

    An advisory lock, because it exists before the subject's first row does. What was read before this call
    may be stale; read again in a statement of its own.
    """
    keys = sorted({_key(tx.service, subject) for subject in subjects})
    await tx.execute(_LOCK, {"keys": keys})
