"""Histories from files: what fits is read, what does not is named with its line, and nothing crashes."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.events.intake import HistoryFacts, history_subject
from sla_monitor.replay.mapping import Mapping, parse
from sla_monitor.replay.reading import LONGEST_LINE, BadRow, Reader, Ticket, Unreadable, recorded

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PLAIN: dict[str, Any] = {
    "source": "desk",
    "ticket": "id",
    "zone": "Asia/Shanghai",
    "formats": ["%Y-%m-%d %H:%M", "iso"],
    "facts": {"severity": {"column": "grade", "values": {"1": "urgent", "2": "general"}}},
    "events": [
        {"kind": "dispatch.ticket_assigned", "at": "assigned"},
        {"kind": "dispatch.engineer_arrived", "at": "arrived"},
    ],
}
HEAD = b"id,grade,assigned,arrived\n"
GOOD = b"A,1,2026-03-02 09:00,2026-03-02 10:30\n"


def read(content: bytes, **changes: Any) -> tuple[list[Ticket], list[BadRow]]:
    bad: list[BadRow] = []
    mapping = Mapping.model_validate(PLAIN | changes)
    return list(Reader(io.BytesIO(content), mapping, bad.append)), bad


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def test_a_row_becomes_a_history() -> None:
    [ticket], bad = read(HEAD + GOOD)
    assert bad == []
    assert (ticket.name, ticket.line) == ("A", 2)
    facts = HistoryFacts(severity="urgent")
    assert ticket.happenings == (
        ("dispatch.ticket_assigned", at(2, 1), facts),  # 09:00 in Shanghai
        ("dispatch.engineer_arrived", at(2, 2, 30), facts),
    )


def test_an_instant_with_a_zone_of_its_own_keeps_it() -> None:
    [ticket], _ = read(HEAD + b"A,1,2026-03-02T09:00:00+01:00,\n")
    assert [each.at for each in ticket.happenings] == [at(2, 8)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"A,1,2026-03-02 09:00\n", "3 fields where the header has 4"),
        (b"A,1,2026-03-02 09:00,x,y\n", "5 fields where the header has 4"),
        (b",1,2026-03-02 09:00,\n", "id is empty"),
        (b"A,1,02.03.2026,\n", "assigned is '02.03.2026', which is no instant of 1970 to 2199 like"),
        (b"A,1,2026-02-30 09:00,\n", "assigned is '2026-02-30 09:00', which is no instant"),
        (b"A,1,0001-01-01 00:00,\n", "which is no instant of 1970 to 2199"),
        (b"A,1,9999-12-31T23:59:59-12:00,\n", "which is no instant of 1970 to 2199"),
        (b"A,7,2026-03-02 09:00,\n", "grade is '7', which the mapping does not name; it has '1', '2'"),
        (b"A\xff,1,2026-03-02 09:00,\n", "not utf-8 at byte 2 of the line"),
        (b"A\x00,1,2026-03-02 09:00,\n", "the line holds a NUL character"),
        (b'A,"1"x,2026-03-02 09:00,\n', "not CSV: ',' expected after '\"'"),
        (b"A\x07,1,2026-03-02 09:00,\n", "'A\\x07' is no name of a ticket"),
        (b"A" * 101 + b",1,2026-03-02 09:00,\n", "is no name of a ticket: at most 100 characters"),
        (b"x" * (LONGEST_LINE + 10) + b"\n", f"the line is longer than {LONGEST_LINE} bytes"),
        (b"A," + b"x" * 200_000 + b",,\n", "not CSV: field larger than field limit"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_read_is_named_and_the_next_one_read(row: bytes, reason: str) -> None:
    tickets, [bad] = read(HEAD + row + GOOD.replace(b"A", b"B"))
    assert [each.name for each in tickets] == ["B"]
    assert bad.line == 2
    assert reason in bad.reason
    assert len(bad.reason) < 250  # it repeats no more than the beginning of a value


def test_a_quote_that_is_never_closed_costs_only_its_own_row() -> None:
    """A quoted field may run over lines, so what follows is lost until the next quote: and is said so."""
    tickets, [bad] = read(HEAD + b'A,"1,2026-03-02 09:00,\n' + GOOD.replace(b"A", b"B"))
    assert (tickets, bad.line) == ([], 2)
    assert "not CSV: unexpected end of data" in bad.reason


def test_a_field_may_hold_a_line_break_and_lines_are_still_counted() -> None:
    tickets, [bad] = read(HEAD + b'"A",1,"2026-03-02 09:00\n",\nB,9,,\n')
    assert ([each.name for each in tickets], bad.line) == (["A"], 4)


def test_a_gigabyte_without_a_line_break_is_never_held() -> None:
    class Endless(io.RawIOBase):
        left = 1_000_000_000

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            if Endless.left <= 0:
                return 0
            count = min(len(buffer), Endless.left)
            Endless.left -= count
            buffer[:count] = bytes(count)  # as a file with a hole has
            return count

    bad: list[BadRow] = []
    stream = io.BufferedReader(Endless(), buffer_size=1 << 20)
    tracemalloc.start()
    reader = Reader(stream, Mapping.model_validate(PLAIN), bad.append)
    with pytest.raises(Unreadable, match="no header"):
        list(reader)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()
    assert [each.reason for each in bad] == [f"the line is longer than {LONGEST_LINE} bytes"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file has no header"),
        (b"\xff\xfe\x00\x00", "the file has no header"),
        (b"id,grade\nA,1\n", "the file has no column assigned, arrived; it has 'id', 'grade'"),
        (b"id,grade,assigned,arrived,id\n", "the column id stands twice in the header"),
        (b'id,"grade"x,assigned\n', "the header is not CSV"),
    ],
)
def test_a_file_that_does_not_fit_its_mapping_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(content)


def test_a_byte_order_mark_and_another_charset_are_read() -> None:
    assert len(read(b"\xef\xbb\xbf" + HEAD + GOOD)[0]) == 1
    chinese = HEAD + "工单1,1,2026-03-02 09:00,\n".encode("gb18030")
    [ticket], _ = read(chinese, encoding="gb18030")
    assert ticket.name == "工单1"


def test_a_ticket_that_stands_twice_is_named() -> None:
    tickets, [bad] = read(HEAD + GOOD + GOOD)
    assert (len(tickets), bad.line, bad.reason) == (1, 3, "ticket 'A' stands in an earlier row, too")


def test_a_ticket_to_which_nothing_happened_is_none() -> None:
    assert read(HEAD + b"A,1,,\n") == ([], [])


@given(st.binary(max_size=400))
def test_no_bytes_make_it_crash(noise: bytes) -> None:
    read(HEAD + noise + b"\n" + GOOD)
    with suppress(Unreadable):
        read(noise)


@given(st.lists(st.lists(st.text(max_size=8), min_size=4, max_size=4), max_size=5))
def test_no_text_makes_it_crash(rows: list[list[str]]) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["id", "grade", "assigned", "arrived"], *rows])
    read(out.getvalue().encode("utf-8", "replace"))


# Rows of changes.

CHANGES: dict[str, Any] = {
    "rows": "changes",
    "order": "step",
    "facts": {"team": {"column": "team"}},
    "events": [
        {"kind": "dispatch.ticket_opened", "at": "opened"},
        {"kind": "dispatch.ticket_assigned", "at": "at", "when": {"column": "team", "changes": True}},
        {"kind": "dispatch.ticket_paused", "at": "at", "when": {"column": "state", "becomes": ["waits"]}},
        {"kind": "dispatch.ticket_resumed", "at": "at", "when": {"column": "state", "leaves": ["waits"]}},
        {
            "kind": "dispatch.result_rejected",
            "at": "at",
            "when": {"column": "state", "leaves": ["done"], "becomes": ["open", "waits"]},
        },
    ],
}
LOG = b"""id,step,opened,at,team,state
A,2,2026-03-02 09:00,2026-03-02 11:00,Pumps,waits
B,1,2026-03-02 09:00,2026-03-02 09:00,,open
A,1,2026-03-02 09:00,2026-03-02 10:00,Pumps,open
A,3,2026-03-02 09:00,2026-03-02 12:00,Cooling,open
A,4,2026-03-02 09:00,2026-03-02 13:00,Cooling,done
A,5,2026-03-02 09:00,2026-03-02 14:00,Cooling,closed
A,6,2026-03-02 09:00,2026-03-02 15:00,Cooling,done
A,7,2026-03-02 09:00,2026-03-02 16:00,Cooling,waits
"""


def test_changes_become_events_in_their_order_wherever_they_stand() -> None:
    (a, b), bad = read(LOG, **CHANGES)
    assert bad == []
    told = [(each.kind.partition(".")[2], each.at.hour, each.facts.team) for each in a.happenings]
    assert told == [
        ("ticket_opened", 1, "Pumps"),
        ("ticket_assigned", 2, "Pumps"),
        ("ticket_paused", 3, "Pumps"),
        ("ticket_assigned", 4, "Cooling"),
        ("ticket_resumed", 4, "Cooling"),
        ("ticket_paused", 8, "Cooling"),
        ("result_rejected", 8, "Cooling"),
    ]
    assert [each.kind for each in b.happenings] == ["dispatch.ticket_opened"]


def test_a_bad_change_costs_only_itself() -> None:
    tickets, [bad] = read(LOG.replace(b"A,3,2026-03-02 09:00", b"A,3,soon"), **CHANGES)
    assert ("opened is 'soon'" in bad.reason, bad.line) == (True, 5)
    moved = [each for each in tickets[0].happenings if each.facts.team == "Cooling"]
    assert (moved[0].kind, moved[0].at) == ("dispatch.ticket_assigned", at(2, 5))  # a row later: 13:00
    _, [unordered] = read(LOG.replace(b"A,3,", b"A,third,"), **CHANGES)
    assert unordered.reason == "step is 'third', neither a number nor an instant"


def test_a_ticket_with_too_many_events_is_named() -> None:
    row = "A,{0},2026-03-02 09:00,2026-03-02 {1:02}:{2:02},T{0},open\n"
    rows = "".join(row.format(n, n // 60, n % 60) for n in range(600)).encode()
    tickets, [bad] = read(LOG.partition(b"\n")[0] + b"\n" + rows, **CHANGES)
    assert (tickets, bad.reason) == ([], "ticket 'A' has over 500 events")


def test_the_same_ticket_of_the_same_source_is_the_same_subject() -> None:
    [ticket], _ = read(HEAD + GOOD)
    assert recorded("desk", ticket).id == history_subject("desk", "A")
    assert history_subject("desk", "A") != history_subject("other", "A")


# Mappings.


@pytest.mark.parametrize("name", ["incident-log.toml", "tickets.toml"])
def test_the_examples_are_mappings(name: str) -> None:
    mapping = parse((EXAMPLES / name).read_text())
    assert parse(mapping.model_dump_json()) == mapping  # JSON says the same


def test_the_sample_is_read_without_a_bad_row() -> None:
    bad: list[BadRow] = []
    mapping = parse((EXAMPLES / "tickets.toml").read_text())
    with (EXAMPLES / "tickets.csv").open("rb") as file:
        tickets = list(Reader(file, mapping, bad.append))
    assert (len(tickets), bad) == (6, [])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"zone": "../../etc/passwd"}, "zone"),
        ({"formats": ["%Q"]}, "format"),
        ({"order": "id"}, "order"),
        ({"facts": {"severity": {"column": "x", "values": {"1": "dire"}}}}, "literal_error"),
        ({"facts": {"severity": {}}}, "fact_source"),
        ({"facts": {"phone": {"column": "x"}}}, "literal_error"),
        ({"events": []}, "too_short"),
        ({"events": [{"kind": "Arrived", "at": "x"}]}, "string_pattern_mismatch"),
        ({"events": [{"kind": "a.b", "at": "x", "when": {"column": "y"}}]}, "condition"),
        ({"encoding": "utf-16"}, "literal_error"),
        ({"nonsense": 1}, "extra_forbidden"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        parse(json.dumps(PLAIN | changes))
    assert code in {each["type"] for each in refused.value.errors()}
