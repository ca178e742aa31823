"""Texts as ComfyUI changes them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nodegraph import MAX_INT, Widget, node

from ..params import Text

CATEGORY = "ComfyUI"
Whole = Annotated[int, Field(ge=-MAX_INT, le=MAX_INT), Widget("number", step=1)]


@node(version=1, title="StringConcatenate", category=CATEGORY)
def StringConcatenate(string_a: Text = "", string_b: Text = "", delimiter: Text = "") -> str:
    """Put a text behind another.

    Args:
        string_a: The first.
        string_b: The second.
        delimiter: What is between them.
    """
    return f"{string_a}{delimiter}{string_b}"


@node(version=1, title="StringSubstring", category=CATEGORY)
def StringSubstring(string: Text = "", start: Whole = 0, end: Whole = 0) -> str:
    """A part of a text.

    Args:
        string: The whole.
        start: Its first letter, counted from 0; below 0 from the end.
        end: The letter behind its last.
    """
    return string[start:end]


@node(version=1, title="StringLength", category=CATEGORY)
def StringLength(string: Text = "") -> int:
    """How many letters a text has.

    Args:
        string: The text.
    """
    return len(string)


@node(version=1, title="StringTrim", category=CATEGORY)
def StringTrim(string: Text = "", mode: Literal["Both", "Left", "Right"] = "Both") -> str:
    """A text without blanks at its ends.

    Args:
        string: The text.
        mode: At which end.
    """
    return {"Both": string.strip, "Left": string.lstrip, "Right": string.rstrip}[mode]()


@node(version=1, title="StringReplace", category=CATEGORY)
def StringReplace(string: Text = "", find: Text = "", replace: Text = "") -> str:
    """Put other words into a text.

    Args:
        string: The text.
        find: What is taken out, wherever it stands.
        replace: What comes in its place.
    """
    return string.replace(find, replace)


@node(version=1, title="StringContains", category=CATEGORY)
def StringContains(string: Text = "", substring: Text = "", case_sensitive: bool = True) -> bool:
    """Whether a text has some words.

    Args:
        string: The text.
        substring: The words.
        case_sensitive: Whether capitals matter.
    """
    return substring in string if case_sensitive else substring.lower() in string.lower()


@node(version=1, title="StringCompare", category=CATEGORY)
def StringCompare(
    string_a: Text = "", string_b: Text = "", mode: Literal["Starts With", "Ends With", "Equal"] = "Starts With",
    case_sensitive: bool = True,
) -> bool:  # fmt: skip
    """Whether a text begins or ends with another, or is the same.

    Args:
        string_a: The text.
        string_b: The other.
        mode: Which of these.
        case_sensitive: Whether capitals matter.
    """
    one, other = (string_a, string_b) if case_sensitive else (string_a.lower(), string_b.lower())
    return {"Starts With": one.startswith(other), "Ends With": one.endswith(other), "Equal": one == other}[mode]


@node(version=1, title="CaseConverter", category=CATEGORY)
def CaseConverter(
    string: Text = "", mode: Literal["UPPERCASE", "lowercase", "Capitalize", "Title Case"] = "UPPERCASE"
) -> str:
    """A text in capitals, or without.

    Args:
        string: The text.
        mode: Which letters are capitals: all, none, the first, or the first of each word.
    """
    made = {"UPPERCASE": str.upper, "lowercase": str.lower, "Capitalize": str.capitalize, "Title Case": str.title}
    return made[mode](string)
