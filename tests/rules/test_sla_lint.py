"""The linter finds whatever is wrong with a policy, and finds nothing wrong with the one that ships."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sla_monitor
from shared.i18n.catalogues import load
from sla_monitor.calendars.chinese import WEEK, ZONE
from sla_monitor.calendars.rules import Calendar, window
from sla_monitor.clocks.consumers import READ
from sla_monitor.policies.lint import Finding, lint, say
from sla_monitor.policies.lint.finding import SENTENCES
from sla_monitor.policies.rules import Policy
from sla_monitor.policies.shipped import SHIPPED
from sla_monitor.policies.vocabulary import vocabulary

HERE = Path(sla_monitor.__file__).parent
WORDS = vocabulary(READ)
NOW = datetime(2026, 11, 20, tzinfo=UTC)
CN = Calendar(ZONE, WEEK)
ARRIVED = "dispatch.engineer_arrived"

Body = dict[str, Any]


def found(body: Body, **calendars: Calendar) -> tuple[Finding, ...]:
    return lint(Policy.model_validate(body), WORDS, {"cn": CN, **calendars}, NOW)


def shipped() -> Body:
    return copy.deepcopy(SHIPPED.model_dump(mode="json"))


def test_nothing_is_wrong_with_the_policy_that_ships() -> None:
    assert found(shipped()) == ()


def test_nor_with_it_when_everything_is_switched_on() -> None:
    body = shipped()
    for promise in body["promises"]:
        promise["enabled"] = True
    assert found(body) == ()


def test_what_a_pause_waits_for_is_something_that_is_told() -> None:
    for when, code in (({"waiting_for": ["weather"]}, "impossible_value"), ({"mood": ["x"]}, "unknown_fact")):
        body = shipped()
        promise = next(each for each in body["promises"] if each["code"] == "on_site")
        promise["pauses"][2]["when"] = when
        [finding] = found(body)
        assert (finding.code, finding.path[-2]) == (code, "when")


# Each way of spoiling a promise: what is found then, at which level, and of which part of it.

Spoil = Callable[[Body], Any]


def _foreign(promise: Body) -> str:
    return "intake.call_rang" if promise["about"] != "call" else ARRIVED


def _waiting(**events: list[str]) -> Body:
    return {"kind": "waiting", "reason": "x", "begins": ["dispatch.owner_changed"], "ends": [], **events}


def _pausing_from(name: str) -> Spoil:
    return lambda promise: promise.update(pauses=[_waiting(begins=promise[name])])


def _wall(length: str) -> Body:
    return {"kind": "wall", "length": length, "requirement": "R50"}


def _targeting(**target: Any) -> Spoil:
    return lambda promise: promise["cases"][0].update(target=target)


SPOILED: list[tuple[str, str, str, Spoil]] = [
    ("unknown_event", "error", "stops/0", lambda p: p["stops"].insert(0, "dispatch.engineer_arived")),
    ("unheard_event", "error", "stops/0", lambda p: p["stops"].insert(0, "sla.clock_met")),
    ("event_of_another_subject", "error", "starts/0", lambda p: p["starts"].insert(0, _foreign(p))),
    ("never_starts", "error", "starts", lambda p: p.update(unless=p["starts"])),
    ("never_starts", "error", "starts", lambda p: p.update(starts=[_foreign(p)])),
    ("never_stops", "error", "stops", lambda p: p.update(stops=["sla.clock_met"])),
    ("never_stops", "error", "stops", lambda p: p.update(per="start", stops=p["starts"], cancels=[])),
    ("stops_with_its_start", "error", "stops", lambda p: p.update(per="episode", stops=p["starts"])),
    ("keeps_and_cancels", "warning", "cancels/0", lambda p: p.update(cancels=[p["stops"][0]])),
    ("pause_never_ends", "error", "pauses/0/ends", lambda p: p.update(pauses=[_waiting()])),
    ("pause_never_ends", "error", "pauses/0/ends", lambda p: p.update(pauses=[_waiting(ends=p["stops"])])),
    ("pause_begins_with_start", "error", "pauses/0", _pausing_from("starts")),
    ("pause_after_the_end", "warning", "pauses/0", _pausing_from("stops")),
    ("promises_nothing", "error", "cases/0/target", _targeting(kind="by_hours")),
    ("unknown_fact", "error", "cases/0/when/colour", lambda p: p["cases"][0]["when"].update(colour=["red"])),
    ("unreachable_case", "error", "cases/1", lambda p: p["cases"].insert(0, {**p["cases"][0], "when": {}})),
    ("nobody_is_told", "warning", "ladder", lambda p: p["ladder"].clear()),
    (
        "carry_of_nothing", "warning", "cases/0/target/carry",
        _targeting(kind="by_hours", carry=True, out_of_hours=_wall("PT1H")),
    ),
    (
        "unknown_fact", "error", "cases/0/target/fact",
        _targeting(kind="appointed", fact="full_moon", requirement="R58"),
    ),
    (
        "unreachable_target", "error", "cases/0/target",
        _targeting(kind="working", length="P364D", requirement="R60"),  # 8,736 h; a year has 2,000
    ),
    (
        "unreachable_step", "warning", "ladder/1",
        lambda p: (
            p["cases"].insert(0, {"when": {}, "target": _wall("PT2S")}),
            p.update(ladder=[{"at": share, "tell": ["owner"]} for share in (75, 76, 100)]),
        ),
    ),
]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_whatever_is_spoiled_in_whichever_promise_is_found(data: st.DataObject) -> None:
    body = shipped()
    number = data.draw(st.integers(0, len(body["promises"]) - 1))
    code, level, part, spoil = data.draw(st.sampled_from(SPOILED))
    spoil(body["promises"][number])
    path = "/".join(("promises", str(number), part))
    every = {(each.code, each.level, "/".join(map(str, each.path))) for each in found(body)}
    assert (code, level, path) in every


@pytest.mark.parametrize("about", ["ticket", "request", "call"])
def test_a_value_that_a_fact_never_has_is_found(about: str) -> None:
    body = shipped()
    number = next(n for n, each in enumerate(body["promises"]) if each["about"] == about)
    if about == "call":
        body["promises"][number]["cases"][0]["when"] = {"severity": ["urgent"]}  # nobody grades a call
        assert "unknown_fact" in {each.code for each in found(body)}
    else:
        body["promises"][number]["cases"][0]["when"] = {"severity": ["critical"]}
        assert "impossible_value" in {each.code for each in found(body)}


# The policy as a whole.


def test_a_promise_that_says_what_another_says_is_found() -> None:
    body = shipped()
    body["promises"].append({**body["promises"][4], "code": "again"})
    (finding,) = found(body)
    assert (finding.code, finding.level, finding.facts["other"]) == ("overlap", "warning", "on_site")
    body["promises"][-1]["enabled"] = False
    assert found(body) == ()


def test_what_nothing_is_promised_to_is_found() -> None:
    body = shipped()
    for promise in body["promises"]:
        promise["enabled"] = promise["code"] in ("first_reply", "on_site", "visit_agreed", "appointment_kept")
    on_site = next(each for each in body["promises"] if each["code"] == "on_site")
    on_site["cases"] = on_site["cases"][1:]  # urgent, same city
    told = {say(each)[0] for each in found(body)}
    assert told == {
        "Nothing at all is promised to a phone call.",
        "Nothing is promised to a ticket with severity urgent, same_city True.",
    }


def test_what_is_left_out_on_purpose_is_not_missed() -> None:
    body = shipped() | {"exempt": []}
    assert [say(each)[0] for each in found(body)] == ["Nothing is promised to a request with channel phone."]


def test_who_is_left_out_on_purpose_must_exist() -> None:
    body = shipped()
    body["exempt"].append({"about": "request", "when": {"channel": ["pigeon"]}, "reason": "none_left"})
    (finding,) = found(body)
    assert (finding.code, finding.path) == ("impossible_value", ("exempt", 1, "when", "channel"))


def test_a_calendar_must_be_known_and_open() -> None:
    body = shipped() | {"calendar": "mars", "regional": {"east": "closed"}}
    shut = Calendar(ZONE, WEEK, {date(2026, 1, 1) + timedelta(days=n): () for n in range(800)})
    assert [(each.code, each.path) for each in found(body, closed=shut)] == [
        ("unknown_calendar", ("calendar",)),
        ("never_open", ("regional", "east")),
    ]


def test_working_time_is_asked_of_every_calendar_that_counts() -> None:
    body = shipped() | {"regional": {"east": "small"}}
    target = {"kind": "working", "length": "P30D", "requirement": "R60"}
    body["promises"][0]["cases"] = [{"when": {}, "target": target}]
    small = Calendar(ZONE, ((window(time(9), time(10)),), *((),) * 6))  # 52 h a year
    (finding,) = found(body, small=small)
    assert (finding.code, finding.facts["calendar"]) == ("unreachable_target", "small")


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_every_finding_can_be_said_in_both_languages(code: str) -> None:
    chinese = load(HERE, "zh-CN").gettext
    for english in SENTENCES[code]:
        assert chinese(english) != english
        assert set(_names(chinese(english))) == set(_names(english))


def _names(sentence: str) -> list[str]:
    return [part.split("}")[0] for part in sentence.split("{")[1:]]


def test_every_code_is_found_by_some_test_here() -> None:
    policy_wide = {"overlap", "uncovered", "uncovered_altogether", "unknown_calendar", "never_open"}
    assert {code for code, *_ in SPOILED} | policy_wide | {"impossible_value"} == set(SENTENCES)
