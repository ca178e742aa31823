"""Prompts that differ from seed to seed."""

from __future__ import annotations

import contextlib

from nodegraph import Context, Folders, NodeError, node, wildcards

from .params import Seed, Text


@node(version=1, category="text and numbers")
def pick_words(ctx: Context, text: Text = "a {red|blue|green} {cat|dog}", seed: Seed = 0) -> str:
    r"""Choose among the alternatives in a text, by chance.

    `{red|blue}` is one of the two, braces nest, an alternative may be empty, and `{@colours.txt}` is a line of a file.
    `\{`, `\|` and `\}` are plain. To make a picture of every alternative instead, use `run --sweep`.

    Args:
        text: The text with alternatives.
        seed: Another seed is another choice.
    """

    def lines(file: str) -> list[str]:
        try:
            return (ctx.folders.base / file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise NodeError(f"{file!r} cannot be read ({error}); give the path of a text file", "text") from error

    try:
        return wildcards.pick(text, seed, lines)
    except ValueError as error:
        raise NodeError(str(error), "text") from error


@pick_words.fingerprint
def _files(text: str, folders: Folders) -> str:
    """The lines of the files that it names: another file is another choice."""
    read: list[str] = []

    def lines(file: str) -> list[str]:
        found = (folders.base / file).read_text(encoding="utf-8").splitlines()
        read.extend(found)
        return found

    with contextlib.suppress(ValueError, OSError):  # the node itself says what is wrong
        wildcards.parse(text, lines)
    return "\n".join(read)
