"""The suite by TLS on the local network: who trusts this installation's authority gets it, nobody else."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from allinone import fronting
from allinone.certificates import Certificates, Names, ensure
from allinone.faults import NotUsable
from allinone.phones import CERTIFICATE, Front, serve, server, shown

HERE = Names(("192.168.7.20",), ("desk.local", "localhost"))
NOW = datetime.now(UTC)  # noqa: TID251  certificates are checked by the clock of this machine
YEAR = timedelta(days=365)


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return ensure(tmp_path / "own", HERE, NOW)


def serial(path: Path) -> int:
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


def test_again_they_are_the_same(made: Certificates) -> None:
    before = made.server.read_bytes(), made.authority.read_bytes()
    again = ensure(made.key.parent, HERE, NOW + timedelta(days=300))
    assert (again.server.read_bytes(), again.authority.read_bytes()) == before


def test_a_server_that_runs_out_is_renewed_under_the_same_authority(made: Certificates) -> None:
    before, trusted = serial(made.server), made.fingerprint()
    ensure(made.key.parent, HERE, NOW + timedelta(days=380))
    assert (serial(made.server) != before, made.fingerprint()) == (True, trusted)


def test_an_authority_that_runs_out_is_made_anew_before_its_servers_do(made: Certificates) -> None:
    trusted = made.fingerprint()
    ensure(made.key.parent, HERE, NOW + 9 * YEAR)
    assert made.fingerprint() != trusted
    ssl.create_default_context(cafile=made.authority).load_verify_locations(made.authority)


def test_another_address_takes_another_server_certificate(made: Certificates) -> None:
    before, trusted = serial(made.server), made.fingerprint()
    ensure(made.key.parent, replace(HERE, addresses=("10.1.2.3",)), NOW)
    named = x509.load_pem_x509_certificate(made.server.read_bytes()).extensions
    addresses = named.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "10.1.2.3" in map(str, addresses.get_values_for_type(x509.IPAddress))
    assert (serial(made.server) != before, made.fingerprint()) == (True, trusted)


def test_keys_are_for_their_owner_alone(made: Certificates) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in made.key.parent.iterdir()}
    assert modes == {"authority.key": 0o600, "server.key": 0o600, "authority.pem": 0o644, "server.pem": 0o644}
    assert made.key.parent.stat().st_mode & 0o777 == 0o700


@dataclass(frozen=True)
class Open:
    secure: str
    plain: str
    made: Certificates

    def client(self, authority: Path | None = None) -> httpx.AsyncClient:
        trusting = ssl.create_default_context(cafile=authority or self.made.authority)
        return httpx.AsyncClient(verify=trusting, trust_env=False)


async def app(request: Request) -> Response:
    return PlainTextResponse(f"app for {request.headers['host']}")


@asynccontextmanager
async def opened(made: Certificates) -> AsyncIterator[Open]:
    """Something that stands for the services, and what lets telephones in to it."""
    suite = server(Starlette(routes=[Route("/dispatch/app", app)]), "127.0.0.1", 0)
    front = Front(made, 0, "https://192.168.7.20:8443")
    plain = server(front.plain(), "127.0.0.1", 0)
    running = [asyncio.create_task(each.serve()) for each in (suite, plain)]
    await _started(suite, plain)
    secure = server(replace(front, suite=_port(suite)).secure(), "127.0.0.1", 0, made)
    running.append(asyncio.create_task(serve(secure)))
    await _started(secure)
    try:
        yield Open(f"https://127.0.0.1:{_port(secure)}", f"http://127.0.0.1:{_port(plain)}", made)
    finally:
        for each in (suite, plain, secure):
            each.should_exit = True
        await asyncio.gather(*running)


async def _started(*servers: Any) -> None:
    async with asyncio.timeout(30):
        while not all(each.started for each in servers):  # noqa: ASYNC110  uvicorn has no event for it
            await asyncio.sleep(0.01)


def _port(running: Any) -> int:
    found: int = running.servers[0].sockets[0].getsockname()[1]
    return found


async def test_a_telephone_that_trusts_this_authority_alone_gets_the_app(made: Certificates) -> None:
    async with opened(made) as front, front.client() as phone:
        answer = await phone.get(f"{front.secure}/dispatch/app")
        page = await phone.get(f"{front.secure}/phones")
    assert answer.text.startswith("app for 127.0.0.1:")
    assert made.fingerprint() in page.text


async def test_a_telephone_that_trusts_another_authority_does_not(made: Certificates, tmp_path: Path) -> None:
    other = ensure(tmp_path / "other", HERE, NOW)
    async with opened(made) as front, front.client(other.authority) as phone:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await phone.get(f"{front.secure}/dispatch/app")


async def test_without_tls_there_is_the_page_and_the_certificate_only(made: Certificates) -> None:
    async with opened(made) as front, front.client() as phone:
        page = await phone.get(f"{front.plain}/phones", headers={"accept-language": "en"})
        chinese = await phone.get(f"{front.plain}/phones", headers={"accept-language": "zh-CN"})
        file = await phone.get(f"{front.plain}{CERTIFICATE}")
        app = await phone.get(f"{front.plain}/dispatch/app")
    assert "Certificate Trust Settings" in page.text
    assert "证书信任设置" in chinese.text
    assert x509.load_der_x509_certificate(file.content).public_bytes is not None
    assert (file.headers["content-type"], b"PRIVATE" in file.content) == ("application/x-x509-ca-cert", False)
    assert app.status_code == 404


async def test_who_steals_the_authority_cannot_be_anybody_on_the_internet(made: Certificates) -> None:
    ensure(made.key.parent, Names(HERE.addresses, ("bank.example", "localhost")), NOW)
    async with opened(made) as front, front.client() as phone:
        with pytest.raises(httpx.ConnectError, match="permitted subtree violation"):
            await phone.get(f"{front.secure}/dispatch/app")


def test_the_terminal_says_where(made: Certificates) -> None:
    told = shown("https://192.168.7.20:8443", "http://192.168.7.20:8080", made.fingerprint())
    assert "http://192.168.7.20:8080/phones" in told
    assert "█" in told
    assert made.fingerprint() in told


def test_without_a_network_and_with_a_wrong_port_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotUsable, match="no address on a local network"):
        fronting.prepared(8000, tmp_path, Names((), ()))
    monkeypatch.setenv("PHONES_PORT", "many")
    with pytest.raises(NotUsable, match="PHONES_PORT is 'many'"):
        fronting.prepared(8000, tmp_path, HERE)
