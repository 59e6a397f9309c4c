"""Providers as they call us: one file per channel, each with a `genuine`, so that one test tries them all.

To add a channel, add a file here: its `genuine` says what an account is set up with, how a person's message
looks before it is signed, and how the provider signs it. Write the payload by the provider's documentation,
and sign by its rules, not with the code under test.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import httpx

from contracts.hearing import Hearing

ACCOUNT = "genuine"


@dataclass(frozen=True)
class Signed:
    """One call: what goes over the wire. `query` is without its question mark."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""


@dataclass(frozen=True)
class Genuine:
    """How the provider of one channel calls us.

    secrets      what its account is set up with
    message      what a person's message is, before it is signed or sealed; another number, another message
    sign         by the whole address (without a query) and such a body: what is sent
    proof        the header, in lower case, or the query parameter that carries the signature
    covers_body  whether the signature changes with the body; a bare secret in a header does not
    announces    whether a call says only that there is something, which is fetched then
    ids          the ids of messages, calls and our own messages that a body names, however odd it is
    """

    channel: str
    secrets: Mapping[str, str]
    message: Callable[[int], bytes]
    sign: Callable[[str, bytes], Signed]
    proof: str
    ids: Callable[[bytes], set[str]]
    covers_body: bool = True
    announces: bool = False

    def signed(self, body: bytes) -> Signed:
        """`body` as it would come from the provider to the account `ACCOUNT`."""
        return self.sign(f"http://127.0.0.1:8000{self.path}", body)

    @property
    def path(self) -> str:
        return f"/intake/channels/{self.channel}/{ACCOUNT}"

    def with_proof(self, call: Signed, change: Callable[[str], str] | str | None) -> Signed:
        """The same call with another signature, or without any."""
        query = httpx.QueryParams(call.query)
        carried = call.headers.get(self.proof) or query.get(self.proof)
        assert carried, f"{self.channel} carries no {self.proof}"
        changed = change(carried) if callable(change) else change
        headers = {name: value for name, value in call.headers.items() if name != self.proof}
        if self.proof in call.headers:
            return replace(call, headers=headers | ({self.proof: changed} if changed is not None else {}))
        query = query.remove(self.proof)
        return replace(call, query=str(query if changed is None else query.add(self.proof, changed)))


@cache
def genuine() -> dict[str, Genuine]:
    """By channel: whatever file lies beside this one."""
    modules = (import_module(f"{__name__}.{each.name}") for each in iter_modules(__path__))
    found: list[Genuine] = [module.genuine for module in modules]
    return {each.channel: each for each in found}


def values(body: bytes) -> list[Any]:
    """The value of a JSON text, and each value within it; nothing of what is no JSON."""
    try:
        found: list[Any] = [json.loads(body.decode("utf-8-sig"), strict=False)]
    except ValueError:
        return []
    for each in found:  # grows meanwhile
        found += each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
    return found


def named(*names: str) -> Callable[[bytes], set[str]]:
    """The ids of a JSON body: all values of these keys, wherever they stand."""

    def ids(body: bytes) -> set[str]:
        objects = [each for each in values(body) if isinstance(each, dict)]
        told = [each[name] for each in objects for name in names if name in each]
        return {str(each) for each in told if isinstance(each, str | int)}

    return ids


async def set_up(desk: Hearing, **more: Any) -> None:
    """An account of each channel, by an admin."""
    for each in genuine().values():
        body = {"secrets": dict(each.secrets), "region": "east", "city": "shanghai", **more}
        path = f"/intake/channels/{each.channel}/accounts/{ACCOUNT}"
        answer = await desk.client("admin").put(path, json=body)
        assert answer.status_code == 204, answer.text


async def post(desk: Hearing, provider: Genuine, call: Signed) -> httpx.Response:
    address = provider.path + (f"?{call.query}" if call.query else "")
    headers = [(name.encode(), value.encode()) for name, value in call.headers.items()]
    return await desk.client().post(address, content=call.body, headers=headers)
