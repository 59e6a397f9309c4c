"""Who sees which incident (R125): whoever sees what happens in its region and to its product line."""

from __future__ import annotations

from uuid import UUID

from intake.incidents import store
from intake.incidents.rules import Signature
from intake.incidents.store import Incident, NoSuchIncident
from intake.requests.access import Limits
from shared.db import Tx
from shared.errors import AftercareError
from shared.http.auth import Principal


class OutsideYourView(AftercareError):
    """Your view is limited to some regions and product lines, and this incident would lie outside of it."""

    kind = "forbidden"


def sees(viewer: Principal, incident: Incident) -> bool:
    """Whether `incident` exists for `viewer`; of the requests in it they see their own only."""
    return Limits.of(viewer).allow_work_in(incident.region, incident.product_line)


async def load(tx: Tx, viewer: Principal, id: UUID) -> Incident:
    """Raises `NoSuchIncident` when it does not exist for `viewer`; where it is never changes."""
    found = await store.load(tx, id)
    if not sees(viewer, found):
        raise NoSuchIncident
    return found


def require_own(viewer: Principal, signature: Signature) -> None:
    """Raise `OutsideYourView` for an incident that its author would not see."""
    if not Limits.of(viewer).allow_work_in(signature.region, signature.product_line):
        raise OutsideYourView
