"""The wirings of ComfyUI's examples run with the smallest models of their families, and mean what they mean there."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from safetensors.torch import save_file

from families import adapters, models, originals
from families.test_gligen import gates
from families.test_lora import UNET, peft_layout
from families.test_single_files import texts
from families.test_t2i_adapter import as_their_authors
from interop.wirings import ALL, Prompt, decoded, node, sampler, text
from nodegraph import Engine, Folders, NodeError, Registry
from nodegraph.interop import open_document
from nodegraph.interop.outward import export
from nodegraph.interop.parts import model_of
from nodegraph.interop.prompt import Wire, read_prompt
from nodegraph.workflow import Ref, Step
from nodegraph_diffusion.apply_gligen import apply_gligen, ground_prompt
from nodegraph_diffusion.apply_t2i_adapter import apply_t2i_adapter
from nodegraph_diffusion.comfyui.prompts import CLIPTextEncodeFlux, CLIPTextEncodeSDXL, CLIPTextEncodeSDXLRefiner
from nodegraph_diffusion.empty_latent import empty_latent
from nodegraph_diffusion.encode_prompt import encode_prompt
from nodegraph_diffusion.load_image import load_image
from nodegraph_diffusion.load_model import load_model
from nodegraph_diffusion.prompt_nodes import describe_size
from nodegraph_diffusion.sample import sample
from pack.test_upscale import SPANDREL, foreign_file

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
REGISTRY = Registry.installed()
Floats = np.ndarray[Any, np.dtype[np.float32]]


@pytest.fixture(scope="module")
def folder(module_folder: Path) -> Path:
    for name in ("sd1", "sdxl", "flux_dev", "flux_fill"):
        models.FAMILIES[name]().save_pretrained(module_folder / name)
    adapters.control_net("sd1").save_pretrained(module_folder / "scribble")
    adapters.control_net("sd1", 14).save_pretrained(module_folder / "openpose")
    save_file(peft_layout(models.sdxl().components, {"unet": UNET}), module_folder / "lcm_lora.safetensors")
    text = "text_model.encoder.layers.0.self_attn.q_proj".removeprefix("text_model.")
    layer = {"unet": ["down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"], "text_encoder": [text]}
    save_file(peft_layout(models.sd1().components, layer), module_folder / "lora.safetensors")
    foreign_file(module_folder, "upscaler_x4.safetensors")
    save_file(gates(), module_folder / "gates.safetensors")
    save_file(as_their_authors(adapters.t2i_adapter("sd1")), module_folder / "t2i.safetensors")
    y, x = np.mgrid[:64, :64]
    pixels = np.stack([x * 4, y * 4, 255 - x * 2, 255 * ((x - 30) ** 2 + (y - 35) ** 2 > 300)], axis=-1)
    Pillow.fromarray(pixels.astype(np.uint8)).save(module_folder / "picture.png")
    return module_folder


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[Engine]:
    with Engine(REGISTRY, folders=Folders(base=folder, output=folder / "output", models=(folder,))) as made:
        yield made


NAMES = {
    "image": "picture.png", "width": 64, "height": 64, "steps": 3, "model_name": "upscaler_x4.safetensors",
    "control_scribble.safetensors": "scribble", "control_openpose.safetensors": "openpose", "batch_size": 2,
    "gligen_sd14_textbox_pruned.safetensors": "gates.safetensors", "x": 0, "y": 16,
}  # fmt: skip


def small(name: str, model: str, **values: Any) -> Prompt:
    """A wiring with tiny models and pictures."""
    made: Prompt = json.loads(json.dumps(ALL[name]))
    for each in made.values():
        for key, value in each["inputs"].items():
            if isinstance(value, list):
                continue
            if key in ("ckpt_name", "unet_name", "vae_name") or key.startswith("clip_name"):
                each["inputs"][key] = model
            else:
                each["inputs"][key] = (values | NAMES).get(key, (values | NAMES).get(str(value), value))
    return made


def sampled(engine: Engine, prompt: Prompt, id: str = "3") -> Floats:
    """The latent that a sampler gives."""
    made = open_document(json.dumps(prompt).encode(), engine.registry)
    assert [note for note in made.notes if note.code != "changed"] == []
    outputs = {"latent": Ref(made.origin[id], "latent")}
    latent = engine.run(made.workflow.model_copy(update={"outputs": outputs}), targets=["latent"])["latent"]
    samples: Floats = latent.samples
    assert np.isfinite(samples).all()
    return samples


@pytest.mark.parametrize(
    ("name", "model", "sizes"),
    [
        ("controlnet", "sd1", (64, 64)),
        ("two_controlnets", "sd1", (64, 64)),
        ("lora", "sd1", (64, 64)),
        ("esrgan", "sd1", (256, 256)),
        ("hires_esrgan", "sd1", (64, 64)),
        ("lcm", "sdxl", (64, 64)),
        ("flux", "flux_dev", (64, 64)),
        ("flux_fill", "flux_fill", (64, 64)),
        ("gligen", "sd1", (64, 64)),
    ],
)
def test_it_runs(name: str, model: str, sizes: tuple[int, int], engine: Engine) -> None:
    if "esrgan" in name and not SPANDREL:
        pytest.skip("needs spandrel, an optional extra")
    loras = {
        "lcm_lora_sdxl.safetensors": "lcm_lora.safetensors", "epiNoiseoffset_v2.safetensors": "lora.safetensors",
        "theovercomer8sContrastFix_sd15.safetensors": "lora.safetensors",
    }  # fmt: skip
    prompt = small(name, model, **loras)
    made = open_document(json.dumps(prompt).encode(), engine.registry)
    assert [note for note in made.notes if note.code != "changed"] == []
    (first, *_) = engine.run(made.workflow).files
    with Pillow.open(first) as picture:
        assert picture.size == sizes


def test_boxes_are_those_of_ground_prompt(engine: Engine, folder: Path) -> None:
    """On every step, on the negative prompt too, in whole cells."""
    prompt = small("gligen", "sd1")
    prompt["21"]["inputs"] |= {"width": 24, "height": 39}
    prompt["27"]["inputs"] |= {"width": 40, "height": 16, "x": 20, "y": 0}
    model, texts, _ = load_model(str(folder / "sd1"))
    held = apply_gligen(model, str(folder / "gates.safetensors"))

    def boxed(text: str) -> Any:
        first = ground_prompt(encode_prompt(texts, text), texts, "a cat", 0, 0.25, 0.375, 0.5, end=1.0)
        return ground_prompt(first, texts, "an apple", 0.25, 0, 0.625, 0.25, end=1.0)

    expected = sample(
        held, boxed("a cat and an apple"), empty_latent(64, 64, 2), boxed(""), seed=1023216319780679, steps=3, cfg=8.0,
        sampler="uni_pc_bh2", schedule="normal", whole_batch=True, comfyui=True,
    )  # fmt: skip
    assert expected.latent.samples is not None
    np.testing.assert_allclose(sampled(engine, prompt), expected.latent.samples, atol=1e-5)


def advanced(prompt: Prompt, **percent: float) -> Prompt:
    """ControlNetApply as ControlNetApplyAdvanced, on both prompts."""
    made: Prompt = json.loads(json.dumps(prompt))
    old = made["10"]["inputs"]
    made["10"] = node(
        "ControlNetApplyAdvanced", positive_="6.0", negative_="7.0", control_net_="12.0", image_="11.0",
        strength=old["strength"], **{"start_percent": 0.0, "end_percent": 1.0, **percent},
    )  # fmt: skip
    made["3"]["inputs"]["negative"] = ["10", 1]
    return made


def native(engine: Engine, prompt: Prompt, **part: float) -> Floats:
    """The same with an ApplyControlNet on the model instead of its own on the prompts."""
    made = open_document(json.dumps(prompt).encode(), engine.registry)
    nodes = dict(made.workflow.nodes)
    sample, apply = made.origin["3"], made.origin["10"]
    control = {
        "model": Ref(made.origin['14'], "model"),
        "image": Ref(made.origin['11'], "image"),
        "source": "scribble", "strength": prompt["10"]["inputs"]["strength"], **part,
    }  # fmt: skip
    nodes[apply] = Step(type="ApplyControlNet@1", inputs=control)
    inputs = dict(nodes[sample].inputs)
    inputs |= {"model": Ref(apply, "model")}
    inputs |= {"positive": Ref(made.origin["6"], "conditioning")}
    inputs |= {"negative": Ref(made.origin["7"], "conditioning")}
    nodes[sample] = replace(nodes[sample], inputs=inputs)
    outputs = {"latent": Ref(sample, "latent")}
    workflow = made.workflow.model_copy(update={"nodes": nodes, "outputs": outputs})
    samples: Floats = engine.run(workflow, targets=["latent"])["latent"].samples
    return samples


def test_a_control_net_on_prompts_is_one_on_the_model(engine: Engine) -> None:
    prompt = small("controlnet", "sd1", steps=6)
    prompt["3"]["inputs"] |= {"steps": 6, "scheduler": "karras"}
    on_positive, on_both, expected = sampled(engine, prompt), sampled(engine, advanced(prompt)), native(engine, prompt)
    np.testing.assert_allclose(on_positive, expected, atol=1e-5)
    np.testing.assert_allclose(on_both, expected, atol=1e-5)
    without: Prompt = json.loads(json.dumps(prompt))
    without["3"]["inputs"]["positive"] = ["6", 0]
    assert np.abs(sampled(engine, without) - expected).max() > 0.01
    # Of the positive prompt's alone: the negative keeps its own way.
    one = advanced(prompt)
    one["3"]["inputs"]["negative"] = ["7", 0]
    assert np.abs(sampled(engine, one) - expected).max() > 0.001


def test_a_t2i_adapter_goes_where_a_control_net_does(engine: Engine, folder: Path) -> None:
    prompt = small("controlnet", "sd1")
    prompt["3"]["inputs"] |= {"steps": 4, "scheduler": "karras"}
    prompt["12"]["inputs"]["control_net_name"] = "t2i.safetensors"
    model, texts, _ = load_model(str(folder / "sd1"))
    image = load_image(folder / "picture.png").image
    held = apply_t2i_adapter(model, image, str(folder / "t2i.safetensors"), 0.8999999999999999)
    wanted = sample(
        held, encode_prompt(texts, "a cat on a blue background"), empty_latent(64, 64, 2), encode_prompt(texts, ""),
        seed=1002496614778823, steps=4, cfg=6.0, sampler="uni_pc", schedule="karras", whole_batch=True, comfyui=True,
    )  # fmt: skip
    assert wanted.latent.samples is not None
    np.testing.assert_allclose(sampled(engine, prompt), wanted.latent.samples, atol=1e-5)


def test_its_part_of_the_way_is_counted_in_noise(engine: Engine) -> None:
    """Six steps of karras tell 999, 822, 523, 186, 13 and 0: up to 0.7 of the noise are three of them."""
    prompt = small("controlnet", "sd1")
    prompt["3"]["inputs"] |= {"steps": 6, "scheduler": "karras", "sampler_name": "euler"}
    half = native(engine, prompt, end=0.5)
    early = sampled(engine, advanced(prompt, end_percent=0.4))
    np.testing.assert_allclose(sampled(engine, advanced(prompt, end_percent=0.7)), half, atol=1e-5)
    assert np.abs(early - half).max() > 0.001


def test_guidance_goes_with_its_prompt(engine: Engine) -> None:
    """FluxGuidance before a node that passes prompts on, and CLIPTextEncodeFlux, say the same as guidance of Sample."""
    plain = sampled(engine, small("flux", "flux_dev", guidance=9.0), "13")
    told = small("flux", "flux_dev")
    told["6"] = node("CLIPTextEncodeFlux", clip_="11.0", clip_l="a cat", t5xxl="a cat", guidance=9.0)
    told["26"] = node("ConditioningSetAreaStrength", conditioning_="6.0", strength=1.0)
    said = small("flux", "flux_dev")
    said["6"]["inputs"]["text"] = "a cat"
    said["26"]["inputs"]["guidance"] = 9.0
    np.testing.assert_allclose(sampled(engine, told, "13"), sampled(engine, said, "13"), atol=1e-5)
    assert np.abs(plain - sampled(engine, small("flux", "flux_dev", guidance=1.0), "13")).max() > 1e-4


def test_prompts_for_t5_are_filled_up_as_there(engine: Engine, folder: Path) -> None:
    """To 256 tokens for Flux.1, further for longer ones, and as T5TokenizerOptions says."""
    long = " ".join(["cat"] * 300)
    t5 = models.flux_dev().text_encoder_2
    tokenizer = models.flux_dev().tokenizer_2

    def given(words: str, **options: int) -> Floats:
        prompt = small("flux", "flux_dev")
        prompt["6"]["inputs"]["text"] = words
        if options:
            prompt["7"] = node("T5TokenizerOptions", clip_="11.0", **options)
            prompt["6"]["inputs"]["clip"] = ["7", 0]
        made = open_document(json.dumps(prompt).encode(), engine.registry)
        outputs = {"said": Ref(made.origin["6"], "conditioning")}
        said = engine.run(made.workflow.model_copy(update={"outputs": outputs}), targets=["said"])["said"]
        tokens: Floats = said.tokens
        return tokens

    for words, options, length in (
        ("a cat", {}, 256),
        (long, {}, len(tokenizer(long).input_ids)),
        ("a cat", {"min_padding": 1, "min_length": 0}, len(tokenizer("a cat").input_ids) + 1),
        ("a cat", {"min_padding": 0, "min_length": 40}, 40),
    ):
        filled = tokenizer(words, padding="max_length", max_length=length, return_tensors="pt").input_ids
        with torch.no_grad():
            wanted = t5(filled)[0].numpy()
        np.testing.assert_allclose(given(words, **options), wanted, atol=1e-5)
    assert encode_prompt(load_model(str(folder / "flux_dev")).text_encoder, "a cat").tokens.shape[1] == 512


def test_a_model_is_told_nothing_of_guidance(engine: Engine, folder: Path) -> None:
    """As one that makes nothing of it."""
    pipeline = copy.deepcopy(models.flux_dev())
    silent = small("flux", "flux_dev")
    silent["26"] = node("FluxDisableGuidance", conditioning_="6.0")
    told = sampled(engine, small("flux", "flux_dev"), "13")
    made = sampled(engine, silent, "13")
    assert np.abs(made - told).max() > 1e-4
    with torch.no_grad():
        for parameter in pipeline.transformer.time_text_embed.guidance_embedder.linear_2.parameters():
            parameter.zero_()
    pipeline.save_pretrained(folder / "flux_silent")
    np.testing.assert_allclose(made, sampled(engine, small("flux", "flux_silent"), "13"), atol=1e-5)


def test_qwen_image_is_guided_plainly(engine: Engine, folder: Path) -> None:
    """After one step of Euler what a prompt adds grows as cfg does. In its own pipeline, whose norm ComfyUI leaves to
    CFGNorm, it does not."""
    models.FAMILIES["qwen_image"]().save_pretrained(folder / "qwen_image")
    prompt: Prompt = {
        "1": node("UNETLoader", unet_name="qwen_image", weight_dtype="default"),
        "2": node("CLIPLoader", clip_name="qwen_image", type="qwen_image", device="default"),
        "3": sampler("1.0", "4.0", "5.0", "6.0", 7, 1, 1.0, "euler", "simple"),
        "4": text("2.0", "a cat"),
        "5": text("2.0", "a dog"),
        "6": node("EmptySD3LatentImage", width=64, height=64, batch_size=1),
        **decoded("3.0", "9.0", "7", "8"),
        "9": node("VAELoader", vae_name="qwen_image"),
    }

    def at(cfg: float) -> Floats:
        prompt["3"]["inputs"]["cfg"] = cfg
        return sampled(engine, prompt)

    alone, twice, more = at(1.0), at(2.0), at(5.0)
    assert np.abs(twice - alone).max() > 0.001
    np.testing.assert_allclose(more - alone, 4 * (twice - alone), atol=1e-4)
    made = open_document(json.dumps(prompt).encode(), engine.registry).workflow
    own = made.to_dict()
    own["nodes"]["k_sampler_3"]["inputs"]["comfyui"] = False
    own["outputs"] = {"latent": {"$from": "k_sampler_3.latent"}}
    normed = engine.run(engine.read(own), targets=["latent"])["latent"].samples
    assert np.abs(normed - more).max() > 0.001


def test_sizes_go_with_the_prompt(folder: Path) -> None:
    model = load_model(str(folder / "sdxl"))
    own = describe_size(encode_prompt(model.text_encoder, "a cat"), 800, 600, 8, 16, 1024, 768)
    said = CLIPTextEncodeSDXL(model.text_encoder, 800, 600, 8, 16, 1024, 768, "a cat", "a cat")
    assert said.sizes is not None
    assert said.pooled is not None
    np.testing.assert_array_equal(said.sizes, own.sizes)
    np.testing.assert_array_equal(said.tokens, own.tokens)
    np.testing.assert_array_equal(said.pooled, own.pooled)
    long = CLIPTextEncodeSDXL(model.text_encoder, text_g="cat " * 100, text_l="a cat")
    empty = CLIPTextEncodeSDXL(model.text_encoder)
    expected = np.concatenate([own.tokens, empty.tokens], axis=1)[..., :64]  # nothing is said in what is not filled
    np.testing.assert_allclose(long.tokens[..., :64], expected, atol=1e-5)
    small_read = CLIPTextEncodeSDXL(model.text_encoder, text_g="a cat", text_l="a dog")
    assert (np.abs(small_read.tokens - own.tokens).max(axis=(0, 1)) > 1e-4).nonzero()[0].max() < 64  # CLIP's own half
    with pytest.raises(NodeError, match="use CLIPTextEncode"):
        CLIPTextEncodeFlux(model.text_encoder)
    with pytest.raises(NodeError, match="use CLIPTextEncode"):
        CLIPTextEncodeSDXLRefiner(model.text_encoder)


def test_what_does_not_go_together_is_said_while_checking(engine: Engine) -> None:
    def problems(prompt: Prompt) -> list[str]:
        made = open_document(json.dumps(prompt).encode(), engine.registry)
        return [str(problem) for problem in engine.check(made.workflow)]

    controlled = small("controlnet", "sd1")
    assert problems(controlled) == []
    controlled["13"]["inputs"]["vae_name"] = "flux_dev"
    assert any("decode it with the VAE of the model that made it" in each for each in problems(controlled))
    controlled["14"]["inputs"]["ckpt_name"] = "sdxl"
    assert any("use a ControlNet for the model of this prompt" in each for each in problems(controlled))
    flux = small("flux", "flux_dev")
    flux["11"]["inputs"]["clip_name2"] = "sd1"
    assert any("name one model for all" in each for each in problems(flux))
    flux["11"]["inputs"]["clip_name2"] = "missing.safetensors"
    assert any("no model 'missing.safetensors'" in each for each in problems(flux))


def lone(folder: Path, engine: Engine) -> Prompt:
    """Flux with each part in a file of its own, named as ComfyUI's users have them."""
    pipeline = models.flux_dev()
    originals.write(originals.flux(pipeline), folder / "flux1-dev.safetensors")
    save_file(dict(pipeline.vae.state_dict()), folder / "ae.safetensors")
    files = texts(pipeline, folder, "text_encoder_2", "text_encoder").split(", ")
    made = small("flux", "flux_dev")
    made["12"]["inputs"]["unet_name"] = "flux1-dev.safetensors"
    made["10"]["inputs"]["vae_name"] = "ae.safetensors"
    made["11"]["inputs"] |= {"clip_name1": files[0], "clip_name2": files[1]}
    return made


def test_parts_in_files_of_their_own(engine: Engine, folder: Path) -> None:
    prompt = lone(folder, engine)
    made = open_document(json.dumps(prompt).encode(), engine.registry)
    assert made.workflow.nodes[made.origin["11"]].inputs["model"] == Ref(made.origin["12"], "model")
    assert engine.check(made.workflow) == []
    np.testing.assert_allclose(
        sampled(engine, prompt, "13"), sampled(engine, small("flux", "flux_dev"), "13"), atol=1e-4
    )
    (file, *_) = engine.run(made.workflow).files
    assert file.is_file()
    back = export(made.workflow, engine.registry).prompt
    assert back["11"]["inputs"].keys() == {"clip_name1", "clip_name2", "type", "device"}
    # Without the model nothing says what they are for.
    alone = {id: prompt[id] for id in ("10", "11")} | {"6": prompt["6"]}
    shown = alone | {"1": node("PreviewAny", source_="6.0")}
    found = engine.check(open_document(json.dumps(shown).encode(), engine.registry).workflow)
    assert {problem.port for problem in found} == {"clip_name1", "vae_name"}


def test_hidream_with_four_text_encoders(engine: Engine, folder: Path) -> None:
    """Each in a file of its own, in any order, with the tokenizer of Llama beside them."""
    pipeline = models.hidream()
    pipeline.save_pretrained(folder / "hidream")
    originals.write(originals.hidream(pipeline), folder / "hidream_i1.safetensors")
    save_file(dict(pipeline.vae.state_dict()), folder / "hidream_ae.safetensors")
    (folder / "four").mkdir()
    names = [f"text_encoder{each}" for each in ("", "_2", "_4", "_3")]
    files = [f"four/{name}" for name in texts(pipeline, folder / "four", *names).split(", ")]
    models.llama_tokenizer().save_pretrained(folder / "four" / "llama_tokenizer")

    def prompt(denoiser: str, vae: str, texts: list[str]) -> Prompt:
        return {
            "1": node("UNETLoader", unet_name=denoiser, weight_dtype="default"),
            "2": node("QuadrupleCLIPLoader", **{f"clip_name{n}": name for n, name in enumerate(texts, 1)}),
            "3": sampler("10.0", "4.0", "5.0", "6.0", 7, 3, 5.0, "uni_pc", "simple"),
            "4": text("2.0", "a (cat:1.2) in the snow"),
            "5": text("2.0", "a dog"),
            "6": node("EmptySD3LatentImage", width=64, height=96, batch_size=1),
            **decoded("3.0", "9.0", "7", "8"),
            "9": node("VAELoader", vae_name=vae),
            "10": node("ModelSamplingSD3", model_="1.0", shift=3.0),
        }

    alone = prompt("hidream_i1.safetensors", "hidream_ae.safetensors", files)
    made = open_document(json.dumps(alone).encode(), engine.registry)
    assert engine.check(made.workflow) == []
    whole = prompt("hidream", "hidream", ["hidream"] * 4)
    np.testing.assert_allclose(sampled(engine, alone), sampled(engine, whole), atol=1e-4)
    assert export(made.workflow, engine.registry).prompt["2"]["inputs"] == alone["2"]["inputs"]


def test_each_part_goes_with_the_model_that_it_is_used_with(engine: Engine) -> None:
    """Two models in one prompt, the second of which goes on from the latent of the first."""
    first, second = small("controlnet", "sd1"), small("flux_fill", "flux_fill")
    both = first | {f"1{id}": each for id, each in second.items()}
    for each in second.values():
        each["inputs"] = {n: [f"1{v[0]}", v[1]] if isinstance(v, list) else v for n, v in each["inputs"].items()}
    both["120"] = node("ImageBatch", image1_="8.0", image2_="18.0")  # so that the two hang together
    items, notes = read_prompt(both)
    assert notes == []
    assert model_of(items, "13") == Wire("14", 0)
    assert model_of(items, "132") == model_of(items, "134") == Wire("131", 0)
