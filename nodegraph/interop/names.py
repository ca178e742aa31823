"""Readable ids that also say which of their nodes they were, and the types of placeholders."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

from ..workflow import FOREIGN
from .prompt import Item

NAMELESS = f"{FOREIGN}/Other@1"
"""The type of a placeholder whose class has no plain name; it is in the input `class_type`."""
CLASS_TYPE = "class_type"
INPUT_NAMES = "input_names"
"""The inputs of a placeholder whose names do not fit here, each with its own."""
PLAIN_CLASS = re.compile(r"[A-Z][A-Za-z0-9]*")
PLAIN_NAME = re.compile(r"[a-z][a-z0-9_]*")
NUMBERED = re.compile(r"[0-9]+(?:[:_][0-9]+)*")


def slug(text: str) -> str:
    """`KSamplerAdvanced` -> `k_sampler_advanced`; "Prompt (2)" -> `prompt2`, so that no number stands alone."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text)
    plain = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    return re.sub(r"^(?=[0-9])", "n", re.sub(r"_(?=[0-9])", "", plain))[:60].strip("_")


def node_id(theirs: str, item: Item, taken: Container[str]) -> str:
    """An id for one of their nodes: what it is called and their id, so that it can be told where it comes from."""
    stem = slug(item.title) or slug(item.type) or "node"
    number = theirs.replace(":", "_") if NUMBERED.fullmatch(theirs) else slug(theirs)
    base = f"{stem}_{number}" if number else stem
    made, next = base[:95], 2
    while made in taken:
        made, next = f"{base[:90]}x{next}", next + 1
    return made


def their_id(id: str) -> str | None:
    """The id that `node_id` made this one from, where that was a number; inside of definitions `3:5`."""
    found = [re.fullmatch(r".*?_([0-9]+(?:_[0-9]+)*)", part) for part in id.split("/")]
    numbers = [match[1].replace("_", ":") for match in found if match]
    return ":".join(numbers) if len(numbers) == len(found) else None


def stem(id: str) -> str:
    """The last part of an id without the number at its end."""
    return re.sub(r"_[0-9]+(?:_[0-9]+)*$", "", id.rpartition("/")[2])


def free(name: str, taken: Iterable[str]) -> str:
    """`name`, or that with a number which makes it new."""
    known, made, next = set(taken), name[:80], 2
    while made in known:
        made, next = f"{name[:80]}_{next}", next + 1
    return made


def placeholder_type(class_type: str) -> str:
    return f"{twin_type(class_type)}@1" if PLAIN_CLASS.fullmatch(class_type) else NAMELESS


def twin_type(class_type: str) -> str:
    """The type id of the node that does as one of their classes does, with the same names."""
    name = class_type.replace("_", "")
    return f"{FOREIGN}/{name[:1].upper()}{name[1:]}"


def output_name(slot: int) -> str:
    """What an output of a placeholder is called."""
    return f"output_{slot}"
