"""Prompts mean here what they mean there."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodegraph.interop.wording import from_comfyui, only_here, pieces, to_comfyui
from nodegraph_diffusion.diffusion.prompts import parse

WORDS = ["(", ")", "[", "]", ":", "1.2", "\\", "a", "b ", " BREAK ", ":0.5)", "((", "é"]


def merged(found: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Stretches of one weight as one, without empty ones."""
    groups = itertools.groupby((p for p in found if p[0]), key=lambda p: round(p[1], 6))
    return [("".join(text for text, _ in group), weight) for weight, group in groups]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a (b) c", [("a ", 1.0), ("b", 1.1), (" c", 1.0)]),
        ("(a (b:1.5) c)", [("a ", 1.1), ("b", 1.5), (" c", 1.1)]),
        ("((a):1.3)", [("a", 1.43)]),
        ("((a:1.3))", [("a", 1.3)]),
        (r"\(smile\) [x]", [("(smile) [x]", 1.0)]),
        ("a) (b)", [("a) (b)", 1.0)]),
        ("(a", [("(a", 1.0)]),
        ("(x:1e-1)", [("x", 0.1)]),
    ],
)
def test_their_parser(text: str, expected: list[tuple[str, float]]) -> None:
    assert merged(pieces(text)) == expected


@settings(max_examples=600, deadline=None)
@given(
    st.lists(st.sampled_from(["(", ")", "[", "]", ":", "1.2", "\\", "a", "b ", " BREAK ", ":0.5)", "((", "é"])).map(
        "".join
    )
)
def test_a_text_means_the_same(text: str) -> None:
    sections = parse(from_comfyui(text))
    assert len(sections) == 1
    theirs = [(t.replace("BREAK", "break"), w) for t, w in pieces(text)]
    ours = [(p.text.replace("BREAK", "break"), p.weight) for p in sections[0]]
    assert merged(ours) == merged(theirs)


@pytest.mark.parametrize("text", ["a (cat:1.2), [dog]", r"\(smile\) ((x))", "plain", "[[y]] (z)"])
def test_there_and_back(text: str) -> None:
    assert to_comfyui(from_comfyui(text)) == text


def test_what_only_means_something_here() -> None:
    assert only_here("a [less] b") == "[less]"
    assert only_here("a BREAK b") == "BREAK"
    assert only_here(r"\[a\] (b)") is None
