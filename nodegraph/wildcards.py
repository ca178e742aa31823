"""Texts with alternatives: `a {red|blue} {cat|dog}` stands for four texts.

Braces nest, an alternative may be empty, `{@colours.txt}` takes the lines of a file, and `\\{`, `\\|`, `\\}` are plain.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Read = Callable[[str], list[str]]
"""Gives the lines of a file by its name."""
MOST = 100_000
"""Texts that one text may stand for when all are asked for."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Pieces one after the other."""

    pieces: tuple[str | Choice, ...]

    @property
    def count(self) -> int:
        """How many texts it stands for."""
        made = 1
        for piece in self.pieces:
            made *= 1 if isinstance(piece, str) else piece.count
        return made

    def texts(self) -> Iterator[str]:
        parts = [[piece] if isinstance(piece, str) else list(piece.texts()) for piece in self.pieces]
        return map("".join, itertools.product(*parts))

    def pick(self, source: random.Random) -> str:
        return "".join(piece if isinstance(piece, str) else piece.pick(source) for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several."""

    options: tuple[Phrase, ...]

    @property
    def count(self) -> int:
        return sum(option.count for option in self.options)

    def texts(self) -> Iterator[str]:
        return itertools.chain.from_iterable(option.texts() for option in self.options)

    def pick(self, source: random.Random) -> str:
        return self.options[int(source.random() * len(self.options))].pick(source)


def parse(text: str, read: Read) -> Phrase:
    """Raises `ValueError` for braces that do not match and for files that cannot be read or are empty."""
    found, end = _sequence(text, 0, read, inside=False)
    if end < len(text):
        raise ValueError(f"{text!r} has a '}}' at {end + 1} that closes nothing; write '\\}}' for a plain one")
    return found


def alternatives(text: str, read: Read) -> list[str]:
    """Every text that `text` stands for, in order, each once. Raises `ValueError` as `parse`, and beyond `MOST`."""
    found = parse(text, read)
    if found.count > MOST:
        raise ValueError(f"{text!r} stands for {found.count:,} texts; at most {MOST:,} are made")
    return list(dict.fromkeys(found.texts()))


def pick(text: str, seed: int, read: Read) -> str:
    """One of the texts that `text` stands for, the same for a seed in every version of Python."""
    return parse(text, read).pick(random.Random(seed))


def _sequence(text: str, at: int, read: Read, inside: bool) -> tuple[Phrase, int]:
    pieces: list[str | Choice] = []
    plain = ""
    while at < len(text):
        letter = text[at]
        if letter == "\\" and text[at + 1 : at + 2] in ("{", "|", "}"):
            plain += text[at + 1]
            at += 2
        elif letter == "{":
            choice, at = _choice(text, at, read)
            pieces += [plain, choice] if plain else [choice]
            plain = ""
        elif letter == "}" or (letter == "|" and inside):
            break
        else:
            plain += letter
            at += 1
    return Phrase((*pieces, plain) if plain else tuple(pieces)), at


def _choice(text: str, start: int, read: Read) -> tuple[Choice, int]:
    options: list[Phrase] = []
    at = start + 1
    while True:
        option, at = _sequence(text, at, read, inside=True)
        options.append(option)
        if at >= len(text):
            raise ValueError(f"{text!r} has a '{{' at {start + 1} that is not closed; write '\\{{' for a plain one")
        at += 1
        if text[at - 1] == "}":
            break
    match options:
        case [Phrase((str(name),))] if name.startswith("@"):
            lines = [line for line in read(name[1:]) if line]
            if not lines:
                raise ValueError(f"the file {name[1:]!r} has no lines to choose from")
            return Choice(tuple(Phrase((line,)) for line in lines)), at
    return Choice(tuple(options)), at
