"""What is written is what is read, whoever writes, and however a request ends."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from chaos.journal import Journal, read_journal


@settings(deadline=None)  # a disk may be slow
@given(some.text(), some.binary(), some.integers(100, 599), some.none() | some.text())
def test_an_exchange_reads_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, key: str, body: bytes, status: int, answer_id: str | None
) -> None:
    path = tmp_path_factory.getbasetemp() / "exchange.jsonl"
    path.unlink(missing_ok=True)
    with Journal(path) as journal, journal.exchange(key, body) as exchange:
        exchange.answered(status, answer_id)
    asked, answered = read_journal(path)
    assert asked.key == answered.key == key
    assert asked.body_hash == answered.body_hash == hashlib.sha256(body).hexdigest()
    assert (asked.status, asked.answer_id) == (None, None)
    assert (answered.status, answered.answer_id) == (status, answer_id)
    assert asked.at <= answered.at


def test_a_failed_connection_is_filed_as_unknown_and_still_raises(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl") as journal:
        with pytest.raises(ConnectionResetError), journal.exchange("key", b""):
            raise ConnectionResetError
        with journal.exchange("other", b""):
            pass
    assert [entry.status for entry in read_journal(tmp_path / "journal.jsonl")] == [None, "unknown"] * 2


def test_a_request_is_on_file_before_it_is_answered(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl") as journal, journal.exchange("key", b""):
        assert [entry.key for entry in read_journal(tmp_path / "journal.jsonl")] == ["key"]


def test_threads_and_several_journals_share_a_file_without_mixing_lines(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as first, Journal(path) as second, ThreadPoolExecutor(8) as pool:

        def exchange(number: int) -> None:
            journal = first if number % 2 else second
            with journal.exchange(f"{number}" * 500, b"") as under_way:
                under_way.answered(201, str(number))

        list(pool.map(exchange, range(400)))
    answers = {entry.key: entry.answer_id for entry in read_journal(path) if entry.status == 201}
    assert answers == {f"{number}" * 500: str(number) for number in range(400)}
