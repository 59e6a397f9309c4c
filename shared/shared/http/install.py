"""Everything a process needs to show pages, in one call."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI
from starlette.middleware import Middleware

from shared.context import ServiceContext
from shared.http.directory import Directory
from shared.http.live import live_router
from shared.http.pages import Pages, Site
from shared.http.problem import Faults
from shared.http.readers import ForReaders
from shared.http.sign_in import sign_in_router
from shared.http.sse import Streams, Watch


def install_pages(
    app: FastAPI,
    sites: Mapping[str, Site],
    contexts: Mapping[str, ServiceContext],
    directory: Directory | None = None,
) -> Streams:
    """Give an `app` that `build_app` made its pages, before it serves.

    Every page leads to all that `directory` lists, by itself to what `sites` have.
    The process calls `wake(service)` of what is returned after a commit, and `close()` when it drains:
    streams never end by themselves.
    """
    watches = {
        watch.name: watch
        for name, site in sites.items()
        for feed in site.feeds
        for watch in [Watch(name, feed, contexts[name].database)]
    }
    pages = app.state.pages = Pages(sites, Streams(watches), directory or Directory.of(sites.values()))
    app.include_router(sign_in_router())
    for assets in (pages.shared, *pages.assets.values()):
        app.include_router(assets.router())
    if watches:
        app.include_router(live_router(pages))
    classes: list[object] = [each.cls for each in app.user_middleware]
    app.user_middleware.insert(classes.index(Faults), Middleware(ForReaders, pages=pages))
    return pages.streams
