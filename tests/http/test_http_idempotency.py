"""The same request twice has one effect and one answer."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from shared.clock import clock
from shared.http.idempotency import forget_answers

if TYPE_CHECKING:
    from doors import Toy

PUMP = {"name": "pump", "quantity": 2}


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


async def test_a_repeated_request_gets_the_first_answer_and_changes_nothing(toy: Toy) -> None:
    async with toy.client() as client:
        first = await client.post("/toy/things", json=PUMP, headers=keyed('"abc"'))
        second = await client.post("/toy/things", json=PUMP, headers=keyed('"abc"'))
    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    for name in ("content-type", "location"):
        assert first.headers[name] == second.headers[name]
    assert toy.moments.attempts == ["add"]
    assert await toy.count("event_log") == 1


async def test_without_a_key_every_request_is_a_new_one(toy: Toy) -> None:
    async with toy.client() as client:
        await client.post("/toy/things", json={"name": "one"})
        await client.post("/toy/things", json={"name": "two"})
    assert await toy.names() == ["one", "two"]
    assert await toy.count("idempotency") == 0


async def test_a_route_that_requires_a_key_says_so(toy: Toy) -> None:
    async with toy.client() as client:
        answer = await client.post("/toy/sure-things", json=PUMP)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/idempotency-key-missing")
        assert (await client.post("/toy/sure-things", json=PUMP, headers=keyed("k"))).status_code == 201


@pytest.mark.parametrize(
    "key",
    [
        *("", '""', '"' + "x" * 256 + '"', "x" * 256, '"open', 'a"b', "two words", '"tab\there"', "ключ"),
        *('" "', '"   "', '"ключ"', "a,b", '"a", "b"', '"bad \\escape"', "a;b=1", '"a";b=1'),
    ],
)
async def test_a_malformed_key_is_refused(toy: Toy, key: str) -> None:
    async with toy.client() as client:
        headers = [("Idempotency-Key", key.encode())]
        answer = await client.post("/toy/things", json=PUMP, headers=headers)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/idempotency-key-malformed")
    assert await toy.names() == []


async def test_two_keys_are_no_key(toy: Toy) -> None:
    async with toy.client() as client:
        headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "a")]
        assert (await client.post("/toy/things", json=PUMP, headers=headers)).status_code == 400


@pytest.mark.parametrize("key", ["x" * 255, '"' + "x" * 255 + '"', '"with space"', "018f-uuid:like/key_1"])
async def test_a_key_of_up_to_255_characters_is_accepted_quoted_or_bare(toy: Toy, key: str) -> None:
    async with toy.client() as client:
        assert (await client.post("/toy/things", json=PUMP, headers=keyed(key))).status_code == 201


async def test_quoted_and_bare_are_the_same_key(toy: Toy) -> None:
    async with toy.client() as client:
        await client.post("/toy/things", json=PUMP, headers=keyed('"abc"'))
        second = await client.post("/toy/things", json=PUMP, headers=keyed("abc"))
    assert second.headers["Idempotent-Replayed"] == "true"


async def test_the_same_key_with_another_body_is_refused(toy: Toy) -> None:
    async with toy.client() as client:
        await client.post("/toy/things", json=PUMP, headers=keyed("abc"))
        answer = await client.post("/toy/things", json=PUMP | {"quantity": 3}, headers=keyed("abc"))
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert await toy.names() == ["pump"]


async def test_spacing_and_order_of_members_do_not_make_another_body(toy: Toy) -> None:
    async with toy.client() as client:
        json = {"Content-Type": "application/json", **keyed("abc")}
        await client.post("/toy/things", content=b'{"name":"pump","quantity":2}', headers=json)
        second = await client.post("/toy/things", content=b'{ "quantity": 2, "name": "pump" }', headers=json)
    assert second.headers["Idempotent-Replayed"] == "true"


async def test_the_address_belongs_to_the_request(toy: Toy) -> None:
    """One route, two things: the key of one must not answer for the other."""
    async with toy.client() as client:
        assert (await client.post("/toy/touch/one", headers=keyed("abc"))).status_code == 200
        assert (await client.post("/toy/touch/two", headers=keyed("abc"))).status_code == 422
        assert (await client.post("/toy/touch/one?x=1", headers=keyed("abc"))).status_code == 422


async def test_a_key_belongs_to_its_caller_and_its_route(toy: Toy) -> None:
    async with toy.client(id="adapter-1") as mine, toy.client(id="adapter-2") as theirs:
        await mine.post("/toy/things", json={"name": "mine"}, headers=keyed("abc"))
        answer = await theirs.post("/toy/things", json={"name": "theirs"}, headers=keyed("abc"))
        assert answer.status_code == 201
        answer = await mine.post("/toy/sure-things", json={"name": "other"}, headers=keyed("abc"))
        assert answer.status_code == 201
    assert await toy.names() == ["mine", "other", "theirs"]


async def test_a_concurrent_repetition_waits_for_the_first_answer(toy: Toy) -> None:
    async with toy.client() as client:
        first = asyncio.create_task(client.post("/toy/slow-things", json=PUMP, headers=keyed("abc")))
        await toy.moments.entered.wait()
        second = asyncio.create_task(client.post("/toy/slow-things", json=PUMP, headers=keyed("abc")))
        await _somebody_waits_for_a_lock(toy)
        toy.moments.gate.set()
        assert (await first).content == (await second).content
        assert (await second).headers["Idempotent-Replayed"] == "true"
    assert toy.moments.attempts == ["add"]


async def test_a_concurrent_repetition_that_waits_too_long_is_told_so(toy: Toy) -> None:
    async with toy.client() as client:
        first = asyncio.create_task(client.post("/toy/slow-things", json=PUMP, headers=keyed("abc")))
        await toy.moments.entered.wait()
        begun = asyncio.get_running_loop().time()
        second = await client.post("/toy/slow-things", json=PUMP, headers=keyed("abc"))
        assert (second.status_code, second.json()["type"]) == (409, "/problems/request-in-progress")
        assert 1.9 <= asyncio.get_running_loop().time() - begun < 5
        toy.moments.gate.set()
        assert (await first).status_code == 201


async def test_when_the_first_fails_the_one_that_waited_takes_its_place(toy: Toy) -> None:
    async with toy.client() as client:
        first = asyncio.create_task(client.post("/toy/slow-things", json=PUMP, headers=keyed("abc")))
        await toy.moments.entered.wait()
        second = asyncio.create_task(client.post("/toy/slow-things", json=PUMP, headers=keyed("abc")))
        await _somebody_waits_for_a_lock(toy)
        first.cancel()
        toy.moments.gate.set()
        answer = await second
    assert answer.status_code == 201
    assert "Idempotent-Replayed" not in answer.headers
    assert await toy.names() == ["pump"]


async def test_many_at_once_have_one_effect(toy: Toy) -> None:
    async with toy.client() as client:
        answers = await asyncio.gather(
            *(client.post("/toy/things", json=PUMP, headers=keyed("abc")) for _ in range(20))
        )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await toy.names() == ["pump"]


async def test_waiting_for_a_key_does_not_shorten_the_patience_of_the_work(toy: Toy) -> None:
    """`lock_timeout` is two seconds for the key only; what the endpoint locks may take its usual time."""
    async with toy.client() as client:
        answer = await client.post("/toy/patience", headers=keyed("abc"))
    assert answer.json() == "10s"


@pytest.mark.parametrize(("status", "raised"), [(500, False), (503, True), (409, True)])
async def test_what_changed_nothing_is_not_kept(toy: Toy, status: int, raised: bool) -> None:
    async with toy.client() as client:
        for _ in range(2):
            answer = await client.post(f"/toy/answers/{status}?raised={raised}", headers=keyed("abc"))
            assert answer.status_code == status
            assert "Idempotent-Replayed" not in answer.headers
    assert await toy.count("idempotency") == 0


async def test_a_returned_refusal_is_kept_like_any_answer(toy: Toy) -> None:
    async with toy.client() as client:
        await client.post("/toy/answers/409", headers=keyed("abc"))
        answer = await client.post("/toy/answers/409", headers=keyed("abc"))
    assert (answer.status_code, answer.headers["Idempotent-Replayed"]) == (409, "true")


@pytest.mark.parametrize(
    ("age", "replayed"), [(timedelta(days=6, hours=23), True), (timedelta(days=7), False)]
)
async def test_an_answer_is_kept_for_seven_days(toy: Toy, age: timedelta, replayed: bool) -> None:
    async with toy.client() as client:
        await client.post("/toy/touch/one", headers=keyed("abc"))
        await toy.admin.execute("UPDATE toy.idempotency SET created_at = created_at - $1::interval", age)
        answer = await client.post("/toy/touch/one", headers=keyed("abc"))
        assert ("Idempotent-Replayed" in answer.headers) is replayed
        assert (await client.post("/toy/touch/one", headers=keyed("abc"))).headers["Idempotent-Replayed"]


async def test_old_answers_are_swept_in_batches(toy: Toy) -> None:
    async with toy.client() as client:
        for number in range(5):
            await client.post("/toy/touch/one", headers=keyed(f"key-{number}"))
    await toy.admin.execute(
        "UPDATE toy.idempotency SET created_at = now() - interval '8 days' WHERE key < 'key-3'"
    )
    before = clock.now() - timedelta(days=7)
    swept = [await toy.database.transact(lambda tx: forget_answers(tx, before, batch=2)) for _ in range(3)]
    assert swept == [2, 1, 0]
    assert await toy.count("idempotency") == 2


async def _somebody_waits_for_a_lock(toy: Toy) -> None:
    async with asyncio.timeout(5):
        while not await toy.admin.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
