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


Rows = tuple[Table, Sequence[Mapping[str, Any]]]
"""What is to be inserted into one table; all rows have the same columns."""

_Shape = tuple[Table, tuple[str, ...], str]


@lru_cache(maxsize=512)
def _statement(shapes: tuple[_Shape, ...]) -> TextClause:
    """`INSERT … SELECT FROM unnest(…)`: one array per column, so the text never depends on the length.

    Several tables are one statement: those before the last are written by its `WITH`.
    """
    *others, last = (_insert(*shape) for shape in shapes)
    before = ", ".join(f"written_{number} AS ({insert})" for number, insert in enumerate(others))
    statement = text(f"WITH {before} {last}" if before else last)
    return statement.bindparams(
        *(
            bindparam(_parameter(table, name), type_=ARRAY(table.c[name].type, dimensions=1))
            for table, columns, _ in shapes
            for name in columns
        )
    )


def _insert(table: Table, columns: tuple[str, ...], tail: str) -> str:
    arrays = ", ".join(
        f"CAST(:{_parameter(table, name)} AS {table.c[name].type.compile(_DIALECT)}[])" for name in columns
    )
    return f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT * FROM unnest({arrays}) {tail}"


def _parameter(table: Table, column: str) -> str:
    return f"{table.name}__{column}"


async def insert_rows(
    tx: Tx, table: Table, rows: Sequence[Mapping[str, Any]], *, tail: str = ""
) -> Sequence[Any]:
    """Insert `rows` (all with the same columns) in key order; returns what `tail` RETURNs, else nothing.

    `tail` is SQL after the rows, for example ``ON CONFLICT DO NOTHING RETURNING id``. A key that occurs
    twice within `rows` must be merged by the caller where `tail` updates: PostgreSQL refuses to touch one
    row twice in a statement.
    """
    return await _write(tx, [(table, rows)], {table: tail}) if rows else []


async def insert_together(tx: Tx, *parts: Rows, tails: Mapping[Table, str] | None = None) -> None:
    """Insert rows of several tables in one round trip; what refers to each other is checked at its end.

    Each table in key order, with its tail as in `insert_rows`, but nothing is returned; tables without rows
    are left out.
    """
    if present := [(table, rows) for table, rows in parts if rows]:
        await _write(tx, present, tails or {})


async def _write(tx: Tx, parts: Sequence[Rows], tails: Mapping[Table, str]) -> Sequence[Any]:
    shapes = tuple((table, tuple(rows[0]), tails.get(table, "")) for table, rows in parts)
    values: dict[str, list[Any]] = {}
    for table, rows in parts:
        key = [column.name for column in table.primary_key.columns if column.name in rows[0]]
        ordered = sorted(rows, key=itemgetter(*key)) if key else rows
        values |= {_parameter(table, name): [row[name] for row in ordered] for name in rows[0]}
    result = await tx.execute(_statement(shapes), values)
    return result.all() if result.returns_rows else []
