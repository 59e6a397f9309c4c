"""What a newcomer is shown once everything is served."""

from __future__ import annotations

import os
import sys

import httpx

from allinone import demo, sample
from allinone.installation import EMBEDDED as FOLDER
from shared.clock import clock
from shared.db import Database
from shared.settings import load


async def welcome(port: int) -> None:
    """Say where everything is, who may sign in, and play the sample day (DEMO=0 for none)."""
    settings = load("intake")
    database = Database("intake", str(settings.database_url), pool_size=1)
    await clock.sync(database.time)
    await database.close()
    address, behind = settings.public_url.rstrip("/"), f"http://127.0.0.1:{port}"
    print(f"\nAftercare is at {address}/ (Ctrl-C stops it). Sample sign-ins, good for 12 hours:\n")
    for role in sample.WHO:
        if role != "adapter":
            print(f"  {role:<12} {address}/sign-in#token={sample.token(role, settings)}")
    print(f"\n  API          {address}/openapi.json   events {address}/asyncapi.json", flush=True)
    if os.environ.get("DEMO", "1") != "0":
        try:
            played = await demo.play(FOLDER, behind, settings)
        except (demo.Refused, httpx.HTTPError, TimeoutError) as error:
            print(f"the sample day could not be played to its end: {error}", file=sys.stderr, flush=True)
            return
        if played:
            print("\nA sample day has been played: open the operations board, /sla/board.", flush=True)
