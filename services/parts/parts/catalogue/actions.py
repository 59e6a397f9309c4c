"""Bring the catalogue up to date."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from parts.catalogue import store
from shared.db import Tx
from shared.db.locks import lock_subjects
from shared.errors import AftercareError


class CentreHasWarehouse(AftercareError):
    """Another warehouse belongs to centre {centres} already; name both in one catalogue to move it."""

    kind = "conflict"
    shown: ClassVar = ("centres",)


async def save_catalogue(tx: Tx, names: Mapping[str, tuple[str, str]], centres: Mapping[str, str]) -> None:
    """Add or rename parts (number: English and Chinese name) and warehouses (code: centre).

    Raises `CentreHasWarehouse`.
    """
    await lock_subjects(tx, ["catalogue"])  # of two at once, neither would see the other's warehouses
    if taken := await store.centres_of_others(tx, centres):
        raise CentreHasWarehouse(centres=", ".join(sorted(taken)))
    await store.save_parts(tx, names)
    await store.save_warehouses(tx, centres)
