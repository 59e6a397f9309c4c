"""The streams of live pages: `/live` for all feeds of the process, `/<service>/live` for one service's.

A browser opens one stream for all of its tabs, naming every feed they show: HTTP/1.1 leaves a browser six
connections to a host. A feed that can be narrowed is named with its query: `feed=sla.running?region=east`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.requests import Request
from fastapi.responses import Response

from shared.errors import AftercareError
from shared.http.auth import Caller, NotAllowed, Principal, allow
from shared.http.pages import Pages
from shared.http.query import StrictRoute
from shared.http.scope import settings_of
from shared.http.sessions import renew
from shared.http.sse import EventStream, Streams, Watch
from shared.i18n import LANGUAGES

Names = Annotated[
    list[str], Query(alias="feed", min_length=1, max_length=60)
]  # all tabs of a browser together


class NoSuchFeed(AftercareError):
    """There is no live feed {name} here."""

    kind = "not_found"


def live_router(pages: Pages) -> APIRouter:
    """The routes of all feeds in `pages`."""
    router = APIRouter(route_class=StrictRoute)
    watches = list(pages.streams.watches.values())
    _add_route(router, "/live", pages, watches)
    for service in sorted({watch.service for watch in watches}):
        own = [watch for watch in watches if watch.service == service]
        _add_route(router, f"/{service}/live", pages, own)
    return router


def _add_route(router: APIRouter, path: str, pages: Pages, watches: Sequence[Watch]) -> None:
    served = {watch.name: watch for watch in watches}
    roles = sorted({role for watch in watches for role in watch.feed.roles})

    @router.get(path, dependencies=[Depends(allow(*roles))], include_in_schema=False)
    async def live(request: Request, principal: Caller, feed: Names, lang: str | None = None) -> Response:
        followed = [_followed(pages.streams, served, name, principal) for name in dict.fromkeys(feed)]
        # A shared worker need not accept the languages of the pages it works for: they say theirs.
        tag = lang if lang in LANGUAGES else pages.language(request).tag
        render = partial(pages.render_row, tag)
        response = EventStream(pages.streams.events(followed, principal, render))
        renew(request, response, settings_of(request))
        return response


def _followed(streams: Streams, served: dict[str, Watch], name: str, principal: Principal) -> Watch:
    feed, asked, query = name.partition("?")
    watch = served.get(feed)
    if watch is None or (asked and watch.feed.narrow is None):
        raise NoSuchFeed(name=name)
    if not watch.feed.roles & principal.roles:
        raise NotAllowed(roles=", ".join(sorted(watch.feed.roles)))
    return streams.narrow(watch, query, principal)
