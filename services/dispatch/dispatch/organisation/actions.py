"""Importing the organisation, as a whole or not at all."""

from __future__ import annotations

from typing import ClassVar

from dispatch.organisation import store
from dispatch.organisation.rules import Organisation, faults
from dispatch.tasks.actions import rehome
from dispatch.tickets.actions import give_away
from shared.db import Tx, lock_subjects
from shared.errors import AftercareError
from shared.http.etag import Precondition, etag
from shared.http.problem import InvalidInput
from shared.http.strict import pointer


class NoOrganisation(AftercareError):
    """No organisation has been imported yet: PUT one, with If-Match: "0"."""

    kind = "not_found"
    headers: ClassVar = {"ETag": etag(0)}


async def import_organisation(tx: Tx, document: Organisation, seen: Precondition, by: str) -> int:
    """Replace the organisation; whoever is missing in it is not active any more and owns nothing from now on.

    Returns the new version; `InvalidInput` names everything that is wrong.
    """
    wrong = [
        {"source": "body", "pointer": pointer(fault.path), "detail": fault.detail, "code": fault.code}
        for fault in faults(document)
    ]
    if wrong:
        raise InvalidInput(errors=wrong)
    await lock_subjects(tx, ["organisation"])  # before the first import there is no row to lock
    version = await store.lock_version(tx)
    seen.require(version)
    left = await store.save_organisation(tx, document, version + 1, by)
    benched = [person.id for person in document.people if person.active and not person.is_engineer]
    await give_away(tx, left, benched, by)
    await rehome(tx, by)
    return version + 1
