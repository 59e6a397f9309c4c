"""Events are cut into batches on their way out and in; each is in exactly one, and no batch is too large."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.inbox import receive
from shared.inbox.receive import batches
from shared.outbox import relay
from shared.outbox.relay import batched

EPOCH = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture(scope="module", autouse=True)
def _small_limits() -> Iterator[None]:
    """So that few events reach them."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(receive, "MOST_EVENTS", 7)
        patched.setattr(receive, "MOST_SUBJECTS", 3)
        patched.setattr(relay, "MOST_EVENTS", 5)
        patched.setattr(relay, "MOST_BYTES", 100)
        yield


@dataclass(frozen=True)
class Incoming:
    """What `batches` looks at of an event."""

    id: UUID
    subject: str
    sequence: str
    time: datetime


incoming = st.builds(
    Incoming,
    id=st.uuids(),
    subject=st.sampled_from("abcdefghij"),
    sequence=st.integers(0, 9).map("{:010d}".format),
    time=st.integers(0, 9).map(lambda seconds: EPOCH + timedelta(seconds=seconds)),
)


@given(st.lists(incoming, max_size=60))
def test_incoming_events_are_sorted_and_each_is_in_one_batch(events: list[Any]) -> None:
    cut = list(batches(events))
    joined = list(chain.from_iterable(cut))
    assert joined == sorted(events, key=lambda event: (event.subject, event.sequence, event.time, event.id))
    assert all(cut)


@given(st.lists(incoming, max_size=60))
def test_no_incoming_batch_exceeds_what_one_transaction_should_hold(events: list[Any]) -> None:
    for batch in batches(events):
        assert len(batch) <= 7
        assert len({event.subject for event in batch}) <= 3


@given(st.lists(incoming, min_size=1, max_size=60))
def test_incoming_batches_are_as_few_as_their_order_allows(events: list[Any]) -> None:
    cut = list(batches(events))
    for batch, following in pairwise(cut):
        subjects = {event.subject for event in batch} | {following[0].subject}
        assert len(batch) == 7 or len(subjects) > 3


@dataclass(frozen=True)
class Claimed:
    """A row of the relay's claim."""

    event_id: UUID
    type: str
    lane: str
    body: str


claimed = st.builds(
    Claimed,
    event_id=st.uuids(),
    type=st.sampled_from(["maker.thing_made.v1", "maker.thing_lost.v1"]),
    lane=st.sampled_from(["live", "bulk"]),
    body=st.text(max_size=150).map(json.dumps),
)
rows_claimed = st.lists(claimed, max_size=60, unique_by=lambda row: row.event_id)


@given(rows_claimed)
def test_each_claimed_event_travels_in_one_message_of_its_type_and_lane(rows: list[Any]) -> None:
    sent = {
        event_id: (message.type, message.lane, item)
        for message in batched(rows)
        for event_id, item in zip(message.event_ids, json.loads(message.body), strict=True)
    }
    assert sent == {row.event_id: (row.type, row.lane, json.loads(row.body)) for row in rows}
    assert sum(len(message.event_ids) for message in batched(rows)) == len(rows)


@given(rows_claimed)
def test_no_message_exceeds_the_limits_unless_its_one_event_does(rows: list[Any]) -> None:
    for message in batched(rows):
        assert 1 <= len(message.event_ids) <= 5
        separators = len(message.event_ids) + 1
        assert len(message.body) - separators <= 100 or len(message.event_ids) == 1
