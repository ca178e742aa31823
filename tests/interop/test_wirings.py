"""The wirings of ComfyUI's examples: to our document and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import nodegraph_diffusion.comfyui
from interop.wirings import ALL, Prompt
from nodegraph import Engine, Folders, Registry
from nodegraph.interop import Opened, export, open_document
from nodegraph.interop.classes import known_classes
from nodegraph.interop.prompt import EXTRAS

REGISTRY = Registry(nodegraph_diffusion.pack, nodegraph_diffusion.comfyui.pack)
BARE = Registry(nodegraph_diffusion.pack)


def opened(prompt: Prompt, registry: Registry = REGISTRY) -> Opened:
    return open_document(json.dumps(prompt).encode(), registry)


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


@pytest.mark.parametrize("registry", [REGISTRY, BARE], ids=["with twins", "without"])
@pytest.mark.parametrize("name", ALL)
def test_there_and_back_gives_the_same_prompt(name: str, registry: Registry) -> None:
    made = export(opened(ALL[name], registry).workflow, registry)
    assert trees(made.prompt) == trees(ALL[name])
    assert made.whole
    if name not in ("flux", "esrgan", "hires_esrgan"):  # parts have no ids of their own here
        assert plain(made.prompt) == plain(ALL[name])


def small(prompt: Prompt) -> Prompt:
    """The same with the shipped model, small pictures and few steps."""
    made = json.loads(json.dumps(prompt))
    for each in made.values():
        for name, value in each["inputs"].items():
            if name == "ckpt_name":
                each["inputs"][name] = "demo"
            elif name in ("width", "height", "top", "bottom", "feathering") and isinstance(value, int):
                each["inputs"][name] = value // 8
            elif name in ("steps", "start_at_step", "end_at_step") and value < 1000:
                each["inputs"][name] = value // 5
            elif name == "image" and isinstance(value, str):
                each["inputs"][name] = "picture.png"
    return made  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("img2img", [(64, 56)]),
        ("inpaint", [(64, 56)]),
        ("outpaint", [(64, 56 + 32)]),
        ("hires_latent", [(96, 96), (144, 144)]),
        ("sdxl", [(128, 128)]),
    ],
)
def test_it_runs(name: str, sizes: list[tuple[int, int]], tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (56, 64, 4), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    made = opened(small(ALL[name]))
    assert not made.notes
    engine = Engine(REGISTRY, folders=Folders(base=tmp_path, output=tmp_path / "output"))
    try:
        files = engine.run(made.workflow).files
    finally:
        engine.close()
    found = []
    for file in sorted(files):
        with Image.open(file) as picture:
            found.append(picture.size)
    assert found == sizes
    again = open_document(files[0].read_bytes(), REGISTRY)
    assert again.workflow.nodes.keys() == made.workflow.nodes.keys()


def test_it_says_what_stays_a_placeholder_and_why() -> None:
    made = opened(ALL["gligen"])
    assert {n.node: n.code for n in made.notes} == {
        "gligen_loader_10": "not_carried",
        "gligen_text_box_apply_21": "not_carried",
        "gligen_text_box_apply_27": "not_carried",
    }
    assert made.workflow.nodes["gligen_loader_10"].type == "comfyui/GLIGENLoader@1"
    engine = Engine(REGISTRY)
    try:
        problems = engine.check(made.workflow, {"checkpoint_loader_simple_4.source": "demo"})
    finally:
        engine.close()
    assert {p.node for p in problems} == {n.node for n in made.notes}
