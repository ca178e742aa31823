from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodegraph.wildcards import alternatives, parse, pick

FILES = {"colours.txt": ["red", "blue {not read}", "", "grey"], "empty.txt": ["", ""]}


def read(name: str) -> list[str]:
    return FILES[name]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a cat", ["a cat"]),
        ("", [""]),
        ("a {red|blue} {cat|dog}", ["a red cat", "a red dog", "a blue cat", "a blue dog"]),
        ("{a|b{c|d}e}", ["a", "bce", "bde"]),
        ("a{| big} cat", ["a cat", "a big cat"]),
        ("{one}", ["one"]),
        ("a|b", ["a|b"]),
        (r"\{a\|b\} \d", [r"{a|b} \d"]),
        ("{a\\|b|c}", ["a|b", "c"]),
        ("{a|a|b}", ["a", "b"]),
        ("{@colours.txt}!", ["red!", "blue {not read}!", "grey!"]),
        ("{@colours.txt|x}", ["@colours.txt", "x"]),
        ("(a:1.2), [b], {c, d|e}", ["(a:1.2), [b], c, d", "(a:1.2), [b], e"]),
    ],
)
def test_a_text_stands_for(text: str, expected: list[str]) -> None:
    assert alternatives(text, read) == expected
    assert parse(text, read).count >= len(expected)
    assert {pick(text, seed, read) for seed in range(60)} == set(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a {b", "has a '{' at 3 that is not closed"),
        ("a} b", "has a '}' at 2 that closes nothing"),
        ("{a|{b}", "has a '{' at 1 that is not closed"),
        ("{@empty.txt}", "has no lines to choose from"),
        ("{0|1|2|3|4|5|6|7|8|9}" * 6, "stands for 1,000,000 texts; at most 100,000"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        alternatives(text, read)


@given(st.recursive(st.text("ab |{}\\", max_size=4), lambda inner: st.lists(inner, max_size=3), max_leaves=8))
def test_plain_text_survives_its_escaping(parts: object) -> None:
    text = str(parts)
    escaped = "".join(f"\\{c}" if c in "{|}" else c for c in text if c != "\\")
    assert alternatives(escaped, read) == [text.replace("\\", "")]


def test_the_choice_of_a_seed_never_changes_and_is_even() -> None:
    assert [pick("{a|b|c|d}", seed, read) for seed in range(8)] == ["d", "a", "d", "a", "a", "c", "d", "b"]
    counts = Counter(pick("{a|b|c|d}", seed, read) for seed in range(2000))
    assert all(400 < counts[letter] < 600 for letter in "abcd")
