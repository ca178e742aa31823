"""`embedding:name` in ComfyUI's prompts: here a node teaches the text encoder a word, and the prompt says the word."""

from __future__ import annotations

import re
from collections.abc import Mapping

NAMED = re.compile(r"embedding:((?:[^\s,()\[\]:\\]|\\(?=\w))+)")
TEACHER = "TeachWord"
FOLDER = "embeddings/"
ENDING = ".safetensors"


def named(text: str) -> list[str]:
    """The textual inversions that a prompt names, each once."""
    return list(dict.fromkeys(NAMED.findall(text)))


def word(name: str) -> str:
    """What stands here for one."""
    return f"<{name.removesuffix(ENDING)}>".replace("\\", "/")


def from_comfyui(text: str) -> str:
    """The prompt with words in the places of names."""
    return NAMED.sub(lambda found: word(found[1]), text)


def name(source: str) -> str:
    """What prompts there call a file."""
    return source.removeprefix(FOLDER).removesuffix(ENDING)


def to_comfyui(text: str, taught: Mapping[str, str]) -> str:
    """The prompt with names in the places of words.

    Args:
        taught: The file of each word.
    """
    for said, source in taught.items():
        text = text.replace(said, f"embedding:{name(source)}")
    return text
