"""Signing in and out, and what a session may do without proof."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from http.cookies import SimpleCookie

import httpx
import pytest
import pytest_asyncio
from starlette.responses import Response

from contracts.sample import NewPromise, make_promise, service
from contracts.serving import Served, clock_kept, serving
from shared.clock import clock
from shared.db import Tx
from shared.http.auth import Principal
from shared.http.sessions import LIFETIME, TooMuchForSession, cookie_name, start_session
from shared.http.sign_in import BURST, Throttle, TooManyAttempts, address_of, local_path


@pytest_asyncio.fixture(scope="module")
async def sample(postgres_url: str) -> AsyncIterator[Served]:
    async with serving(postgres_url, service) as running:
        yield running


@pytest_asyncio.fixture
async def promise_id(sample: Served) -> str:
    async def make(tx: Tx) -> str:
        due_at = tx.now + timedelta(hours=1)
        return await make_promise(tx, NewPromise(customer="c", subject="s", due_at=due_at))

    return await sample.database.transact(make)


async def csrf_of(client: httpx.AsyncClient) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', (await client.get("/sample/board")).text)
    assert found
    return found[1]


async def test_a_token_opens_a_session_in_a_cookie_no_script_can_read(sample: Served) -> None:
    client = sample.client()
    answer = await client.post(
        "/sign-in", data={"token": sample.token("operations"), "next": "/sample/board"}
    )
    cookie = answer.headers["set-cookie"].lower()
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sample/board"
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie  # the address is plain http
    assert (await client.get("/sample/board")).status_code == 200


async def test_over_tls_the_cookie_belongs_to_the_host_alone(sample: Served) -> None:
    settings = sample.settings.model_copy(update={"public_url": "https://service.example"})
    response = Response()
    start_session(response, Principal("x", frozenset({"care"})), settings)
    cookie = SimpleCookie(response.headers["set-cookie"])["__Host-aftercare"]
    assert cookie["secure"]
    assert cookie["path"] == "/"
    assert not cookie["domain"]


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c"])
async def test_a_wrong_token_opens_nothing_and_is_not_repeated(sample: Served, token: str) -> None:
    answer = await sample.client().post("/sign-in", data={"token": token})
    assert answer.status_code == 422
    assert "set-cookie" not in answer.headers
    assert "not valid" in answer.text
    assert not token or token not in answer.text


async def test_an_expired_token_opens_nothing(sample: Served) -> None:
    token = sample.token("operations", lifetime=timedelta(minutes=-5))
    assert (await sample.client().post("/sign-in", data={"token": token})).status_code == 422


async def test_another_site_cannot_sign_anybody_in(sample: Served) -> None:
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://other.example"}):
        form = {"token": sample.token("operations")}
        answer = await sample.client().post("/sign-in", data=form, headers=headers)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "target", ["https://other.example", "//other.example", "/\\other.example", "/a\nb", "x", ""]
)
def test_no_link_carries_people_elsewhere(target: str) -> None:
    assert local_path(target) == "/"


async def test_a_change_needs_the_token_of_its_own_session(sample: Served, promise_id: str) -> None:
    client, other = await sample.signed_in("operations"), await sample.signed_in("operations")
    path, mine, foreign = f"/sample/promises/{promise_id}/owner", await csrf_of(client), await csrf_of(other)

    async def attempt(**options: object) -> int:
        return (await client.post(path, **options)).status_code  # type: ignore[arg-type]

    assert await attempt(data={"owner": "a"}) == 403
    assert await attempt(data={"owner": "a", "csrf": ""}) == 403
    assert await attempt(data={"owner": "a", "csrf": "é"}) == 403
    assert await attempt(data={"owner": "a", "csrf": foreign}) == 403
    assert await attempt(data={"owner": "a"}, headers={"x-csrf-token": foreign}) == 403
    assert await attempt(data={"owner": "a", "csrf": mine}) == 303
    assert await attempt(data={"owner": "a"}, headers={"x-csrf-token": mine}) == 303


async def test_the_right_token_from_another_site_is_refused_all_the_same(
    sample: Served, promise_id: str
) -> None:
    client = await sample.signed_in("operations")
    form = {"owner": "a", "csrf": await csrf_of(client)}
    path = f"/sample/promises/{promise_id}/owner"
    for site in ("cross-site", "same-site"):
        assert (await client.post(path, data=form, headers={"sec-fetch-site": site})).status_code == 403
    assert (await client.post(path, data=form, headers={"origin": "null"})).status_code == 403
    assert (await client.post(path, data=form, headers={"sec-fetch-site": "same-origin"})).status_code == 303


async def test_a_bearer_token_needs_no_further_proof(sample: Served, promise_id: str) -> None:
    answer = await sample.client().post(
        f"/sample/promises/{promise_id}/owner",
        data={"owner": "a"},
        headers={"authorization": f"Bearer {sample.token('operations')}"},
    )
    assert answer.status_code == 303


async def test_a_changed_cookie_is_nobody(sample: Served) -> None:
    client = await sample.signed_in("operations")
    name = cookie_name(sample.settings)
    sealed = client.cookies[name]
    body, signature = sealed.split(".")
    for forged in (f"{body}x.{signature}", f"{body}.{signature[:-2]}AA", body, "..", "é", f"{sealed}.x"):
        answer = await sample.client().get(
            "/sample/board", headers=[(b"cookie", f"{name}={forged}".encode())]
        )
        assert answer.status_code == 303, forged
        assert answer.headers["location"].startswith("/sign-in")


async def test_a_session_slides_while_it_is_used_and_ends_when_it_is_not(sample: Served) -> None:
    client, begun = await sample.signed_in("operations"), clock.now()
    with clock_kept():
        assert "set-cookie" not in (await client.get("/sample/board")).headers  # nothing to gain yet
        clock.set(begun + LIFETIME - timedelta(minutes=1))
        assert "set-cookie" in (await client.get("/sample/board")).headers
        clock.set(begun + 2 * LIFETIME - timedelta(minutes=2))
        assert (await client.get("/sample/board")).status_code == 200
        clock.set(begun + 4 * LIFETIME)
        assert (await client.get("/sample/board")).status_code == 303


async def test_no_session_slides_on_for_ever(sample: Served) -> None:
    client, begun = await sample.signed_in("operations"), clock.now()
    with clock_kept():
        for hours in range(7, 24 * 7, 7):
            clock.set(begun + timedelta(hours=hours))
            assert (await client.get("/sample/board")).status_code == 200
        clock.set(begun + timedelta(days=7, minutes=1))
        assert (await client.get("/sample/board")).status_code == 303


async def test_signing_out_ends_the_session_and_needs_proof(sample: Served) -> None:
    client = await sample.signed_in("operations")
    assert (await client.post("/sign-out")).status_code == 403
    assert (await client.get("/sample/board")).status_code == 200
    csrf = await csrf_of(client)
    assert (await client.post("/sign-out", data={"csrf": csrf})).headers["location"] == "/sign-in"
    assert (await client.get("/sample/board")).status_code == 303


def test_more_than_a_browser_keeps_is_refused_instead_of_lost(sample: Served) -> None:
    regions = frozenset(f"region number {number}" for number in range(400))
    with pytest.raises(TooMuchForSession):
        start_session(Response(), Principal("x", frozenset({"care"}), regions=regions), sample.settings)


async def test_wrong_tokens_are_limited_per_address(sample: Served) -> None:
    transport = httpx.ASGITransport(sample.app, client=("198.51.100.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url=sample.settings.public_url) as client:
        statuses = [
            (await client.post("/sign-in", data={"token": "wrong"})).status_code for _ in range(BURST + 5)
        ]
        assert statuses == [422] * BURST + [429] * 5
        refused = await client.post("/sign-in", data={"token": sample.token("operations")})
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 7


def test_the_bucket_empties_with_time_and_is_bounded() -> None:
    throttle = Throttle()
    for _ in range(BURST):
        throttle.attempt("a", 0.0)
    with pytest.raises(TooManyAttempts):
        throttle.attempt("a", 0.0)
    throttle.attempt("b", 0.0)
    throttle.attempt("a", 6.1)
    for number in range(20_000):
        throttle.attempt(str(number), 7.0)
    assert len(throttle._filled) <= 10_000


def test_one_subscriber_is_one_address_in_ipv6() -> None:
    def at(host: str) -> str:
        from starlette.requests import HTTPConnection

        return address_of(HTTPConnection({"type": "http", "client": (host, 1), "headers": []}))

    assert at("2001:db8::1") == at("2001:db8::ffff:1") != at("2001:db8:0:1::1")
    assert at("192.0.2.1") == "192.0.2.1"
