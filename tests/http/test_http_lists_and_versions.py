"""Cursors that cannot be forged, versions that cannot be overlooked."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from contracts.serving import clock_kept
from shared.clock import clock, uuid7
from shared.http.cursor import InvalidCursor, seal, unseal
from shared.settings import Settings

if TYPE_CHECKING:
    import httpx

    from doors import Toy


async def _fill(toy: Toy, *names: str) -> None:
    for name in names:
        await toy.admin.execute(
            "INSERT INTO toy.thing (id, name, quantity) VALUES ($1, $2, 1)", uuid7(), name
        )


async def test_a_list_is_read_page_by_page_to_its_end(toy: Toy) -> None:
    names = [f"a{number:02}" for number in range(25)]
    await _fill(toy, *names, "b")
    found: list[str] = []
    target: str | None = "/toy/things?starts=a&limit=10"
    async with toy.client() as client:
        while target:
            answer = await client.get(target)
            page = answer.json()
            found += [thing["name"] for thing in page["items"]]
            link = answer.headers.get("Link")
            assert (link is None) is (page["next"] is None)
            target = link.removeprefix("<").removesuffix('>; rel="next"') if link else None
    assert found == names


async def test_a_page_that_ends_the_list_has_no_next(toy: Toy) -> None:
    await _fill(toy, "a", "b")
    async with toy.client() as client:
        answer = await client.get("/toy/things?limit=2")
    assert answer.json()["next"] is None


@pytest.mark.parametrize("limit", ["0", "-1", "201", "x", "1.5", ""])
async def test_a_page_has_between_1_and_200_rows(toy: Toy, limit: str) -> None:
    async with toy.client() as client:
        assert (await client.get(f"/toy/things?limit={limit}")).status_code == 422


def _flip(cursor: str, place: int) -> str:
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    raw[place] ^= 1
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


FORGED: dict[str, Callable[[str], str]] = {
    "nonsense": lambda _: "nonsense",
    "not base64": lambda _: "***",
    "not ASCII": lambda _: "é",
    "signature changed": lambda cursor: _flip(cursor, 0),
    "content changed": lambda cursor: _flip(cursor, -3),
    "cut": lambda cursor: cursor[:-4],
    "longer": lambda cursor: cursor + "AAAA",
    "only a signature": lambda cursor: cursor[:22],
    "very long": lambda cursor: cursor * 50,
    "SQL": lambda _: "' OR 1=1 --",
}


@pytest.mark.parametrize("case", FORGED)
async def test_forged_cursors_are_refused(toy: Toy, case: str) -> None:
    await _fill(toy, "a", "b", "c")
    async with toy.client() as client:
        cursor = (await client.get("/toy/things?limit=1")).json()["next"]
        assert (await _next(client, cursor)).status_code == 200
        assert (await _next(client, FORGED[case](cursor))).status_code == 422


async def test_a_cursor_is_for_one_list_and_one_filter(toy: Toy) -> None:
    await _fill(toy, "a1", "a2", "b1")
    async with toy.client() as client:
        cursor = (await client.get("/toy/things?starts=a&limit=1")).json()["next"]
        assert (await client.get("/toy/things", params={"starts": "a", "cursor": cursor})).status_code == 200
        answer = await client.get("/toy/things", params={"starts": "b", "cursor": cursor})
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-cursor")


async def _next(client: httpx.AsyncClient, cursor: str) -> httpx.Response:
    return await client.get("/toy/things", params={"limit": 1, "cursor": cursor})


def test_a_cursor_lasts_a_day(toy_settings: Settings) -> None:
    before = clock.now()
    cursor = seal(("a",), "list", toy_settings)
    with clock_kept():
        clock.set(before + timedelta(hours=23, minutes=59))
        assert unseal(cursor, "list", toy_settings) == ("a",)
        clock.set(before + timedelta(hours=24, minutes=1))
        with pytest.raises(InvalidCursor):
            unseal(cursor, "list", toy_settings)


def test_a_cursor_survives_a_new_secret_while_the_old_one_is_named(toy_settings: Settings) -> None:
    cursor = seal(("a",), "list", toy_settings)
    rolled = toy_settings.model_copy(
        update={"secret": SecretStr("n" * 40), "previous_secret": toy_settings.secret}
    )
    assert unseal(cursor, "list", rolled) == ("a",)
    with pytest.raises(InvalidCursor):
        unseal(cursor, "list", rolled.model_copy(update={"previous_secret": None}))


# As the database gives them. In zones with summer time Python finds no hour equal that comes twice.
INSTANTS = st.datetimes(timezones=st.just(UTC))


@given(st.lists(st.none() | st.integers() | st.text() | st.uuids() | INSTANTS, max_size=5))
def test_a_key_comes_back_as_it_went(toy_settings: Settings, key: list[int | str | UUID | None]) -> None:
    assert unseal(seal(tuple(key), "list", toy_settings), "list", toy_settings) == tuple(key)


async def test_a_change_needs_the_version_it_changes(toy: Toy) -> None:
    async with toy.client() as client:
        thing = (await client.post("/toy/things", json={"name": "pump"})).json()
        path, change = f"/toy/things/{thing['id']}", {"name": "new"}
        answer = await client.put(path, json=change)
        assert (answer.status_code, answer.json()["type"]) == (428, "/problems/precondition-missing")
        answer = await client.put(path, json=change, headers={"If-Match": '"1"'})
        assert (answer.status_code, answer.headers["ETag"]) == (200, '"2"')
        answer = await client.put(path, json={"name": "lost update"}, headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.json()["type"]) == (412, "/problems/version-changed")
    assert (answer.json()["current"], answer.headers["ETag"]) == (2, '"2"')
    assert await toy.names() == ["new"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ('"1"', 200),
        ('"0", "1"', 200),
        ('W/"1"', 412),
        ('"2"', 412),
        ('""', 412),
        ('"01"', 412),
        ("1", 400),
        ("*", 400),
        ('"1', 400),
        ("", 400),
        ('"1" "2"', 400),
    ],
)
async def test_if_match(toy: Toy, sent: str, status: int) -> None:
    async with toy.client() as client:
        thing = (await client.post("/toy/things", json={"name": "pump"})).json()
        answer = await client.put(
            f"/toy/things/{thing['id']}", json={"name": "new"}, headers={"If-Match": sent}
        )
    assert answer.status_code == status
