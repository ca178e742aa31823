"""LoRAs: what diffusers makes of them, several at once, and the base model to the bit when they are gone."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from families import models
from families.parity import NEGATIVE, PROMPT, close, document, engine, noise, run, theirs
from harness import link, step
from nodegraph import Engine, NodeError, RunFailed
from nodegraph.events import Event, Warned
from nodegraph_diffusion.apply_lora import apply_lora
from nodegraph_diffusion.checkpoint import ModelError
from nodegraph_diffusion.checkpoint.adapters import open_adapter
from nodegraph_diffusion.families.flows import packed
from nodegraph_diffusion.load_model import load_model

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
State = dict[str, torch.Tensor]
RANK = 4


def pair(module: Any, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random halves of a change of `module`, large enough to be seen."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns = module.weight.shape[:2]
    kernel = module.weight.shape[2:]
    down = torch.randn(RANK, columns, *kernel, generator=generator) / columns**0.5
    return down, torch.randn(rows, RANK, *(1 for _ in kernel), generator=generator) / 2


def peft_layout(parts: Mapping[str, Any], layers: Mapping[str, list[str]]) -> State:
    state: State = {}
    for part, names in layers.items():
        modules = dict(parts[part].named_modules())
        for index, name in enumerate(names):
            down, up = pair(modules[name], index)
            state |= {f"{part}.{name}.lora_A.weight": down, f"{part}.{name}.lora_B.weight": up}
    return state


UNET = [
    "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q",
    "down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_k",
    "up_blocks.0.attentions.1.proj_in",
]
FLUX = ["transformer_blocks.1.attn.to_q", "single_transformer_blocks.0.proj_mlp", "x_embedder"]


@pytest.fixture(scope="module")
def folder(module_folder: Path) -> Path:
    for name in ("sdxl", "flux_dev"):
        models.FAMILIES[name]().save_pretrained(module_folder / name)
    sdxl, flux = models.sdxl(), models.flux_dev()
    clip = "text_model.encoder.layers.0.self_attn.q_proj"
    layers = {"unet": UNET, "text_encoder": [clip.removeprefix("text_model.")], "text_encoder_2": [clip]}
    save_file(peft_layout(sdxl.components, layers), module_folder / "sdxl.safetensors")
    save_file(peft_layout(flux.components, {"transformer": FLUX}), module_folder / "flux.safetensors")
    return module_folder


@pytest.fixture(scope="module")
def made(folder: Path) -> Iterator[Engine]:
    with engine(folder) as found:
        yield found


def adapted(nodes: dict[str, Any], *loras: tuple[str, float, float]) -> dict[str, Any]:
    """`nodes` with LoRAs between the model and what uses it."""
    before = "model"
    for number, (source, strength, text) in enumerate(loras):
        name = f"lora_{number}"
        nodes[name] = step(
            "ApplyLora@1",
            model=link(f"{before}.model"),
            text_encoder=link(f"{before}.text_encoder"),
            source=source,
            strength=strength,
            text_strength=text,
        )
        before = name
    for node in ("prompt", "negative"):
        if node in nodes:
            nodes[node]["inputs"]["text_encoder"] = link(f"{before}.text_encoder")
    nodes["sample"]["inputs"]["model"] = link(f"{before}.model")
    return nodes


SDXL = {
    "prompt": PROMPT, "negative_prompt": NEGATIVE, "height": 64, "width": 64, "num_inference_steps": 4,
    "guidance_scale": 5.0,
}  # fmt: skip


def test_the_denoiser_and_both_text_encoders(made: Engine, folder: Path) -> None:
    pipeline = models.sdxl()
    plain = run(made, document("sdxl"))
    state = {k: v.clone() for k, v in pipeline.unet.state_dict().items()}
    pipeline.load_lora_weights(str(folder / "sdxl.safetensors"), adapter_name="one")
    try:
        expected = theirs(pipeline, **SDXL, latents=noise(1, 4, 8, 8))
    finally:
        pipeline.unload_lora_weights()
    found = run(made, adapted(document("sdxl"), ("sdxl.safetensors", 1.0, 1.0)))
    assert np.abs(found - plain).max() > 0.01
    assert all(torch.equal(v, state[k]) for k, v in pipeline.unet.state_dict().items())
    close(found, expected)


def test_a_transformer(made: Engine, folder: Path) -> None:
    pipeline = models.flux_dev()
    pipeline.load_lora_weights(str(folder / "flux.safetensors"), adapter_name="one")
    pipeline.set_adapters("one", 0.7)
    try:
        expected = theirs(
            pipeline, prompt=PROMPT, height=64, width=64, num_inference_steps=4, guidance_scale=2.0,
            latents=packed(noise(1, 16, 8, 8)),
        )  # fmt: skip
    finally:
        pipeline.unload_lora_weights()
    nodes = adapted(document("flux_dev", negative=False, guidance=2.0), ("flux.safetensors", 0.7, 0.0))
    close(run(made, nodes), expected)


def test_without_them_it_is_the_base_model_to_the_bit(made: Engine) -> None:
    plain = run(made, document("sdxl", steps=3))
    changed = run(made, adapted(document("sdxl", steps=3), ("sdxl.safetensors", 1.0, 1.0)))
    again = run(made, document("sdxl", steps=3, seed=6))
    assert not np.array_equal(changed, plain)
    with engine(Path(str(made.folders.models[0]))) as fresh:
        assert np.array_equal(run(fresh, document("sdxl", steps=3, seed=6)), again)
        assert np.array_equal(run(fresh, adapted(document("sdxl", steps=3), ("sdxl.safetensors", 0.0, 0.0))), plain)


def test_several_are_a_sum(made: Engine) -> None:
    twice = run(made, adapted(document("sdxl"), *[("sdxl.safetensors", 0.4, 0.0)] * 2))
    close(twice, run(made, adapted(document("sdxl"), ("sdxl.safetensors", 0.8, 0.0))))


def test_the_model_alone(made: Engine) -> None:
    """Without a text encoder it is the LoRA at no text strength, and its own output must not be linked."""
    expected = run(made, adapted(document("sdxl"), ("sdxl.safetensors", 0.8, 0.0)))
    nodes = document("sdxl")
    nodes["lora"] = step("ApplyLora@1", model=link("model.model"), source="sdxl.safetensors", strength=0.8)
    nodes["sample"]["inputs"]["model"] = link("lora.model")
    events: list[Event] = []
    wanted = {"image": link("decode.image")}
    found = made.run(made.read({"nodes": nodes, "outputs": wanted}), on_event=events.append)
    assert np.array_equal(found["image"].pixels[0].transpose(1, 2, 0), expected)
    (warned,) = [e for e in events if isinstance(e, Warned)]
    assert "changes the text encoder and text encoder 2 too; link text_encoder" in warned.message
    nodes["prompt"]["inputs"]["text_encoder"] = link("lora.text_encoder")
    (problem,) = made.check(made.read({"nodes": nodes}))
    assert (problem.code, problem.where) == ("absent", "prompt.text_encoder")
    assert "lora.text_encoder gives nothing: no text encoder is linked to this node" in str(problem)


# -- layouts ----------------------------------------------------------------------------------------------------------


def kohya(prefix: str, module: Any, seed: int, alpha: float | None = None) -> State:
    down, up = pair(module, seed)
    scale = torch.tensor(float(RANK if alpha is None else alpha))
    return {f"{prefix}.lora_down.weight": down, f"{prefix}.lora_up.weight": up, f"{prefix}.alpha": scale}


def test_the_layouts_of_kohyas_trainer(made: Engine, folder: Path) -> None:
    """By diffusers' names and by those of the original code, with an alpha."""
    unet = dict(models.sdxl().unet.named_modules())
    names = {
        "input_blocks_4_1_transformer_blocks_0_attn1_to_q": UNET[0],
        "input_blocks_4_1_transformer_blocks_1_attn2_to_k": UNET[1],
        "output_blocks_1_1_proj_in": UNET[2],
        "middle_block_0_in_layers_2": "mid_block.resnets.0.conv1",
    }
    theirs_ = {f"lora_unet_{new.replace('.', '_')}": unet[new] for new in names.values()}
    original = {f"lora_unet_{old}": unet[new] for old, new in names.items()}
    for file, modules in (("kohya", theirs_), ("original", original)):
        state: State = {}
        for seed, (name, module) in enumerate(modules.items()):
            state |= kohya(name, module, seed, alpha=2)
        save_file(state, folder / f"{file}.safetensors")
    peft = {f"unet.{name}": unet[name] for name in names.values()}
    state = {}
    for seed, (name, module) in enumerate(peft.items()):
        down, up = pair(module, seed)
        state |= {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}
    save_file(state, folder / "same.safetensors")
    halved = run(made, adapted(document("sdxl"), ("same.safetensors", 0.5, 0.0)))
    for file in ("kohya", "original"):
        close(run(made, adapted(document("sdxl"), (f"{file}.safetensors", 1.0, 0.0))), halved, 1e-5)


def test_fused_layers_of_the_original_flux(made: Engine, folder: Path) -> None:
    """One change of query, key, value (and the hidden layer) is three (or four) changes with one lower half."""
    transformer = dict(models.flux_dev().transformer.named_modules())
    fused = {
        "double_blocks.1.txt_attn.qkv": [f"transformer_blocks.1.attn.add_{n}_proj" for n in "qkv"],
        "single_blocks.0.linear1": [
            *(f"single_transformer_blocks.0.attn.to_{n}" for n in "qkv"), "single_transformer_blocks.0.proj_mlp",
        ],
    }  # fmt: skip
    whole: State = {}
    split: State = {}
    for name, parts in fused.items():
        generator = torch.Generator().manual_seed(len(name))
        down = torch.randn(RANK, 64, generator=generator) / 8
        ups = [torch.randn(len(transformer[part].weight), RANK, generator=generator) for part in parts]
        flat = f"lora_unet_{name.replace('.', '_')}"
        whole |= {f"{flat}.lora_down.weight": down, f"{flat}.lora_up.weight": torch.cat(ups)}
        for part, up in zip(parts, ups, strict=True):
            split |= {f"transformer.{part}.lora_A.weight": down.clone(), f"transformer.{part}.lora_B.weight": up}
    save_file(whole, folder / "fused.safetensors")
    save_file(split, folder / "split.safetensors")
    one, other = (
        run(made, adapted(document("flux_dev", negative=False), (f"{file}.safetensors", 1.0, 1.0)))
        for file in ("fused", "split")
    )
    close(one, other, 1e-5)
    assert np.abs(one - run(made, document("flux_dev", negative=False))).max() > 0.01


def test_the_original_names_of_flux2(tmp_path: Path) -> None:
    """As its trainers write them; they are not taken for those of Flux.1, whose blocks are named alike."""
    pipeline = copy.deepcopy(models.flux2_klein())  # which is changed
    pipeline.save_pretrained(tmp_path / "klein")
    modules = dict(pipeline.transformer.named_modules())
    layers = {
        "double_blocks.0.img_attn.qkv": (96, 32), "double_blocks.0.txt_mlp.0": (192, 32),
        "single_blocks.1.linear1": modules["single_transformer_blocks.1.attn.to_qkv_mlp_proj"].weight.shape,
        "single_blocks.0.linear2": modules["single_transformer_blocks.0.attn.to_out"].weight.shape,
    }  # fmt: skip
    state: State = {}
    for seed, (name, (rows, columns)) in enumerate(layers.items()):
        down, up = pair(torch.nn.Linear(columns, rows, device="meta"), seed)
        state |= {f"diffusion_model.{name}.lora_A.weight": down, f"diffusion_model.{name}.lora_B.weight": up}
    save_file(state, tmp_path / "klein.safetensors")
    assert open_adapter(tmp_path / "klein.safetensors").families == ("flux2_dev", "flux2_klein")
    pipeline.load_lora_weights(str(tmp_path / "klein.safetensors"))
    expected = theirs(
        pipeline, prompt=PROMPT, height=64, width=64, num_inference_steps=4, guidance_scale=1.0,
        latents=noise(1, 128, 4, 4),
    )  # fmt: skip
    with engine(tmp_path) as made:
        nodes = document("klein", negative=False, cfg=1.0)
        plain = run(made, nodes)
        changed = run(made, adapted(nodes, ("klein.safetensors", 1.0, 0.0)))
    assert np.abs(changed - plain).max() > 0.01
    close(changed, expected)


# -- its kin ----------------------------------------------------------------------------------------------------------

KIN = [*UNET, "mid_block.resnets.0.conv1"]


def small(rows: int, columns: int, seed: int) -> torch.Tensor:
    made: torch.Tensor = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) / columns**0.5
    return made


def merged(folder: Path, name: str, deltas: Mapping[str, torch.Tensor]) -> None:
    """A model whose weights are changed for good."""
    pipeline = copy.deepcopy(models.sdxl())
    for module, delta in deltas.items():
        weight = pipeline.unet.get_submodule(module).weight
        weight.data += delta.reshape(weight.shape)
    pipeline.save_pretrained(folder / name)


def compared(made: Engine, folder: Path, kind: str, state: State, deltas: Mapping[str, torch.Tensor]) -> None:
    save_file(state, folder / f"{kind}.safetensors")
    merged(folder, f"merged-{kind}", {name: 0.7 * delta for name, delta in deltas.items()})
    found = run(made, adapted(document("sdxl"), (f"{kind}.safetensors", 0.7, 0.0)))
    assert np.abs(found - run(made, document("sdxl"))).max() > 0.002
    close(found, run(made, document(f"merged-{kind}")))


def test_loha(made: Engine, folder: Path) -> None:
    state: State = {}
    deltas: State = {}
    for seed, name in enumerate(KIN):
        weight = models.sdxl().unet.get_submodule(name).weight
        rows, columns = weight.flatten(1).shape
        one, other = (
            (small(rows, 4, seed), small(4, columns, 10 + seed)),
            (small(rows, 4, 20 + seed), small(4, columns, 7)),
        )
        at = f"lora_unet_{name.replace('.', '_')}"
        for number, (a, b) in enumerate((one, other), 1):
            state |= {f"{at}.hada_w{number}_a": a, f"{at}.hada_w{number}_b": b}
        state[f"{at}.alpha"] = torch.tensor(8.0)
        deltas[name] = (one[0] @ one[1]) * (other[0] @ other[1]) * 2
    compared(made, folder, "loha", state, deltas)


def test_lokr(made: Engine, folder: Path) -> None:
    """Of whole factors, whose alpha plays no part, and of factors that are products themselves."""
    state: State = {}
    deltas: State = {}
    for seed, name in enumerate(KIN):
        weight = models.sdxl().unet.get_submodule(name).weight
        rows, columns = weight.flatten(1).shape
        left = small(4, 4, seed) / 2
        at = f"lora_unet_{name.replace('.', '_')}"
        state[f"{at}.alpha"] = torch.tensor(8.0)
        state[f"{at}.lokr_w1"] = left
        if seed % 2:
            a, b = small(rows // 4, 2, 10 + seed), small(2, columns // 4, 20 + seed)
            state |= {f"{at}.lokr_w2_a": a, f"{at}.lokr_w2_b": b}
            deltas[name] = torch.kron(left, a @ b) * 4
        else:
            right = small(rows // 4, columns // 4, 30 + seed) / 2
            state[f"{at}.lokr_w2"] = right
            deltas[name] = torch.kron(left, right)
    compared(made, folder, "lokr", state, deltas)


@pytest.mark.parametrize("kind", ["lora", "loha", "lokr"])
def test_cores_of_convolutions(kind: str, made: Engine, folder: Path) -> None:
    """Thin matrices around a core with the kernel: three convolutions one behind the other."""
    name = "mid_block.resnets.0.conv1"
    at = f"lora_unet_{name.replace('.', '_')}"

    def one(rows: int, columns: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """A core (4, 3, 3, 3), what is before and behind it, and what they are together."""
        core = small(4 * 3, 9, seed).reshape(4, 3, 3, 3)
        up, down = small(rows, 4, seed + 1), small(3, columns, seed + 2)
        seen = torch.eye(columns)[:, :, None, None].expand(-1, -1, 5, 5) * spot()  # a point in each channel
        thin = functional.conv2d(seen, down[:, :, None, None])
        answer = functional.conv2d(functional.conv2d(thin, core, padding=1), up[:, :, None, None])
        return core, up, down, answer[:, :, 1:4, 1:4].flip(2, 3).transpose(0, 1)

    state = {f"{at}.alpha": torch.tensor(60.0)}
    if kind == "lora":
        core, up, down, delta = one(128, 128, 1)
        names = {
            "lora_mid.weight": core,
            "lora_up.weight": up[:, :, None, None],
            "lora_down.weight": down[:, :, None, None],
        }
    elif kind == "loha":
        core, up, down, delta = one(128, 128, 1)
        other = one(128, 128, 5)
        delta = delta * other[3] * 16
        names = {"hada_t1": 4 * core, "hada_w1_a": up.T, "hada_w1_b": down,
                 "hada_t2": 4 * other[0], "hada_w2_a": other[1].T, "hada_w2_b": other[2]}  # fmt: skip
    else:
        left = small(4, 4, 1)
        core, up, down, right = one(32, 32, 1)
        delta = torch.einsum("ab,cdkl->acbdkl", left, right).reshape(128, 128, 3, 3)
        names = {"lokr_w1": left, "lokr_t2": core, "lokr_w2_a": up.T, "lokr_w2_b": down}
    state |= {f"{at}.{piece}": value.contiguous() for piece, value in names.items()}
    compared(made, folder, f"{kind}-core", state, {name: 20 * delta})


def spot() -> torch.Tensor:
    made = torch.zeros(1, 1, 5, 5)
    made[..., 2, 2] = 1
    return made


def test_lokr_of_a_convolution(made: Engine, folder: Path) -> None:
    """One factor has the kernel."""
    name = "mid_block.resnets.0.conv1"
    left, right = small(4, 4, 1) * 8, small(32, 32 * 9, 2).reshape(32, 32, 3, 3)
    at = f"lora_unet_{name.replace('.', '_')}"
    delta = torch.einsum("ab,cdkl->acbdkl", left, right).reshape(128, 128, 3, 3)
    state = {f"{at}.lokr_w1": left, f"{at}.lokr_w2": right}
    compared(made, folder, "lokr-conv", state, {name: delta})


def test_oft_turns_the_rows_of_a_layer(made: Engine, folder: Path) -> None:
    """With blocks of four, some held back by a constraint, some stretched too; the turned weights are as long."""
    state: State = {}
    deltas: State = {}
    for seed, name in enumerate(KIN):
        weight = models.sdxl().unet.get_submodule(name).weight.detach()
        rows = len(weight)
        at = f"lora_unet_{name.replace('.', '_')}"
        blocks = small(rows // 4 * 4, 4, seed).reshape(rows // 4, 4, 4)
        skew = blocks - blocks.transpose(1, 2)
        state[f"{at}.oft_blocks"] = blocks
        if seed % 2:
            state[f"{at}.alpha"] = torch.tensor(0.2 / rows)
            skew = skew * 0.2 / skew.norm()
        parts = [(torch.eye(4) + each) @ torch.linalg.inv(torch.eye(4) - each) for each in skew]
        cells = weight.reshape(rows // 4, 4, -1)
        turned = torch.cat([part @ cell for part, cell in zip(parts, cells, strict=True)]).reshape(weight.shape)
        torch.testing.assert_close(turned.flatten(1).norm(), weight.flatten(1).norm())
        if seed == 0:
            stretch = 1 + small(rows, 1, 40).abs()
            state[f"{at}.rescale"] = stretch.reshape(-1, *[1] * (weight.ndim - 1))
            turned = turned * state[f"{at}.rescale"]
        deltas[name] = (turned - weight).reshape(weight.shape if weight.ndim == 4 else (rows, -1))
    compared(made, folder, "oft", state, deltas)


def test_dora_is_diffusers(made: Engine, folder: Path) -> None:
    pipeline = models.sdxl()
    state = peft_layout(pipeline.components, {"unet": KIN})
    for seed, name in enumerate(KIN):
        weight = pipeline.unet.get_submodule(name).weight
        size = weight.flatten(1).norm(dim=1) * (
            1 + torch.rand(len(weight), generator=torch.Generator().manual_seed(seed))
        )
        state[f"unet.{name}.lora_magnitude_vector"] = size if weight.ndim == 2 else size.reshape(1, -1, 1, 1)
    save_file(state, folder / "dora.safetensors")
    pipeline.load_lora_weights(str(folder / "dora.safetensors"), adapter_name="one")
    try:
        expected = theirs(pipeline, **SDXL, latents=noise(1, 4, 8, 8))
    finally:
        pipeline.unload_lora_weights()
    found = run(made, adapted(document("sdxl"), ("dora.safetensors", 1.0, 0.0)))
    assert np.abs(found - run(made, document("sdxl"))).max() > 0.01
    close(found, expected)
    kohya_ = {name.replace(".lora_magnitude_vector", ".dora_scale"): value for name, value in state.items()}
    kohya_ = {n: v.reshape(-1, *[1] * 3) if v.ndim == 4 and n.endswith("dora_scale") else v for n, v in kohya_.items()}
    kohya_ = {n: v[:, None] if v.ndim == 1 else v for n, v in kohya_.items()}
    save_file(kohya_, folder / "dora-kohya.safetensors")
    close(run(made, adapted(document("sdxl"), ("dora-kohya.safetensors", 1.0, 0.0))), expected)


def test_half_a_change_is_said(made: Engine, folder: Path) -> None:
    save_file({"lora_unet_conv_in.hada_w1_a": torch.zeros(64, 2)}, folder / "half.safetensors")
    with pytest.raises(RunFailed, match="has only a part of the change of 'lora_unet_conv_in'"):
        run(made, adapted(document("sdxl", steps=1), ("half.safetensors", 1.0, 0.0)))


# -- what does not fit ------------------------------------------------------------------------------------------------


def test_another_familys_is_refused_while_checking(made: Engine) -> None:
    nodes = adapted(document("sdxl"), ("flux.safetensors", 1.0, 1.0))
    found = made.check(made.read({"nodes": nodes}))
    assert [(p.code, p.node, p.port) for p in found] == [
        ("mismatch", "lora_0", "source"),
        ("mismatch", "lora_0", "model"),
    ]
    assert "flux.safetensors is a LoRA for Chroma or Flux.1, but the model is Stable Diffusion XL" in str(found[0])


def test_one_for_other_widths_is_refused(made: Engine, folder: Path) -> None:
    name = "unet.down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_k"
    state = {f"{name}.lora_A.weight": torch.zeros(4, 2048), f"{name}.lora_B.weight": torch.zeros(64, 4)}
    save_file(state, folder / "wide.safetensors")
    nodes = adapted(document("sdxl"), ("wide.safetensors", 1.0, 1.0))
    assert "reads prompts of width 2048, but this one reads 128" in str(made.check(made.read({"nodes": nodes}))[0])


def test_what_has_no_place_is_told(made: Engine, folder: Path) -> None:
    state: State = {}
    for name in (UNET[0], "down_blocks.7.attentions.0.proj_in"):
        state |= {f"unet.{name}.lora_A.weight": torch.zeros(4, 64), f"unet.{name}.lora_B.weight": torch.zeros(64, 4)}
    save_file(state, folder / "more.safetensors")
    events: list[Event] = []
    nodes = adapted(document("sdxl", steps=1, seed=8), ("more.safetensors", 1.0, 1.0))
    made.run(made.read({"nodes": nodes}), on_event=events.append)
    (warned,) = [e for e in events if isinstance(e, Warned)]
    assert "1 of its 2 changes are of layers that the model has not, such as 'down_blocks.7" in warned.message


def test_what_is_no_lora(folder: Path) -> None:
    files: dict[str, tuple[State, str]] = {
        "boft": ({"lora_unet_a.oft_blocks": torch.zeros(2, 2, 2, 2)}, "is a BOFT, which is not supported"),
        "oft": ({"a.oft_R.default.weight": torch.zeros(2, 2)}, "is an OFT in peft's layout, which is not supported"),
        "none": ({"conv_in.weight": torch.zeros(2, 2)}, "is no LoRA: none of its 1 tensors"),
    }
    for name, (state, words) in files.items():
        save_file(state, folder / f"{name}.safetensors")
        with pytest.raises(ModelError, match=words):
            open_adapter(folder / f"{name}.safetensors")
    model, text_encoder, _ = load_model(str(folder / "sdxl"))
    with pytest.raises(NodeError, match=r"no model 'gone\.safetensors'") as caught:
        apply_lora(model, "gone.safetensors", text_encoder)
    assert caught.value.port == "source"
