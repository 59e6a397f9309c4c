"""What the service desk tells customers is progress of their tickets."""

from __future__ import annotations

from collections.abc import Sequence

from dispatch.progress.actions import Answered, note_answers
from shared.db import Tx


async def on_answer_given(tx: Tx, events: Sequence[Answered]) -> None:
    """Note that the customer heard from us (R62)."""
    await note_answers(tx, events)
