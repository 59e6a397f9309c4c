"""The ways into all services, whichever process each is in: one navigation behind one address.

Generated from the sites of the services into `directory.json`; a test keeps it current.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared.http.auth import Role
from shared.http.pages import Link, Site
from shared.i18n import LANGUAGES
from shared.i18n.catalogues import load

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


def _written(link: Link, package: Path) -> Entry:
    catalogues = {tag: load(package, tag) for tag in LANGUAGES}
    words = {tag: (each.gettext(link.label), each.gettext(link.about)) for tag, each in catalogues.items()}
    return Entry(link.path, link.roles, words)


def _entry(path: str, roles: list[Role], words: Mapping[str, Any]) -> Entry:
    return Entry(path, frozenset(roles), {tag: (label, about) for tag, (label, about) in words.items()})
