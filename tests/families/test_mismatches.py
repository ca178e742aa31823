"""What fails minutes into a run elsewhere is refused by `nodegraph check`, without torch, naming both sides."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from families import adapters, models, originals
from families.parity import document, engine, hole, picture, save
from harness import link, step
from nodegraph import Engine

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
EMPTY = step("EmptyLatent@1", width=64, height=64)


@pytest.fixture(scope="module")
def folder(module_folder: Path) -> Path:
    for name in ("sd1", "sdxl", "sdxl_refiner", "flux_dev", "flux_fill"):
        models.FAMILIES[name]().save_pretrained(module_folder / name)
    adapters.control_net("sd1").save_pretrained(module_folder / "sd1-control")
    originals.write(originals.flux(models.flux_dev()), module_folder / "alone.safetensors")
    lora = "unet.down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_k"
    save_file(
        {f"{lora}.lora_A.weight": torch.zeros(4, 2048), f"{lora}.lora_B.weight": torch.zeros(640, 4)},
        module_folder / "xl-lora.safetensors",
    )
    save(picture(), module_folder / "picture.png")
    save(hole(32, 64), module_folder / "narrow.png")
    return module_folder


def second(nodes: dict[str, Any], source: str, id: str = "other") -> dict[str, Any]:
    """`nodes` with another model."""
    return nodes | {id: step("LoadModel@1", source=source)}


def encoded(base: Path, vae: str, **more: Any) -> dict[str, Any]:
    return step("EncodeImage@1", vae=link(f"{vae}.vae"), image=link("picture.image"), **more)


def loaded(base: Path, *names: str) -> dict[str, Any]:
    return {name: step("LoadImage@1", file=str(base / f"{name}.png")) for name in names}


def cases(base: Path) -> dict[str, tuple[dict[str, Any], set[str], tuple[str, ...]]]:
    """Documents, the ports that are at fault, and what must be said."""
    lora = document("sd1")
    lora["lora"] = step("ApplyLora@1", model=link("model.model"), text_encoder=link("model.text_encoder"),
                        source="xl-lora.safetensors")  # fmt: skip
    lora["sample"]["inputs"]["model"] = link("lora.model")
    control = document("sdxl") | loaded(base, "picture")
    control["control"] = step("ApplyControlNet@1", model=link("model.model"), image=link("picture.image"),
                              source="sd1-control")  # fmt: skip
    control["sample"]["inputs"]["model"] = link("control.model")
    decoded = second(document("flux_dev", negative=False), "sd1")
    decoded["decode"]["inputs"]["vae"] = link("other.vae")
    own = second(document("demo"), "sd1")
    own["decode"]["inputs"]["vae"] = link("other.vae")
    words = second(document("sdxl"), "sd1")
    words["prompt"]["inputs"]["text_encoder"] = link("other.text_encoder")
    refined = document("sdxl_refiner", {"type": "Sample@1", "inputs": document("sdxl")["sample"]["inputs"]})
    empty = document("sd1")
    empty["decode"]["inputs"]["latent"] = link("latent.latent")
    return {
        "an SDXL LoRA on SD 1": (lora, {"lora.source", "lora.model"}, ("xl-lora", "Stable Diffusion XL", "1.x")),
        "a ControlNet of another family": (control, {"control.source", "control.model"}, ("sd1-control", "XL")),
        "an SD 1 VAE on a Flux latent": (decoded, {"decode.vae", "decode.latent"}, ("'sd'", "'flux1'", "other.vae")),
        "a VAE of a space of its own": (own, {"decode.vae", "decode.latent"}, ("'sd'", "'sd scaled by 1'")),
        "the refiner first": (document("sdxl_refiner"), {"sample.model", "sample.latent"}, ("refiner", "empty")),
        "a 4-channel latent into a 16-channel model": (
            second(document("flux_dev", encoded(base, "other"), negative=False), "sd1") | loaded(base, "picture"),
            {"sample.model", "sample.latent"}, ("'flux1'", "latent.latent has 'sd'"),
        ),
        "a prompt of the wrong text encoder": (
            words, {"sample.positive", "sample.model"},
            ("'sdxl of width 128'", "prompt.conditioning has 'sd1 of width 64'"),
        ),
        "the base model's prompt for the refiner": (
            second(document("sdxl_refiner", encoded(base, "model"), negative=False), "sdxl") | loaded(base, "picture")
            | {"prompt": step("EncodePrompt@1", text_encoder=link("other.text_encoder"), text="a")},
            {"sample.positive", "sample.model"}, ("'sdxl_refiner of width 64'", "'sdxl of width 128'"),
        ),
        "an inpainting model without a hole": (
            document("flux_fill", EMPTY, negative=False), {"sample.latent"}, ("inpainting", "EncodeImage"),
        ),
        "a strength below 1 from nothing": (
            document("sd1", strength=0.5), {"sample.strength"}, ("begins with a picture, but the latent is empty",),
        ),
        "an empty latent decoded": (empty, {"decode.latent"}, ("holds no picture yet",)),
        "a mask of another size": (
            document("sd1", encoded(base, "model", mask=link("narrow.mask"))) | loaded(base, "picture", "narrow"),
            {"latent.image", "latent.mask"}, ("width 64", "narrow.mask has 32"),
        ),
        "text encoders of another family": (
            document("alone.safetensors", negative=False)
            | {"model": step("LoadModel@1", source="alone.safetensors", text_encoder_from="sdxl", vae_from="flux_dev")},
            {"model.text_encoder_from"}, ("sdxl is Stable Diffusion XL", "prompts of Flux.1"),
        ),
        "the VAE of another family": (
            document("sdxl") | {"model": step("LoadModel@1", source="sdxl", vae_from="flux_dev")},
            {"model.vae_from"}, ("flux_dev is Flux.1", "Stable Diffusion XL, does not read"),
        ),
        "a spacing of timesteps for a flow model": (
            document("flux_dev", negative=False, schedule="leading"), {"sample.schedule"}, ("'leading'", "'native'"),
        ),
        "a denoiser without text encoders": (
            document("alone.safetensors", negative=False), {"model.text_encoder_from"}, ("holds no text encoders",),
        ),
        "a refiner whose base is right": (refined, set(), ()),
    }  # fmt: skip


@pytest.fixture(scope="module")
def made(folder: Path) -> Iterator[Engine]:
    with engine(folder) as found:
        yield found


def test_each_is_refused_and_both_sides_are_named(made: Engine, folder: Path) -> None:
    wrong = {}
    for name, (nodes, ports, words) in cases(folder).items():
        if name == "a refiner whose base is right":
            nodes = refined(nodes)
        found = made.check(made.read({"nodes": nodes}))
        text = "\n".join(map(str, found))
        if {p.where for p in found} != ports or not all(word in text for word in words):
            wrong[name] = text or "nothing is refused"
    assert wrong == {}


def refined(nodes: dict[str, Any]) -> dict[str, Any]:
    """The refiner's document, whose latent is sampled by the base model from nothing."""
    moved = {"model": "base", "prompt": "words", "negative": "others", "latent": "empty"}
    inputs = {}
    for name, value in nodes["latent"]["inputs"].items():
        source = value["$from"] if isinstance(value, dict) else ""
        inputs[name] = link(f"{moved[source.partition('.')[0]]}.{source.partition('.')[2]}") if source else value
    encoder = link("base.text_encoder")
    return nodes | {
        "base": step("LoadModel@1", source="sdxl"),
        "words": step("EncodePrompt@1", text_encoder=encoder, text="a"),
        "others": step("EncodePrompt@1", text_encoder=encoder, text="b"),
        "empty": EMPTY,
        "latent": {"type": "Sample@1", "inputs": inputs},
    }


def test_as_a_process_it_is_quick_and_without_torch(folder: Path, tmp_path: Path) -> None:
    nodes, ports, _ = cases(folder)["an SD 1 VAE on a Flux latent"]
    (tmp_path / "document.json").write_text(json.dumps({"format": "nodegraph/1", "nodes": nodes}))
    code = (
        "import sys, time; start = time.process_time()\n"
        "from nodegraph.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: print('\\nstatus', end.code)\n"
        "print(time.process_time() - start, *sorted({'torch', 'diffusers', 'transformers'} & set(sys.modules)))"
    )
    arguments = ["check", str(tmp_path / "document.json"), "--models", str(folder), "--json", "--no-cache"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else every start compiles our modules, and not the libraries'
    libraries = "import time; start = time.process_time(); import numpy, pydantic; print(time.process_time() - start)"

    def ran(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", *command], capture_output=True, text=True, env=environment, check=True
        )
        return done.stdout

    runs, yardstick = [], []
    for _ in range(3):
        runs.append(ran(code, *arguments))
        yardstick.append(float(ran(libraries)))
    text, _, rest = runs[0].rpartition("\nstatus ")
    assert {f"{p['node']}.{p['port']}" for p in json.loads(text)["problems"]} == ports
    status, *timing = rest.split()
    assert (status, timing[1:]) == ("1", [])
    # Seconds of the processor, of which there are faster and slower ones: about four times what two libraries take.
    assert min(float(said.split()[-1]) for said in runs) < 8 * min(yardstick)


def test_what_is_known_is_shown(made: Engine, folder: Path) -> None:
    plan = made.compile(made.read({"nodes": document("flux_dev", negative=False)}))
    assert dict(plan.calls["decode"].facts["image"]) == {"width": 64, "height": 64, "batch": 1}
    vae = plan.facts["model.vae"]
    assert dict(vae.only("latent space", "channels", "cell")) == {"latent space": "flux1", "channels": 16, "cell": 8}
    assert plan.weights("decode") == vae["weights"] == 4 * sum(p.numel() for p in models.flux_dev().vae.parameters())
    planned = {p.node: p.weights for p in made.plan(made.read({"nodes": document("flux_dev", negative=False)}))}
    assert planned["sample"] == 4 * sum(p.numel() for p in models.flux_dev().transformer.parameters())
    assert (planned["decode"], planned["latent"]) == (vae["weights"], 0)
    assert plan.calls["sample"].facts["latent"]["latent space"] == "flux1"
