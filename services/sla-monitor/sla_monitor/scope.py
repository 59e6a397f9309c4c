"""What a person may see: the one place that limits by region, product line and customer level (R125)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import ARRAY, Text, TextClause, bindparam

from shared.errors import AftercareError

if TYPE_CHECKING:
    from shared.http.auth import Principal  # loads FastAPI, which migrations need not know


class OneHouse(AftercareError):
    """This counts for all regions, product lines and customer levels; your view is limited to some."""

    kind = "forbidden"


# A limit shows what is known to lie within it. Queries join the subject.
WITHIN: Final = """
    (CAST(:regions AS text[]) IS NULL OR subject.region = ANY(CAST(:regions AS text[])))
    AND (CAST(:lines AS text[]) IS NULL OR subject.product_line = ANY(CAST(:lines AS text[])))
    AND (CAST(:levels AS text[]) IS NULL OR subject.customer_level = ANY(CAST(:levels AS text[])))
"""


def limited(query: TextClause) -> TextClause:
    """A query that contains `WITHIN`, its parameters typed."""
    return query.bindparams(*(bindparam(name, type_=ARRAY(Text)) for name in ("regions", "lines", "levels")))


def limits(viewer: Principal | None) -> dict[str, list[str] | None]:
    """The parameters of `WITHIN`; nobody in particular sees everything."""
    if viewer is None:
        return {"regions": None, "lines": None, "levels": None}
    return {
        "regions": _listed(viewer.regions),
        "lines": _listed(viewer.product_lines),
        "levels": _listed(viewer.customer_levels),
    }


def _listed(limit: frozenset[str] | None) -> list[str] | None:
    return None if limit is None else sorted(limit)


def is_limited(viewer: Principal) -> bool:
    """Whether anything is kept from `viewer`."""
    return any(limit is not None for limit in limits(viewer).values())


def require_whole_house(viewer: Principal) -> None:
    """`OneHouse` for whoever may see only a part: what counts for all is not theirs to change (R125)."""
    if is_limited(viewer):
        raise OneHouse
