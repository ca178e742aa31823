"""Prompts that differ from seed to seed."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated

from nodegraph import Context, Folders, NodeError, Widget, choices, node, wildcards

from .params import Seed

Pattern = Annotated[str, Widget("textarea", wildcards="wildcards")]
FOLDER = "wildcards"


@node(version=1, category="text and numbers")
def pick_words(ctx: Context, text: Pattern = "a {red|blue|green} {cat|dog}", seed: Seed = 0) -> str:
    r"""Choose among the alternatives in a text, by chance.

    `{red|blue}` is one of the two, braces nest, an alternative may be empty, and `{@colours.txt}` is a line of a file:
    one beside the document, or in a folder `wildcards` in the folders of models. `\{`, `\|` and `\}` are plain. To make
    a picture of every alternative instead, use `run --sweep`.

    Args:
        text: The text with alternatives.
        seed: Another seed is another choice.
    """

    def lines(file: str) -> list[str]:
        try:
            return _lines(file, ctx.folders)
        except (OSError, ValueError) as error:
            raise NodeError(f"{file!r} cannot be read ({error}); give the name of a text file", "text") from error

    try:
        return wildcards.pick(text, seed, lines)
    except ValueError as error:
        raise NodeError(str(error), "text") from error


@pick_words.fingerprint
def _files(text: str, folders: Folders) -> str:
    """The lines of the files that it names: another file is another choice."""
    read: list[str] = []

    def lines(file: str) -> list[str]:
        found = _lines(file, folders)
        read.extend(found)
        return found

    with contextlib.suppress(ValueError, OSError):  # the node itself says what is wrong
        wildcards.parse(text, lines)
    return "\n".join(read)


@choices("wildcards")
def files(folders: Folders) -> Mapping[str, str]:
    """The text files that `{@name}` may name, each with its first words."""
    found: dict[str, str] = {}
    for base in _bases(folders):
        for file in sorted(base.rglob("*.txt") if base.name == FOLDER else base.glob("*.txt")):
            with contextlib.suppress(OSError, UnicodeDecodeError):
                first = file.read_text(encoding="utf-8")[:200].splitlines()[:4]
                found.setdefault(file.relative_to(base).as_posix(), ", ".join(first))
    return found


def _bases(folders: Folders) -> list[Path]:
    return [folders.base, *(base / FOLDER for base in folders.models)]


def _lines(name: str, folders: Folders) -> list[str]:
    """The lines of a text file below one of the folders that they are looked for in.

    Documents come from strangers, so a name never leads elsewhere. Raises `ValueError` and `OSError`.
    """
    path = PurePosixPath(name)
    if path.suffix != ".txt" or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise ValueError("it is no name of a .txt file beside the document or in a folder 'wildcards'")
    tried = [base / path for base in _bases(folders)]
    found = next((file for file in tried if file.is_file()), tried[0])
    return found.read_text(encoding="utf-8").splitlines()
