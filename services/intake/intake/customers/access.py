"""Who sees which customer (R125): a limit shows what is known to lie within it."""

from __future__ import annotations

from collections.abc import Collection

from shared.errors import AftercareError
from shared.http.auth import Principal


class NoSuchCustomer(AftercareError):
    """There is no such customer here, or they are not yours to see."""

    kind = "not_found"


class Forgotten(AftercareError):
    """This customer was erased: there is nobody to write to, and nothing more is written down."""

    kind = "conflict"


def sees(
    viewer: Principal, level: str, regions: Collection[str | None], product_lines: Collection[str | None]
) -> bool:
    """Whether a customer of this level, known in these regions and with these products, is for these eyes."""
    return (
        (viewer.customer_levels is None or level in viewer.customer_levels)
        and (viewer.regions is None or not viewer.regions.isdisjoint(_known(regions)))
        and (viewer.product_lines is None or not viewer.product_lines.isdisjoint(_known(product_lines)))
    )


def _known(values: Collection[str | None]) -> set[str]:
    return {each for each in values if each is not None}
