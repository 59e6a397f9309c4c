"""Our events are CloudEvents 1.0, and only their owner can tell them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.clock import made_at
from shared.db import Tx
from shared.events import Event, Payload, payload_types
from shared.inbox.decode import Decoder
from shared.outbox.emit import LARGEST, EventTooLarge, ForeignEvent, emit
from shared.trace import tracing
from toy.events import ThingKept, ThingMade

NOW = datetime(2026, 11, 22, 10, 30, 0, 123456, tzinfo=UTC)
DECODER = Decoder([ThingMade], keep=timedelta(days=30))

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
ATTRIBUTE_NAME = re.compile(r"[a-z0-9]{1,20}")


def transaction(service: str = "maker") -> Tx:
    """One that collects events and is never executed."""
    return Tx(cast("Any", None), service, NOW, "live")


def told(payload: Payload | None = None, *, subject: str = "thing 1", **options: Any) -> dict[str, Any]:
    """The event as it is written."""
    tx = transaction()
    emit(tx, payload or ThingMade(amount=1), subject=subject, sequence=7, **options)
    event: dict[str, Any] = json.loads(tx.drafts[0].body)
    return event


def heard(*events: dict[str, Any]) -> list[Event[Any]]:
    decoded = DECODER.decode([json.dumps(events).encode()], NOW)
    assert decoded.poison == []
    return decoded.events


def test_it_has_the_attributes_that_cloudevents_requires() -> None:
    event = told()
    assert event["specversion"] == "1.0"
    assert event["source"] == "/aftercare/maker"  # a URI-reference, unique with the id
    assert event["type"] == "maker.thing_made.v1"
    assert UUID(event["id"]).version == 7
    assert event["data"] == {"amount": 1, "text": "", "fail": False}  # JSON in JSON, without datacontenttype


def test_every_attribute_has_a_name_and_a_value_that_cloudevents_allows() -> None:
    with tracing(None):
        event = told()
    for name, value in event.items():
        assert ATTRIBUTE_NAME.fullmatch(name)
        assert name == "data" or (isinstance(value, str) and value)
    assert RFC3339.fullmatch(event["time"])


def test_an_absent_attribute_is_left_out() -> None:
    assert "traceparent" not in told()


def test_sequence_is_a_string_that_sorts_as_the_number_does() -> None:
    assert told()["sequence"] == "0000000007"
    assert heard(told())[0].version == 7


def test_its_trace_is_that_of_the_request_or_of_the_event_that_caused_it() -> None:
    with tracing(None) as here:
        [cause] = heard(told())
        assert cause.traceparent == here
    with tracing(None) as elsewhere:
        assert told()["traceparent"] == elsewhere
        assert told(cause=cause)["traceparent"] == here


def test_its_time_is_when_its_transaction_began_unless_it_happened_at_another() -> None:
    earlier = datetime(2026, 11, 21, 8, tzinfo=timezone(timedelta(hours=8)))
    assert heard(told())[0].time == NOW
    assert heard(told(time=earlier))[0].time == earlier


def test_its_id_tells_when_its_transaction_began_and_rises_within_it() -> None:
    tx = transaction()
    ids = [emit(tx, ThingMade(amount=each), subject="thing 1", sequence=each) for each in range(500)]
    assert ids == sorted(set(ids))
    assert ids == [draft.id for draft in tx.drafts]
    assert NOW - made_at(ids[0]) < timedelta(milliseconds=1)


@given(amount=st.integers(), text=st.text(max_size=200), subject=st.text(min_size=1, max_size=200))
def test_what_is_heard_is_what_was_told(amount: int, text: str, subject: str) -> None:
    if "\0" in subject:
        subject = subject.replace("\0", "0")
    [event] = heard(told(ThingMade(amount=amount, text=text), subject=subject))
    assert (event.data, event.subject) == (ThingMade(amount=amount, text=text), subject)


@pytest.mark.parametrize("subject", ["", "x" * 201, "a\0b"])
def test_a_subject_that_listeners_could_not_store_is_refused(subject: str) -> None:
    with pytest.raises(ValidationError, match="subject"):
        told(subject=subject)


def test_only_its_owner_tells_an_event() -> None:
    with pytest.raises(ForeignEvent, match="maker may not publish"):
        told(ThingKept(total=1))


def test_an_event_that_no_message_should_carry_is_refused() -> None:
    fits = LARGEST - len(json.dumps(told(), separators=(",", ":"), ensure_ascii=False))
    told(ThingMade(amount=1, text="x" * fits))
    with pytest.raises(EventTooLarge, match=f"has {LARGEST + 1} bytes"):
        told(ThingMade(amount=1, text="x" * (fits + 1)))


@pytest.mark.parametrize("type", ["thing_made", "maker.thing_made", "maker.ThingMade.v1", "maker.made.v0"])
def test_a_type_names_its_owner_and_its_version(type: str) -> None:
    with pytest.raises(TypeError, match=r"must look like owner\.past_tense\.v1"):
        type_of_event(type)


def test_a_type_belongs_to_one_payload() -> None:
    with pytest.raises(TypeError, match="already the type of ThingMade"):
        type_of_event("maker.thing_made.v1")
    assert payload_types()["maker.thing_made.v1"] is ThingMade


def type_of_event(name: str) -> type[Payload]:
    class Another(Payload):
        type = name

    return Another
