"""The ways into all services, whichever process each is in: one navigation behind one address.

Generated from the sites of the services into `directory.json`; a test keeps it current.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from shared.http.auth import Role
from shared.http.pages import Link, Site
from shared.i18n import LANGUAGES
from shared.i18n.catalogues import load

MOST_IN_A_ROW: Final = 6
"""Ways in that stand beside each other: in English more of them need a second line at 1280 pixels."""
FILE: Final = Path(__file__).with_name("directory.json")


@dataclass(frozen=True, slots=True)
class Entry:
    """A way in, written in each language: `words` are label and explanation by tag."""

    path: str
    roles: frozenset[Role]
    words: Mapping[str, tuple[str, str]]

    def link(self, tag: str) -> Link:
        return Link(self.path, *self.words[tag], self.roles)


@dataclass(frozen=True, slots=True)
class Menu:
    """The navigation: one row, or the services above and the pages of the present one below."""

    row: Sequence[Link]
    below: Sequence[Link] = ()

    @classmethod
    def of(cls, links: Sequence[Link], here: str) -> Menu:
        """Of all ways in, at the path `here`; they come service by service."""
        if len(links) <= MOST_IN_A_ROW:
            return cls(links)
        services = [list(each) for _, each in groupby(links, _service)]
        present = next((each for each in services if _service(each[0]) == here.split("/")[1]), [])
        return cls([each[0] for each in services], present if len(present) > 1 else ())

    def leads_to(self, link: Link, here: str) -> bool:
        """Whether somebody at `here` came by this link of the first row."""
        return _service(link) == here.split("/")[1] if self.below else here.startswith(link.path)


def _service(link: Link) -> str:
    return link.path.split("/")[1]


@dataclass(frozen=True, slots=True)
class Directory:
    """All ways in, in the order in which they are shown."""

    entries: tuple[Entry, ...]

    @classmethod
    def of(cls, sites: Iterable[Site]) -> Directory:
        return cls(tuple(_written(link, site.package) for site in sites for link in site.links))

    @classmethod
    def load(cls, file: Path = FILE) -> Directory:
        """As generated."""
        return cls(tuple(_entry(**known) for known in json.loads(file.read_text())))

    def dump(self) -> str:
        """The text of `directory.json`."""
        written = [
            {"path": each.path, "roles": sorted(each.roles), "words": each.words} for each in self.entries
        ]
        return json.dumps(written, indent=2, ensure_ascii=False) + "\n"

    def links(self, roles: frozenset[Role], tag: str) -> list[Link]:
        """Where somebody with these roles may go, in the words of one language."""
        return [each.link(tag) for each in self.entries if each.roles & roles]

    def menu(self, links: Sequence[Link], here: str) -> Menu:
        """The same as the navigation of the page at `here`."""
        return Menu.of(links, here)


def _written(link: Link, package: Path) -> Entry:
    catalogues = {tag: load(package, tag) for tag in LANGUAGES}
    words = {tag: (each.gettext(link.label), each.gettext(link.about)) for tag, each in catalogues.items()}
    return Entry(link.path, link.roles, words)


def _entry(path: str, roles: list[Role], words: Mapping[str, Any]) -> Entry:
    return Entry(path, frozenset(roles), {tag: (label, about) for tag, (label, about) in words.items()})
