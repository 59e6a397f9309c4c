"""People write, publish, review and retire articles; every text that ever was is kept (R117)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from uuid import UUID

from intake.knowledge import rules, store
from intake.knowledge.rules import About, Content
from intake.search.bigrams import grams
from shared.clock import uuid7
from shared.db import Tx


async def write(tx: Tx, about: About, content: Content, by: str) -> UUID:
    """A new draft."""
    await store.save_new(tx, id := uuid7(), about, content, by)
    return id


async def revise(tx: Tx, id: UUID, about: About, content: Content, by: str, seen: int) -> None:
    """One more version; readers see the published one until the new one is published too."""
    found = await _as_read(tx, id, seen)
    if content != await store.load_content(tx, id, found.latest):
        await store.save_version(tx, id, found.latest + 1, content, by)
        await store.save(tx, id, latest=found.latest + 1)
    await store.save(tx, id, **asdict(about))


async def publish(tx: Tx, id: UUID, seen: int) -> None:
    """From now on readers see the latest version, and find it by its words."""
    found = await _as_read(tx, id, seen)
    if not found.about.owner:
        raise rules.OwnerMissing
    content = await store.load_content(tx, id, found.latest)
    await store.save(
        tx,
        id,
        state="published",
        published=found.latest,
        title_grams=grams(content.title),
        grams=grams(f"{content.title}\n{content.body}"),
    )


async def retire(tx: Tx, id: UUID) -> None:
    """Nobody finds it any more; it can be published again."""
    if (await store.lock(tx, id)).state != "published":
        raise rules.NothingToRetire
    await store.save(tx, id, state="retired")


async def review(tx: Tx, id: UUID, seen: int, next_on: date) -> None:
    """Somebody read it and it is right; the next look is on `next_on`."""
    await _as_read(tx, id, seen)
    await store.save(tx, id, review_on=next_on)


async def _as_read(tx: Tx, id: UUID, seen: int) -> rules.Article:
    found = await store.lock(tx, id)
    if found.latest != seen:
        raise rules.NotAsRead
    return found
