"""Multi-row writes: one statement whatever the number of rows, sorted by key so that none deadlock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import ARRAY, Dialect, Table, TextClause, bindparam, text
from sqlalchemy.dialects import postgresql

from shared.db.tx import Tx

_DIALECT: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


@lru_cache(maxsize=512)
def _insert(table: Table, columns: tuple[str, ...], tail: str) -> TextClause:
    """`INSERT … SELECT FROM unnest(…)`: one array per column, so the text never depends on the length."""
    types = [table.c[name].type for name in columns]
    arrays = ", ".join(
        f"CAST(:{name} AS {kind.compile(_DIALECT)}[])" for name, kind in zip(columns, types, strict=True)
    )
    names = ", ".join(columns)
    statement = text(f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({arrays}) {tail}")
    parameters = [
        bindparam(name, type_=ARRAY(kind, dimensions=1)) for name, kind in zip(columns, types, strict=True)
    ]
    return statement.bindparams(*parameters)


async def insert_rows(
    tx: Tx, table: Table, rows: Sequence[Mapping[str, Any]], *, tail: str = ""
) -> Sequence[Any]:
    """Insert `rows` (all with the same columns) in key order; returns what `tail` RETURNs, else nothing.

    `tail` is SQL after the rows, for example ``ON CONFLICT DO NOTHING RETURNING id``. A key that occurs
    twice within `rows` must be merged by the caller where `tail` updates: PostgreSQL refuses to touch one
    row twice in a statement.
    """
    if not rows:
        return []
    key = [column.name for column in table.primary_key.columns if column.name in rows[0]]
    ordered = sorted(rows, key=itemgetter(*key)) if key else rows
    columns = tuple(ordered[0])
    result = await tx.execute(
        _insert(table, columns, tail), {name: [row[name] for row in ordered] for name in columns}
    )
    return result.all() if result.returns_rows else []
