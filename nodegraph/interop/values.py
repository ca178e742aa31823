"""Values of ComfyUI's inputs as ours, and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any


def text(read: Callable[[str], str]) -> Callable[[Any], Any]:
    return lambda value: read(value) if isinstance(value, str) else value


def words(**here: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Values by name, and back. Others stay as they are."""
    there = {v: k for k, v in reversed(here.items())}
    return (lambda v: here.get(v, v) if isinstance(v, str) else v), (
        lambda v: there.get(v, v) if isinstance(v, str) else v
    )


def sampler(value: Any) -> Any:
    return value.removesuffix("_gpu") if isinstance(value, str) else value


def file(value: Any) -> Any:
    """`name.png [input]` without where it lies: documents here name files, not kinds of folders."""
    return re.sub(r" \[(input|output|temp)\]$", "", value) if isinstance(value, str) else value


def stem(value: Any) -> Any:
    """A prefix for file names as a plain name: folders and placeholders such as `%date%` are taken out."""
    if not isinstance(value, str):
        return value
    plain = re.sub(r"%[^%]*%", "", value).replace("/", "-").replace("\\", "-")
    return re.sub(r"[^\w\-. ()+,]", "-", plain).strip("-. ")[:150] or "ComfyUI"


def colour(value: Any) -> Any:
    return f"#{value:06x}" if isinstance(value, int) and 0 <= value < 2**24 else value


def number(value: Any) -> Any:
    return int(value[1:], 16) if isinstance(value, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", value) else value


def at_most(limit: int, beyond: int) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Whole numbers up to a limit; what is more means "to the end", which is written as `beyond` there."""
    return (lambda v: min(v, limit) if isinstance(v, int) else v), (
        lambda v: beyond if isinstance(v, int) and v >= limit else v
    )


def rest(value: Any) -> Any:
    """What is missing from 1."""
    return round(1 - value, 9) if isinstance(value, int | float) else value


def minus(value: Any) -> Any:
    return -value if isinstance(value, int) else value
