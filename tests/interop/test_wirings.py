"""The wirings of ComfyUI's examples: to our document and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

import nodegraph_diffusion
from interop.wirings import ALL, Prompt
from nodegraph import Registry
from nodegraph.interop import Opened, export, open_document
from nodegraph.interop.classes import known_classes
from nodegraph.interop.prompt import EXTRAS

REGISTRY = Registry(nodegraph_diffusion.pack)


def opened(prompt: Prompt) -> Opened:
    return open_document(json.dumps(prompt).encode(), REGISTRY)


def plain(prompt: Any) -> Any:
    """Without titles and buttons, and with what a file that lacks it means."""
    made = {}
    for id, node in prompt.items():
        given = {name: value for name, value in node["inputs"].items() if name not in EXTRAS}
        known = known_classes().get(node["class_type"])
        defaults = {p.name: p.default for p in known.widgets if p.has_default} if known is not None else {}
        made[id] = (node["class_type"], {**defaults, **given})
    return made


def trees(prompt: Any) -> list[Any]:
    """What each node that nobody reads is made of, whatever the ids are."""
    nodes = plain(prompt)

    def tree(id: str) -> Any:
        kind, inputs = nodes[id]
        return kind, sorted((n, (tree(v[0]), v[1]) if isinstance(v, list) else v) for n, v in inputs.items())

    read = {v[0] for _, inputs in nodes.values() for v in inputs.values() if isinstance(v, list)}
    return sorted((tree(id) for id in nodes if id not in read), key=repr)


@pytest.mark.parametrize("name", ALL)
def test_there_and_back_gives_the_same_prompt(name: str) -> None:
    made = export(opened(ALL[name]).workflow, REGISTRY)
    assert trees(made.prompt) == trees(ALL[name])
    assert made.whole
    if name not in ("flux", "esrgan", "hires_esrgan"):  # parts have no ids of their own here
        assert plain(made.prompt) == plain(ALL[name])
