"""Histories of other systems pass through here; nothing of them is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.db import Tx
from shared.events.intake import HistoryHappening, HistoryImported, history_subject
from shared.outbox.emit import emit


@dataclass(frozen=True, slots=True)
class Imported:
    """One ticket with what happened to it."""

    ticket: str
    happenings: tuple[HistoryHappening, ...]


def pass_on(tx: Tx, source: str, tickets: Sequence[Imported]) -> None:
    """Tell of each ticket on the bulk lane, so that live clocks wait for none of them.

    Nobody counts how often a ticket was imported: the second stands for its version, so that a later import
    comes after an earlier one.
    """
    tx.lane = "bulk"
    sequence = int(tx.now.timestamp())
    for each in tickets:
        told = HistoryImported(source=source, ticket=each.ticket, happenings=each.happenings)
        emit(tx, told, subject=history_subject(source, each.ticket), sequence=sequence)
