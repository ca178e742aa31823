"""Prompt, seed and model are found by what the catalogue says of inputs, in any document."""

from __future__ import annotations

from typing import Any

import pytest

import toy
from harness import changed, link, step
from nodegraph import Engine, Registry
from nodegraph.jobs.provenance import Provenance, provenance
from nodegraph_diffusion import pack

SAVE = {**toy.TXT2IMG, "keep": step("Keep@1", image=link("decode.image"))}


def of(registry: Registry, nodes: dict[str, Any], node: str, **rest: Any) -> Provenance:
    engine = Engine(registry)
    return provenance(engine.compile(engine.read({"nodes": nodes, **rest})), node)


def test_of_a_third_partys_nodes() -> None:
    nodes = changed(changed(SAVE, "prompt.text", "an owl"), "sample.seed", 12)
    assert of(toy.registry(), nodes, "keep") == Provenance("an owl", "", 12, "")


def test_what_comes_in_as_negative_is_the_negative_prompt() -> None:
    nodes = {**SAVE, "bad": step("EncodePrompt@1", model=link("model.model"), text="blurry")}
    nodes = changed(nodes, "sample.negative", link("bad.conditioning"))
    assert of(toy.registry(), nodes, "keep") == Provenance("a cat", "blurry", 0, "")


def test_inside_definitions() -> None:
    definition = {"nodes": dict(toy.TXT2IMG), "outputs": {"image": link("decode.image")}}
    nodes = {"render": step("#render"), "keep": step("Keep@1", image=link("render.image"))}
    assert of(toy.registry(), nodes, "keep", definitions={"render": definition}).prompt == "a cat"


@pytest.mark.parametrize("shared", [False, True])
def test_of_the_shipped_pack_also_through_a_shared_text(shared: bool) -> None:
    nodes: dict[str, Any] = {
        "model": step("LoadModel@1", source="demo"),
        "words": step("Text@1", text="a ship"),
        "prompt": step("EncodePrompt@1", text_encoder=link("model.text_encoder"), text="a ship"),
        "none": step("EncodePrompt@1", text_encoder=link("model.text_encoder"), text="fog"),
        "empty": step("EmptyLatent@1"),
        "sample": step(
            "Sample@1", model=link("model.model"), positive=link("prompt.conditioning"), seed=5,
            negative=link("none.conditioning"), latent=link("empty.latent"),
        ),
        "decode": step("Decode@1", vae=link("model.vae"), latent=link("sample.latent")),
        "save": step("SaveImage@1", image=link("decode.image")),
    }  # fmt: skip
    if shared:
        nodes = changed(nodes, "prompt.text", link("words.str"))
    assert of(Registry(pack), nodes, "save") == Provenance("a ship", "fog", 5, "demo")


def test_the_nearest_seed_counts() -> None:
    nodes = changed(SAVE, "sample.seed", 1)
    nodes["again"] = step("Sample@2", model=link("model.model"), positive=link("prompt.conditioning"), seed=2, steps=1)
    nodes["mix"] = step("Decode@1", model=link("model.model"), latent=link("again.latent"))
    nodes = changed(nodes, "keep.image", link("mix.image"))
    assert of(toy.registry(), nodes, "keep").seed == 2
