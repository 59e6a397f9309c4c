"""Events only gain optional fields: what was ever published still decodes."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from contracts.samples import FOLDER, file_of, missing, sample
from shared.events import Payload, payload_types
from shared.events.envelope import event_model
from shared.events.intake import RequestRegistered
from shared.events.language import OWNERS


def test_every_published_event_keeps_a_sample() -> None:
    assert missing() == [], "run `make map`: an event type has no sample yet"


def kept(published: Any, decoded: Any) -> bool:
    """Whether all that was published is still there; newer optional fields may stand beside it."""
    if isinstance(published, dict):
        return all(name in decoded and kept(each, decoded[name]) for name, each in published.items())
    if isinstance(published, list):
        return len(published) == len(decoded) and all(map(kept, published, decoded))
    return bool(published == decoded)


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.json")))
def test_what_was_ever_published_still_decodes(name: str) -> None:
    published = json.loads((FOLDER / f"{name}.json").read_text())
    event = event_model(payload_types()[name]).model_validate(published)
    assert kept(published, json.loads(event.model_dump_json()))
    assert event.type == name


@pytest.mark.parametrize("payload", [each for each in payload_types().values() if each.owner() in OWNERS])
def test_a_reader_passes_over_fields_it_does_not_know(payload: type[Payload]) -> None:
    newer = sample(payload)
    newer["data"]["a_field_of_next_year"] = 1
    newer["an_extension"] = "x"
    assert (
        event_model(payload).model_validate(newer).data
        == event_model(payload).model_validate(sample(payload)).data
    )


def test_a_field_that_became_required_would_be_noticed() -> None:
    older = json.loads(file_of(RequestRegistered).read_text())
    del older["data"]["severity"]
    with pytest.raises(ValidationError):
        event_model(RequestRegistered).model_validate(older)


def test_no_event_has_a_place_for_contact_data() -> None:
    telling = {"name", "phone", "mobile", "email", "mail", "address", "street", "openid"}
    for payload in payload_types().values():
        if payload.owner() in OWNERS:
            assert not telling & set(payload.model_fields), payload.type


@pytest.mark.parametrize("payload", [each for each in payload_types().values() if each.owner() in OWNERS])
def test_what_may_be_nothing_may_be_left_out(payload: type[Payload]) -> None:
    """Events are written without what is null: a reader that needs the field would never understand one."""
    for name, field in payload.model_fields.items():
        assert not (field.is_required() and type(None) in get_args(field.annotation)), name
