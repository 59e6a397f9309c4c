"""Bytes become events or poison, each alone, and nothing that can be sent makes the decoder fail."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import uuid7s
from shared.inbox.decode import LARGEST_MESSAGE, Decoded, Decoder, extract
from toy.events import ThingIgnored, ThingMade

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
KEEP = timedelta(days=120)
ONE_TYPE = Decoder([ThingMade], KEEP)
TWO_TYPES = Decoder([ThingMade, ThingIgnored], KEEP)


def identifier(instant: datetime = NOW) -> str:
    return str(next(uuid7s(instant)))


def event(**changes: Any) -> dict[str, Any]:
    sound = {
        "specversion": "1.0",
        "id": identifier(),
        "source": "/aftercare/maker",
        "type": "maker.thing_made.v1",
        "subject": "thing 1",
        "sequence": "0000000001",
        "time": "2026-11-22T10:30:00Z",
        "data": {"amount": 1},
    }
    return sound | changes


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in event().items() if key != name}


def decode(*items: Any, decoder: Decoder = TWO_TYPES) -> Decoded:
    return decoder.decode([json.dumps(items).encode()], NOW)


WRONG: dict[str, Any] = {
    "a number": 42,
    "nothing": None,
    "a list": [],
    "no attributes": {},
    "an unknown type": event(type="maker.thing_lost.v1"),
    "an unknown version": event(type="maker.thing_made.v2"),
    "no type": without("type"),
    "a type that is no text": event(type=["maker.thing_made.v1"]),
    "no id": without("id"),
    "a random id": event(id="0b1f1c3e-6a54-4f0e-9a51-2f0c7e6f3d11"),
    "an id that is a number": event(id=7),
    "another CloudEvents": event(specversion="0.3"),
    "no source": without("source"),
    "no subject": without("subject"),
    "an empty subject": event(subject=""),
    "a subject with U+0000": event(subject="a\0b"),
    "a sequence without zeroes": event(sequence="1"),
    "a sequence with a line break": event(sequence="0000000001\n"),
    "a sequence that is a number": event(sequence=1),
    "no time": without("time"),
    "a time without zone": event(time="2026-11-22T10:30:00"),
    "no data": without("data"),
    "data without a field": event(data={}),
    "data of another kind": event(data={"amount": "many"}),
}


@pytest.mark.parametrize("decoder", [ONE_TYPE, TWO_TYPES], ids=["one type", "two types"])
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_no_event_is_set_aside_and_its_neighbours_are_not(wrong: Any, decoder: Decoder) -> None:
    before, after = event(), event()
    decoded = decode(before, wrong, after, decoder=decoder)
    assert [str(each.id) for each in decoded.events] == [before["id"], after["id"]]
    [poison] = decoded.poison
    assert poison.reason == "not a known event"
    assert json.loads(poison.body) == [wrong]


def test_the_explanation_says_where_and_never_what() -> None:
    [poison] = decode(event(data={"amount": "Zhang San"})).poison
    assert poison.error == "/maker.thing_made.v1/data/amount: int_parsing"


def test_an_event_outside_of_a_batch_is_taken_for_a_batch_of_one() -> None:
    assert len(ONE_TYPE.decode([json.dumps(event()).encode()], NOW).events) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[1,", b"\xff\xfe", b"[] []", b"[" * 5000])
def test_what_is_not_json_is_set_aside_whole(body: bytes) -> None:
    [poison] = ONE_TYPE.decode([body], NOW).poison
    assert (poison.reason, poison.body) == ("not JSON", body)


def test_what_is_too_large_is_not_even_read() -> None:
    body = json.dumps([event(note="x" * LARGEST_MESSAGE)]).encode()
    [poison] = ONE_TYPE.decode([body], NOW).poison
    assert (poison.reason, poison.body) == ("too large", body)


@pytest.mark.parametrize(
    ("age", "reason"),
    [
        (KEEP + timedelta(seconds=1), "too old"),
        (KEEP - timedelta(seconds=1), None),
        (timedelta(hours=-23), None),
        (timedelta(hours=-25), "from the future"),
    ],
)
def test_what_the_inbox_could_not_tell_from_a_copy_is_set_aside(age: timedelta, reason: str | None) -> None:
    aged = event(id=identifier(NOW - age), extra="kept")
    decoded = decode(event(), aged)
    assert [poison.reason for poison in decoded.poison] == ([reason] if reason else [])
    assert len(decoded.events) == (1 if reason else 2)
    if reason:
        assert json.loads(decoded.poison[0].body) == [aged]


def test_an_id_after_the_year_9999_is_from_the_future() -> None:
    decoded = decode(event(), event(id="ffffffff-ffff-7fff-bfff-ffffffffffff"))
    assert ([each.reason for each in decoded.poison], len(decoded.events)) == (["from the future"], 1)


def spellings(plain: str) -> list[str]:
    return [plain, plain.upper(), plain.replace("-", ""), f"urn:uuid:{plain}", f"{{{plain}}}"]


@pytest.mark.parametrize("spelling", range(5))
def test_an_event_is_found_in_its_message_however_its_id_is_spelled(spelling: int) -> None:
    spelled = spellings(identifier())[spelling]
    wanted = event(id=spelled, extra={"kept": [1, None]})
    body = json.dumps([event(), wanted, event()]).encode()
    assert json.loads(extract(body, UUID(spelled))) == [wanted]


@given(st.lists(st.binary(max_size=60), max_size=3))
def test_no_bytes_make_it_fail(bodies: list[bytes]) -> None:
    decoded = TWO_TYPES.decode(bodies, NOW)
    assert decoded.events == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
changes = st.dictionaries(st.sampled_from([*event(), "other"]), json_values, max_size=3)


@given(st.lists(changes, max_size=4), json_values)
def test_every_item_of_a_message_becomes_an_event_or_poison(several: list[dict[str, Any]], odd: Any) -> None:
    decoded = decode(
        *(
            event(id=identifier(NOW + timedelta(seconds=n)), **each) if "id" not in each else event(**each)
            for n, each in enumerate(several)
        ),
        odd,
    )
    assert len(decoded.events) + len(decoded.poison) == len(several) + 1
    for each in decoded.events:
        again = TWO_TYPES.decode([extract(decoded.sources[each.id], each.id)], NOW)
        assert again.events == [each]
