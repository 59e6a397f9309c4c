"""What the tables of all features share."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import ARRAY, ColumnElement, MetaData, any_, cast

metadata: Final = MetaData()


def among(column: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """`column = ANY(values)`: unlike IN, the same statement for any number of values."""
    return column == any_(cast(list(values), ARRAY(column.type, dimensions=1)))
