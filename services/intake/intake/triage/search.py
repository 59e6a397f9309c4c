"""Which words of the rules stand in a text, and where: all rules at once, linear in the text. Pure.

Each word has a key that any text with the word has too: the tokens that an English word begins with, the
first characters of a Chinese one. So of ten thousand words a few dozen are looked for at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, pairwise
from operator import concat
from string import ascii_letters, digits
from typing import Final

Place = tuple[int, int]
"""Where a word begins and ends in the text."""
Places = Mapping[int, list[Place]]
"""By the number of a word: its places, from the beginning of the text on."""

_MOST_HITS: Final = 100  # of one word in one text; whoever writes it more often means nothing else by it
LONGEST: Final = 60
"""Characters that a word of the rules may have, and an open one may reach to."""
_PREFIX: Final = 3
_LATIN: Final = frozenset(ascii_letters + digits)
_TOKENS: Final = re.compile(r"[0-9A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Word:
    """A word to look for as it stands in folded texts; an English one begins and ends as words do."""

    text: str
    open: bool
    """Any ending of the word will do."""

    def places(self, text: str) -> list[Place]:
        """Where it stands; what of the first hundred places of its characters is a word of its own."""
        found: list[Place] = []
        for place, end in self.plain_places(text):
            if self.text[0] in _LATIN and place and text[place - 1] in _LATIN:
                continue
            if self.open:
                while end < len(text) and end - place < LONGEST and text[end] in _LATIN:
                    end += 1
            elif self.text[-1] in _LATIN and end < len(text) and text[end] in _LATIN:
                continue
            found.append((place, end))
        return found

    def plain_places(self, text: str) -> list[Place]:
        """The first hundred places of its characters."""
        size, place = len(self.text), text.find(self.text)
        found = [(place, place + size)] if place >= 0 else []
        while (place := text.find(self.text, place + 1)) > 0 and len(found) < _MOST_HITS:
            found.append((place, place + size))
        return found


Looked = tuple[int, Word, str, bool]
"""A word with its number and its characters, and whether it stands wherever they do."""


@dataclass(frozen=True)
class Index:
    """Words by what a text must have for one of them to stand in it.

    keys   a character, two or three of them, a token or the beginning of one
    pairs  two tokens that follow each other
    sizes  how many characters of a token tell open words
    """

    words: tuple[Word, ...]
    keys: Mapping[str, tuple[Looked, ...]]
    pairs: Mapping[str, tuple[Looked, ...]]
    sizes: frozenset[int]

    @staticmethod
    def of(words: Iterable[Word]) -> Index:
        numbered = tuple(words)
        keys: dict[str, tuple[Looked, ...]] = {}
        pairs: dict[str, tuple[Looked, ...]] = {}
        sizes: set[int] = set()
        for number, word in enumerate(numbered):
            key, opened = _key(word)
            if opened:
                sizes.add(len(key))
            into = pairs if " " in key else keys
            into[key] = (*into.get(key, ()), (number, word, word.text, _plain(word)))
        return Index(numbered, keys, pairs, frozenset(sizes))

    def standing(self, text: str) -> dict[int, list[Place]]:
        """The words that stand in the text with their places."""
        tokens = _TOKENS.findall(text)
        here = {*text, *tokens}
        for size in self.sizes:
            here.update([each[:size] for each in tokens])
        if not text.isascii():
            pairs = [*map(concat, text, text[1:])]
            here.update(pairs, map(concat, pairs, text[2:]))
        looked = [self.keys[key] for key in self.keys.keys() & here]
        looked += [self.pairs[key] for key in self.pairs.keys() & {*map(" ".join, pairwise(tokens))}]
        found: dict[int, list[Place]] = {}
        for number, word, letters, plain in chain.from_iterable(looked):
            if letters in text and (places := word.plain_places(text) if plain else word.places(text)):
                found[number] = places
        return found


def _key(word: Word) -> tuple[str, bool]:
    """What a text with the word has too, and whether that is the beginning of a token.

    A word that begins with a sign is told by that; a Chinese one by three characters; an English one by its
    first two tokens, as far as they are whole.
    """
    if word.text[0] not in _LATIN:
        return word.text[: 1 if word.text[0].isascii() else _PREFIX], False
    tokens = _TOKENS.findall(word.text)
    if not (word.open and word.text[-1] in _LATIN):
        return " ".join(tokens[:2]), False
    whole = " ".join(tokens[:-1][:2])
    return whole or tokens[0][:_PREFIX], not whole


def _plain(word: Word) -> bool:
    return not word.open and word.text[0] not in _LATIN and word.text[-1] not in _LATIN
