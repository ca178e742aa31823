"""A `CLIPTokenizer` made from captions: every word of theirs is one token, and any other text still has some."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from transformers import CLIPTokenizer

END: Final = "</w>"
_START_OF_TEXT, _END_OF_TEXT = "<|startoftext|>", "<|endoftext|>"
_WORDS: Final = re.compile(r"[^\W\d_]+")


def byte_letters() -> list[str]:
    """The 256 printable characters that byte-level BPE writes bytes as, in the order of GPT-2's table."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [*map(chr, printable), *(chr(256 + i) for i in range(256 - len(printable)))]


def merges_for(words: Iterable[str]) -> list[tuple[str, str]]:
    """Merges, in order of rank, under which each of `words` becomes one token.

    A word's merges are found after those of the words before it were applied to it. They rank below all of those, so
    they never come first in a word that the earlier merges already join.
    """
    merges: dict[tuple[str, str], int] = {}
    for word in words:
        pieces = apply(merges, word)
        while len(pieces) > 1:
            merges[pieces[0], pieces[1]] = len(merges)
            pieces = apply(merges, word)
    return list(merges)


def apply(merges: dict[tuple[str, str], int], word: str) -> list[str]:
    """The pieces of `word` by byte-pair encoding: the adjacent pair of lowest rank is joined until none has a rank."""
    pieces = [*word[:-1], word[-1] + END]
    while True:
        ranked = [(merges[pair], i) for i, pair in enumerate(pairwise(pieces)) if pair in merges]
        if not ranked:
            return pieces
        _, i = min(ranked)
        pieces[i : i + 2] = [pieces[i] + pieces[i + 1]]


def make_tokenizer(sentences: Iterable[str], length: int) -> CLIPTokenizer:
    """A tokenizer whose texts have `length` tokens and in which each (ASCII) word of `sentences` is one."""
    words = dict.fromkeys(word for sentence in sentences for word in _WORDS.findall(sentence.lower()) if word.isascii())
    merges = merges_for(words)
    letters = byte_letters()
    joined = ["".join(pair) for pair in merges]
    pieces = [*letters, *(letter + END for letter in letters), *joined, _START_OF_TEXT, _END_OF_TEXT]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=length)
