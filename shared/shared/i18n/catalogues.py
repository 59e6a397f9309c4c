"""Message catalogues: one `translations/zh_CN.po` per package, read at first use, kept current by a test."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from functools import cached_property
from gettext import NullTranslations
from io import BytesIO
from pathlib import Path
from string import Formatter
from typing import Any, Final

from babel.messages import Catalog
from babel.messages import extract as source
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from babel.support import Translations
from jinja2.ext import babel_extract

SHARED: Final = Path(__file__).parent.parent
LOCALE: Final = "zh_CN"  # English needs no catalogue: it is what the code says
# Errors from elsewhere in the shared package end in logs, and operators read those in one language.
_TOLD: Final = ("errors.py", "http/")
_KEYWORDS: Final = {"_": None, "gettext": None, "N_": None, "ngettext": (1, 2)}


def path_of(package: Path) -> Path:
    return package / "translations" / f"{LOCALE}.po"


def load(package: Path, tag: str) -> NullTranslations:
    """The messages of `package` in `tag`, falling back on the shared ones and then on English."""
    return _Chinese(package) if tag == LOCALE.replace("_", "-") else NullTranslations()


class _Chinese(NullTranslations):
    """Read when the first message is wanted: reading takes 30 ms and 4 MB, and many processes never speak."""

    def __init__(self, package: Path) -> None:
        super().__init__()
        self._package = package

    @cached_property
    def _messages(self) -> NullTranslations:
        messages = _compiled(self._package)
        if self._package != SHARED:
            messages.add_fallback(_compiled(SHARED))
        return messages

    def gettext(self, message: str) -> str:
        return self._messages.gettext(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self._messages.ngettext(msgid1, msgid2, n)


def _compiled(package: Path) -> NullTranslations:
    path = path_of(package)
    if not path.exists():
        return NullTranslations()
    buffer = BytesIO()
    write_mo(buffer, _read(path))
    buffer.seek(0)
    return Translations(buffer)


def _read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=LOCALE)


def extract(package: Path) -> Catalog:
    """Every message that the Python files and templates of `package` can show."""
    catalog = Catalog(locale=LOCALE)
    errors = _error_classes(package)
    for path in sorted(package.rglob("*")):
        name = path.relative_to(package).as_posix()
        for line, message, notes in _messages(path, errors):
            catalog.add(message, locations=[(name, line)], auto_comments=notes)
    return catalog


def _messages(path: Path, errors: set[str]) -> Iterator[tuple[int, Any, list[str]]]:
    """Line, message (a pair where there is a plural) and the notes to translators before it."""
    method: Any = {".py": "python", ".html": babel_extract}.get(path.suffix)
    if method is None:
        return
    with path.open("rb") as file:
        found = source.extract(method, file, _KEYWORDS, ("i18n:",), {"trimmed": "true"})
        for line, message, notes, _ in found:
            yield line, message, notes
    if path.suffix == ".py" and (SHARED not in path.parents or _is_told(path)):
        for line, docstring in _error_messages(path, errors):
            yield line, docstring, []


def _is_told(path: Path) -> bool:
    return path.relative_to(SHARED).as_posix().startswith(_TOLD)


def _classes(path: Path) -> Iterator[ast.ClassDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def _error_classes(package: Path) -> set[str]:
    """Names of the classes below AftercareError, in `package` and in what it stands on."""
    bases = {
        node.name: {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        for root in {SHARED, package}
        for path in root.rglob("*.py")
        for node in _classes(path)
    }
    known = {"AftercareError"}
    while more := {name for name, parents in bases.items() if parents & known} - known:
        known |= more
    return known - {"AftercareError"}


def _error_messages(path: Path, errors: set[str]) -> Iterator[tuple[int, str]]:
    for node in _classes(path):
        if node.name in errors and (docstring := ast.get_docstring(node)):
            yield node.lineno, inspect.cleandoc(docstring)


def update(package: Path) -> list[str]:
    """Bring the catalogue to what the code says, keeping translations; returns what is left to translate."""
    path, wanted = path_of(package), extract(package)
    if not len(wanted):
        return []
    catalog = _read(path) if path.exists() else Catalog(locale=LOCALE)
    catalog.update(wanted, no_fuzzy_matching=True)
    catalog.obsolete.clear()
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalog, width=110, omit_header=True, include_lineno=False, sort_by_file=True)
    return faults(package)


def faults(package: Path) -> list[str]:
    """What is wrong with the catalogue of `package`, one sentence a message; empty when it is complete."""
    path, wanted = path_of(package), extract(package)
    stored = _read(path) if path.exists() else Catalog(locale=LOCALE)
    missing = [message.id for message in wanted if message.id and message.id not in stored]
    found = [f"{path}: {message!r} is missing; run python -m shared.i18n {package}" for message in missing]
    for message in stored:
        if not message.id:
            continue
        if message.id not in wanted:
            found.append(f"{path}: {message.id!r} is no longer used; run python -m shared.i18n {package}")
        elif message.fuzzy or not all(_strings(message.string)):
            found.append(f"{path}: {message.id!r} has no Chinese translation")
        else:
            found += [f"{path}: {message.id!r}: {error}" for error in message.check(stored)]
            found += _other_fields(path, message.id, message.string)
    return found


def _other_fields(path: Path, source: object, translated: object) -> list[str]:
    """Placeholders in braces that only one of the two has: babel checks the ones with a percent sign."""

    def fields(text: object) -> set[str]:
        try:
            return {name for part in _strings(text) for _, name, _, _ in Formatter().parse(part) if name}
        except ValueError:  # a lone brace: no format string at all
            return set()

    if fields(source) == fields(translated):
        return []
    return [f"{path}: {source!r} and its translation name different fields"]


def _strings(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(part or "") for part in value) if isinstance(value, list | tuple) else ("",)
