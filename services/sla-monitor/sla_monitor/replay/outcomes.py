"""What became of each promise in a replay, by the ruling that was tried, as the board shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Interval,
    SmallInteger,
    Table,
    Text,
    Uuid,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.db import Tx, insert_rows
from shared.errors import AftercareError
from sla_monitor.clocks.view import View, within
from sla_monitor.replay.rules import UNKNOWN, Compared
from sla_monitor.replay.store import Replay
from sla_monitor.replay.tally import Tally
from sla_monitor.tables import metadata

KEPT: Final = 20
"""Replays of which every clock is kept; the figures and the changes of all others stay."""
CHOICES: Final = 100  # of one filter, the most frequent

_moment = DateTime(timezone=True)

replay_clock = Table(
    "replay_clock",
    metadata,
    Column("replay_id", Uuid, primary_key=True),
    Column("subject_id", Uuid, primary_key=True),
    Column("promise", Text, primary_key=True),
    Column("occurrence", BigInteger, primary_key=True),
    Column("name", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("team", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("is_response", Boolean, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("deadline", _moment, nullable=False),
    Column("stopped_at", _moment),
    Column("late", Interval),
    Column("hour", SmallInteger),
)


class NotKept(AftercareError):
    """The board cannot show replay {id}: it is not done, it failed, or many others were done since."""

    kind = "not_found"


async def save_outcomes(tx: Tx, id: UUID, compared: Sequence[Compared], until: datetime) -> None:
    """Keep the clocks of a step; those that nothing has ended are late by `until`."""
    await insert_rows(tx, replay_clock, [row for each in compared for row in _rows(id, each, until)])


def _rows(id: UUID, compared: Compared, until: datetime) -> list[dict[str, Any]]:
    missed = compared.breaches["tried"]
    return [
        {
            "replay_id": id,
            "subject_id": compared.id,
            "promise": each.promise,
            "occurrence": each.occurrence,
            "name": compared.name,
            "region": compared.region,
            "team": compared.team,
            "channel": compared.channel,
            "severity": each.severity or UNKNOWN,
            "is_response": each.promise in compared.tried.responses,
            "outcome": each.outcome,
            "deadline": each.deadline,
            "stopped_at": each.stopped_at,
            "late": (each.stopped_at or until) - each.deadline if each.outcome == "breached" else None,
            "hour": missed.get((each.promise, each.occurrence)),
        }
        for each in compared.tried.clocks
    ]


_COUNT: Final = text("SELECT count(*) FROM replay_clock WHERE replay_id = :id")
_VALUES: Final = """
    SELECT {column} FROM replay_clock WHERE replay_id = :id AND {column} <> ''
    GROUP BY {column} ORDER BY count(*) DESC, {column} LIMIT :most
"""
_COLUMNS: Final = {name: name for name in ("region", "team", "severity", "channel", "promise")}
_FILTERS: Final = {name: text(_VALUES.format(column=column)) for name, column in _COLUMNS.items()}
_OFFER: Final = text("UPDATE replay SET choices = :choices WHERE id = :id").bindparams(
    bindparam("choices", type_=JSONB)
)
_FORGET: Final = text(
    """
    WITH old AS (
        SELECT id FROM replay WHERE choices IS NOT NULL ORDER BY asked_at DESC, id DESC OFFSET :kept
    ), forgotten AS (
        UPDATE replay SET choices = NULL WHERE id IN (SELECT id FROM old)
    )
    DELETE FROM replay_clock WHERE replay_id IN (SELECT id FROM old)
    """
)
_DROP: Final = text("DELETE FROM replay_clock WHERE replay_id = :id")


async def offer(tx: Tx, done: Replay) -> None:
    """Let the board show a replay that is done, if each of its clocks is here, and no more than `KEPT`.

    An older version that did a part of it kept none.
    """
    counted = sum(n for (side, *_), n in done.tally.promises.items() if side == "tried")
    if (await tx.execute(_COUNT, {"id": done.id})).scalar_one() != counted:
        await drop(tx, done.id)
        return
    choices = {
        name: list((await tx.execute(query, {"id": done.id, "most": CHOICES})).scalars())
        for name, query in _FILTERS.items()
    }
    await tx.execute(_OFFER, {"id": done.id, "choices": choices})
    await tx.execute(_FORGET, {"kept": KEPT})


async def drop(tx: Tx, id: UUID) -> None:
    """Forget the clocks of a replay."""
    await tx.execute(_DROP, {"id": id})


_CHOICES: Final = text("SELECT choices FROM replay WHERE id = :id").columns(choices=JSONB)


async def load_choices(tx: Tx, id: UUID) -> Mapping[str, Sequence[str]]:
    """What each filter offers; `NotKept`."""
    found = (await tx.execute(_CHOICES, {"id": id})).scalar_one_or_none()
    if found is None:
        raise NotKept(id=id)
    return {name: found[name] for name in _COLUMNS}  # stored, they have no order


@dataclass(frozen=True, slots=True)
class Kept:
    """A replay that the board can show, as far as it takes to name it; see `Replay`."""

    id: UUID
    asked_at: datetime
    policy_version: int | None
    calendar: str | None
    source: str | None
    begins: datetime
    ends: datetime


_NAMES: Final = ", ".join(Kept.__slots__)
_KEPT: Final = text(
    f"SELECT {_NAMES} FROM replay WHERE choices IS NOT NULL ORDER BY asked_at DESC, id DESC LIMIT :most"
)


async def list_kept(tx: Tx) -> Sequence[Kept]:
    """The replays that the board can show, the latest first."""
    return tuple(Kept(**row._mapping) for row in await tx.execute(_KEPT, {"most": KEPT}))


_OF_SOURCE: Final = text(
    """
    SELECT id, choices IS NOT NULL AS kept FROM replay
    WHERE source = :source AND policy_version = :version AND calendar IS NULL AND failure IS NULL
      AND begins <= :first AND ends > :last AND total = :tickets
      AND (choices IS NOT NULL OR finished_at IS NULL)
    ORDER BY choices IS NULL, asked_at DESC, id DESC LIMIT 1
    """
)


async def find_whole(
    tx: Tx, source: str, version: int, span: tuple[datetime, datetime], tickets: int
) -> tuple[UUID, bool] | None:
    """The latest replay of all of a source by a policy version, and whether the board can show it by now."""
    first, last = span
    place = {"source": source, "version": version, "first": first, "last": last, "tickets": tickets}
    row = (await tx.execute(_OF_SOURCE, place)).first()
    return None if row is None else (row.id, row.kept)


_CLOCKS: Final = """
    SELECT promise, outcome, team, region, hour, count(*) AS clocks FROM replay_clock
    WHERE replay_id = :replay {within} GROUP BY promise, outcome, team, region, hour
"""
_TICKETS: Final = """
    SELECT count(*) AS replayed,
           count(*) FILTER (WHERE missed) AS breached,
           count(*) FILTER (WHERE runs AND NOT missed) AS running,
           count(*) FILTER (WHERE kept AND NOT runs AND NOT missed) AS met
    FROM (
        SELECT bool_or(is_response AND outcome = 'breached') AS missed,
               bool_or(is_response AND outcome = 'running') AS runs,
               bool_or(is_response AND outcome = 'met') AS kept
        FROM replay_clock WHERE replay_id = :replay {within} GROUP BY subject_id
    ) AS ticket
"""


async def count(tx: Tx, id: UUID, view: View) -> Tally:
    """What `view` lets through, on the side that was tried; a ticket is judged by those of its clocks."""
    place = {"replay": id, **view.parameters}
    tally = Tally()
    for row in await tx.execute(within(_CLOCKS, view, _COLUMNS), place):
        tally.promises["tried", row.promise, row.outcome] += row.clocks
        if row.hour is not None:
            tally.hours["tried", row.promise, row.hour] += row.clocks
            tally.teams["tried", row.team, row.hour] += row.clocks
            tally.regions["tried", row.region, row.hour] += row.clocks
    tickets = (await tx.execute(within(_TICKETS, view, _COLUMNS), place)).one()
    tally.replayed = tickets.replayed
    for outcome in ("met", "breached", "running"):
        tally.subjects["tried", outcome] = getattr(tickets, outcome)
    return tally


@dataclass(frozen=True, slots=True)
class Miss:
    """A missed promise; `stopped_at` is None of one that was never kept."""

    subject_id: UUID
    promise: str
    occurrence: int
    name: str
    region: str
    team: str
    severity: str
    deadline: datetime
    stopped_at: datetime | None
    late: timedelta


_WORST: Final = f"""
    SELECT {", ".join(Miss.__slots__)} FROM replay_clock
    WHERE replay_id = :replay AND outcome = 'breached' {{within}}
    ORDER BY late DESC, subject_id, promise, occurrence LIMIT :most
"""


async def load_worst(tx: Tx, id: UUID, view: View, most: int) -> Sequence[Miss]:
    """The misses that were latest, the latest first."""
    found = await tx.execute(within(_WORST, view, _COLUMNS), {"replay": id, "most": most, **view.parameters})
    return tuple(Miss(**row._mapping) for row in found)
