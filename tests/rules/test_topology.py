"""Who listens to what, as data."""

from __future__ import annotations

from pathlib import Path

from allinone.services import SERVICES, topology
from shared.bus.topology import FILE, Topology

CONSUMED = {
    "sla": ["intake.request_registered.v1", "dispatch.ticket_closed.v1"],
    "dispatch": ["intake.request_registered.v1"],
    "intake": ["dispatch.ticket_closed.v1"],
    "parts": [],
}
SMALL = Topology.of(CONSUMED)


def test_the_written_topology_is_that_of_the_services() -> None:
    assert FILE.read_text() == topology().dump(), "run `make map`"


def test_every_event_that_somebody_waits_for_has_an_owner_among_the_services() -> None:
    names = {service.name for service in SERVICES}
    assert {type.partition(".")[0] for type in topology().listeners} <= names


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "topology.json"
    file.write_text(SMALL.dump())
    assert Topology.load(file) == SMALL


def test_a_producer_knows_what_is_waited_for_and_by_whom() -> None:
    assert SMALL.listened_from("intake") == {"intake.request_registered.v1"}
    assert SMALL.services_listening_to("intake") == {"sla", "dispatch"}
    assert SMALL.services_listening_to("dispatch") == {"sla", "intake"}
    assert SMALL.listened_from("parts") == SMALL.services_listening_to("parts") == set()


def test_a_name_that_begins_like_another_is_another() -> None:
    alike = Topology.of({"sla": ["part.made.v1", "parts.made.v1"]})
    assert alike.listened_from("part") == {"part.made.v1"}


def test_a_consumer_knows_its_types_and_a_service_without_any_has_no_queues() -> None:
    assert SMALL.types_for("sla") == ["dispatch.ticket_closed.v1", "intake.request_registered.v1"]
    assert SMALL.types_for("parts") == []
    assert SMALL.consuming_services() == ["dispatch", "intake", "sla"]
