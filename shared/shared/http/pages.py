"""Pages: Jinja2 with autoescape, in the reader's language, one look for all services.

A service shows what it has by a `Site`; its templates extend `layout.html` and may use the macros of
`parts.html`. `page(request, "board.html", …)` finds the template in the service's own `templates`, then
in the shared ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fastapi.requests import HTTPConnection, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from shared.clock import clock
from shared.http.assets import Assets
from shared.http.auth import Role
from shared.http.scope import settings_of
from shared.http.sessions import Session, csrf_token, renew, session_of
from shared.http.sse import LiveFeed, Row, Streams, Watch
from shared.i18n import LANGUAGES, ZONE, Language, gettext, negotiate, ngettext, speaking
from shared.i18n.catalogues import load
from shared.i18n.language import current_language

if TYPE_CHECKING:
    from shared.http.directory import Directory

HERE: Final = Path(__file__).parent
LANGUAGE_COOKIE: Final = "language"
_NOT_KEPT: Final = {"cache-control": "no-store", "vary": "accept-language, cookie"}


@dataclass(frozen=True, slots=True)
class Link:
    """One way into a service: shown to those who may follow it. `label` and `about` are marked with `N_`."""

    path: str
    label: str
    about: str
    roles: frozenset[Role]


@dataclass(frozen=True, slots=True)
class Site:
    """What one service shows: its package folder (templates, static, translations), links and live feeds."""

    package: Path
    links: tuple[Link, ...] = ()
    feeds: tuple[LiveFeed, ...] = ()


@dataclass
class Pages:
    """All that the pages of one process need; `install_pages` puts it into `app.state.pages`."""

    sites: Mapping[str, Site]
    streams: Streams
    directory: Directory
    shared: Assets = field(default_factory=lambda: Assets(HERE / "static", "/static"))

    def __post_init__(self) -> None:
        self.assets = {
            name: Assets(site.package / "static", f"/{name}/static") for name, site in self.sites.items()
        }
        self._environments = {name: self._environment(name) for name in (None, *self.sites)}
        self._languages = {
            (name, tag): Language(tag, load(self._package(name), tag))
            for name in (None, *self.sites)
            for tag in LANGUAGES
        }

    def service_at(self, path: str) -> str | None:
        """The service whose site a path belongs to, None for what all of them share."""
        segment = path.split("/", 2)[1:2]
        return segment[0] if segment and segment[0] in self.sites else None

    def language(self, request: HTTPConnection) -> Language:
        """What the reader chose, else the best of what their browser accepts."""
        tag = negotiate(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language"))
        return self._languages[self.service_at(request.scope["path"]), tag]

    @property
    def live_url(self) -> str:
        """Where this process streams all of its feeds: `/live` for several services, `/sla/live` for one."""
        return f"/{next(iter(self.sites))}/live" if len(self.sites) == 1 else "/live"

    def render(self, service: str | None, language: Language, template: str, **data: Any) -> str:
        with speaking(language):
            return self._environments[service].get_template(template).render(language=language, **data)

    def render_row(self, tag: str, watch: Watch, row: Row) -> str:
        """One row of a feed, rendered once for all who read the language."""
        known = watch.rendered.get((row.id, tag))
        if known is None:
            language = self._languages[watch.service, tag]
            known = self.render(
                watch.service, language, watch.feed.template, row=row, now=clock.now()
            ).strip()
            watch.rendered[row.id, tag] = known
        return known

    def _package(self, service: str | None) -> Path:
        return HERE.parent if service is None else self.sites[service].package

    def _environment(self, service: str | None) -> Environment:
        own = [self.sites[service].package / "templates"] if service else []
        environment = Environment(
            loader=FileSystemLoader([*own, HERE / "templates"]),
            autoescape=True,
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.policies["ext.i18n.trimmed"] = True
        environment.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
        for form in ("date", "day", "time", "moment", "duration", "number", "percent", "money"):
            environment.filters[form] = partial(_written, form)
        environment.globals |= {"asset": partial(self._asset, service), "live": _live, "languages": LANGUAGES}
        return environment

    def _asset(self, service: str | None, name: str) -> str:
        own = self.assets.get(service) if service else None
        return own.url(name) if own and name in own else self.shared.url(name)


def _written(form: str, value: Any, *arguments: Any) -> str:
    written: str = getattr(current_language(), form)(value, *arguments)
    return written


def _live(row: Row) -> Markup:
    """The attributes by which `live.js` knows the element of a row and its place."""
    return Markup('data-row="{}" data-order="{}"').format(row.id, row.order)


def pages_of(request: HTTPConnection) -> Pages:
    pages: Pages = request.app.state.pages
    return pages


def page(request: Request, template: str, *, status_code: int = 200, **data: Any) -> HTMLResponse:
    """A page (or fragment) from a template, in the reader's language; slides the session's end forward.

    Beside `data` the template sees `viewer` (a Principal, or None), `csrf`, `links`, `menu`, `here` (the
    path), `now`, `language`, `live_url`, and the globals `asset(name)` and `live(row)`.
    """
    pages, settings = pages_of(request), settings_of(request)
    session = session_of(request, settings) if clock.synced else None
    service = pages.service_at(request.url.path)
    language = pages.language(request)
    around = _surroundings(request, pages, session, language)
    content = pages.render(service, language, template, **around, **data)
    response = HTMLResponse(content, status_code, {**_NOT_KEPT, "content-language": language.tag})
    if session:
        renew(request, response, settings)
    return response


def _surroundings(
    request: Request, pages: Pages, session: Session | None, language: Language
) -> dict[str, Any]:
    viewer = session.principal if session else None
    return {
        "viewer": viewer,
        "viewing": hashlib.sha256(session.id.encode()).hexdigest()[:16] if session else "",
        "csrf": csrf_token(session, settings_of(request)) if session else "",
        "links": (links := pages.directory.links(viewer.roles, language.tag) if viewer else []),
        "menu": pages.directory.menu(links, request.url.path),
        "here": request.url.path,
        "here_again": target_of(request),
        "now": clock.now() if clock.synced else None,
        "live_url": pages.live_url,
        "house_zone": ZONE.key,
    }


def target_of(request: HTTPConnection) -> str:
    """The path and query of a request, to come back to."""
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
