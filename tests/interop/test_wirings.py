"""The wirings of ComfyUI's examples: to our document and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import nodegraph_diffusion.comfyui
from interop.wirings import ALL, Prompt, node
from nodegraph import Engine, Folders, Registry
from nodegraph.interop import Opened, open_document
from nodegraph.interop.classes import known_classes
from nodegraph.interop.outward import export
from nodegraph.interop.prompt import EXTRAS

REGISTRY = Registry(nodegraph_diffusion.pack, nodegraph_diffusion.comfyui.pack)
BARE = Registry(nodegraph_diffusion.pack)


def opened(prompt: Prompt, registry: Registry = REGISTRY) -> Opened:
    return open_document(json.dumps(prompt).encode(), registry)


def plain(prompt: Any) -> Any:
    """Without titles and buttons, and with what a file that lacks it means."""
    made = {}
    for id, each in prompt.items():
        given = {name: value for name, value in each["inputs"].items() if name not in EXTRAS}
        known = known_classes().get(each["class_type"])
        defaults = {p.name: p.default for p in known.widgets if p.has_default} if known is not None else {}
        made[id] = (each["class_type"], {**defaults, **given})
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


def passes(add: str, leave: str, first: int, last: int) -> Prompt:
    """The second of two KSamplerAdvanced walks any part of the way."""
    made = json.loads(json.dumps(ALL["sdxl"]))
    asked = {"add_noise": add, "return_with_leftover_noise": leave, "start_at_step": first, "end_at_step": last}
    made["11"]["inputs"] |= asked
    return made  # type: ignore[no-any-return]


@pytest.mark.parametrize("leave", ["enable", "disable"])
@pytest.mark.parametrize("add", ["enable", "disable"])
@pytest.mark.parametrize(("first", "last"), [(0, 10000), (0, 6), (3, 7), (20, 10000), (5, 5)])
def test_every_part_of_a_way_comes_back(add: str, leave: str, first: int, last: int) -> None:
    prompt = passes(add, leave, first, last)
    made = opened(prompt)
    assert not [note for note in made.notes if note.code != "missing_model"]
    assert plain(export(made.workflow, REGISTRY).prompt) == plain(prompt)


def customised(
    noise: dict[str, Any], sampler: str | dict[str, Any], sigmas: dict[str, dict[str, Any]], last: str
) -> Prompt:
    made = {id: each for id, each in json.loads(json.dumps(ALL["lora"])).items() if id not in ("10", "11", "3")}
    for id in ("6", "7"):
        made[id]["inputs"]["clip"] = ["4", 1]
    return made | {
        "20": node("KSamplerSelect", sampler_name=sampler) if isinstance(sampler, str) else sampler,
        "21": noise,
        "22": node("CFGGuider", model_="4.0", positive_="6.0", negative_="7.0", cfg=7.0),
        "3": node(
            "SamplerCustomAdvanced", noise_="21.0", guider_="22.0", sampler_="20.0", sigmas_=last, latent_image_="5.0"
        ),
        **sigmas,
    }


BASIC = {"30": node("BasicScheduler", model_="4.0", scheduler="karras", steps=12, denoise=0.7)}
SPLIT = {**BASIC, "31": node("SplitSigmas", sigmas_="30.0", step=4)}
RANDOM, NONE = node("RandomNoise", noise_seed=7), node("DisableNoise")


def guided_twice() -> Prompt:
    made = customised(RANDOM, "euler", BASIC, "30.0")
    made["22"] = node(
        "DualCFGGuider", model_="4.0", cond1_="6.0", cond2_="7.0", negative_="23.0", cfg_conds=5.0,
        cfg_cond2_negative=2.0, style="nested",
    )  # fmt: skip
    made["23"] = node("CLIPTextEncode", clip_="4.1", text="a dog")
    return made


@pytest.mark.parametrize(
    "prompt",
    [
        guided_twice(),
        customised(RANDOM, "euler", BASIC, "30.0"),
        customised(NONE, "euler", BASIC, "30.0"),
        customised(RANDOM, "dpm_2", BASIC, "30.0"),
        customised(RANDOM, "uni_pc", SPLIT, "31.1"),
        customised(NONE, "dpmpp_2m", SPLIT, "31.0"),
        customised(RANDOM, node("SamplerDPMPP_SDE", eta=0.5, s_noise=1.1, r=0.4, noise_device="cpu"), BASIC, "30.0"),
        customised(RANDOM, "lcm", {"30": node("SDTurboScheduler", model_="4.0", steps=2, denoise=1.0)}, "30.0"),
        customised(
            RANDOM, "euler", {"30": node("KarrasScheduler", steps=9, sigma_max=9.0, sigma_min=0.1, rho=5.0)}, "30.0"
        ),
    ],
    ids=["guided twice", "plain", "no noise", "all levels", "low", "high", "settings", "turbo", "own ends"],
)
def test_custom_sampling_comes_back(prompt: Prompt) -> None:
    made = opened(prompt)
    assert not [note for note in made.notes if note.code != "missing_model"]
    assert trees(export(made.workflow, REGISTRY).prompt) == trees(prompt)


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
    made = opened(ALL["gligen"], BARE)
    assert {n.node: n.code for n in made.notes} == {
        "gligen_loader_10": "not_carried",
        "gligen_text_box_apply_21": "not_carried",
        "gligen_text_box_apply_27": "not_carried",
    }
    assert made.workflow.nodes["gligen_loader_10"].type == "comfyui/GLIGENLoader@1"
    engine = Engine(BARE)
    try:
        problems = engine.check(made.workflow, {"checkpoint_loader_simple_4.source": "demo"})
    finally:
        engine.close()
    assert {p.node for p in problems} == {n.node for n in made.notes}


def test_textual_inversions_in_prompts_are_taught_words() -> None:
    prompt = json.loads(json.dumps(ALL["img2img"]))
    prompt["6"]["inputs"]["text"] = "a (embedding:red_fox:1.2), embedding:snow"
    prompt["7"]["inputs"]["text"] = "embedding:snow, blurry"
    offered = {"words": ["embeddings/red_fox.safetensors", "snow.safetensors"]}.get
    made = open_document(json.dumps(prompt).encode(), REGISTRY, offered)
    nodes = made.workflow.to_dict()["nodes"]
    positive, negative = (nodes[made.origin[id]]["inputs"] for id in ("6", "7"))
    assert positive["text"] == "a (<red_fox>:1.2), <snow>"
    assert negative["text"] == "<snow>, blurry"
    taught = {n["inputs"]["word"]: n["inputs"]["source"] for n in nodes.values() if n["type"] == "TeachWord@1"}
    assert taught == {"<red_fox>": "embeddings/red_fox.safetensors", "<snow>": "snow.safetensors"}
    assert set(made.origin) == set(prompt)
    back = export(made.workflow, REGISTRY)
    assert (plain(back.prompt), back.whole) == (plain(prompt), True)


def test_a_textual_inversion_that_is_not_there_is_named() -> None:
    prompt = json.loads(json.dumps(ALL["img2img"]))
    prompt["7"]["inputs"]["text"] = "embedding:red_foxx"
    offered = {"words": ["embeddings/red_fox.safetensors"]}.get
    notes = open_document(json.dumps(prompt).encode(), REGISTRY, offered).notes
    (note,) = [n for n in notes if n.code == "missing_model"]
    assert "no textual inversion 'red_foxx'" in note.message
    assert "'red_fox'" in note.message
