"""Text, numbers and choices, for what several nodes share."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import Field

from nodegraph import MAX_INT, Lazy, Widget, node

from .params import Text

T = TypeVar("T")
CATEGORY = "text and numbers"


@node(version=1, category=CATEGORY)
def text(text: Text = "") -> str:
    """A text, for several nodes to share.

    Args:
        text: The text.
    """
    return text


@node(version=1, category=CATEGORY)
def number(value: float = 0.0) -> float:
    """A number, which may have a fraction, for several nodes to share.

    Args:
        value: The number.
    """
    return value


@node(version=1, category=CATEGORY)
def integer(value: Annotated[int, Field(ge=-MAX_INT, le=MAX_INT), Widget("number", step=1)] = 0) -> int:
    """A whole number, for several nodes to share.

    Args:
        value: The number.
    """
    return value


@node(version=1, category=CATEGORY)
def boolean(value: bool = False) -> bool:
    """Yes or no, for several nodes to share.

    Args:
        value: Whether it is yes.
    """
    return value


@node(version=1, category=CATEGORY)
def join_text(texts: list[str], separator: str = ", ") -> str:
    """Join texts into one.

    Args:
        texts: In the order of the links. Empty ones are left out.
        separator: What stands between them.
    """
    return separator.join(text for text in texts if text)


@node(version=1, category=CATEGORY)
async def switch(on: bool, yes: Lazy[T], no: Lazy[T]) -> T:
    """Pass on one of two values of any type. Only what the chosen one needs is computed.

    Args:
        on: Which one.
        yes: Passed on if it is on.
        no: Passed on if it is off.
    """
    return await (yes if on else no)
