"""Flux.2 klein (Black Forest Labs 2026): Flux.2's transformer, which reads three layers of a Qwen3 side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..checkpoint import memory, original
from ..checkpoint.header import Header
from ..checkpoint.value import Component
from . import flows, unets
from .family import Encoder, Family, Job, Parts

if TYPE_CHECKING:
    from torch import Tensor

    from ..diffusion.denoiser import Prompt
    from ..diffusion.schedules import Table

TRANSFORMER = ("transformer", "Flux2Transformer2DModel")
LAYERS = (9, 18, 27)


def predict(network: Any, x: Tensor, time: Tensor, prompt: Prompt, job: Job) -> Tensor:
    """Flux.2's transformer, whose tokens have four coordinates: time, row, column, place in the prompt."""
    import torch

    batch, _, height, width = x.shape
    one = torch.zeros(1)
    rows, columns = torch.arange(height).float(), torch.arange(width).float()
    places = torch.cartesian_prod(one, rows, columns, one)
    words = torch.cartesian_prod(one, one, one, torch.arange(prompt.tokens.shape[1]).float())
    guides = network.config.get("guidance_embeds", True)
    out: Tensor = network(
        hidden_states=x.flatten(2).transpose(1, 2),
        timestep=time.expand(batch).to(x.dtype) / 1000,
        guidance=torch.full((batch,), job.guidance, device=x.device) if guides else None,
        encoder_hidden_states=prompt.tokens,
        txt_ids=words.expand(batch, -1, -1).to(x.device),
        img_ids=places.expand(batch, -1, -1).to(x.device),
        return_dict=False,
        **job.residuals,
    )[0]
    return out.transpose(1, 2).reshape(batch, -1, height, width)


def table(scheduler: Mapping[str, Any], cells: int, steps: int) -> Table:
    """Times shifted by size and number of steps, by the figures that its authors fitted."""
    from ..diffusion.flow import FlowTable

    many = 0.00016927 * cells + 0.45666666
    if cells > 4300:
        return FlowTable(scheduler, many, USUAL)
    few = 8.73809524e-05 * cells + 1.89833333
    slope = (many - few) / 190
    return FlowTable(scheduler, slope * steps + many - 200 * slope, USUAL)


USUAL = 2.02
"""How far ComfyUI's schedules are shifted for it."""
MARK = "double_stream_modulation_img.lin.weight"
SCHEDULER = {"shift": 3.0, "use_dynamic_shifting": True}
"""That of its folder, which single files do not hold."""


def _recognise(header: Header) -> bool:
    prefix = flows.prefix(header, MARK)
    return prefix is not None and f"{prefix}guidance_in.in_layer.weight" not in header.tensors


def _read(header: Header) -> Parts:
    prefix = flows.prefix(header, MARK)
    assert prefix is not None
    shape = header.shape
    width, channels = shape(f"{prefix}img_in.weight")
    head = shape(f"{prefix}double_blocks.0.img_attn.norm.query_norm.scale")[0]
    config = {
        "_class_name": TRANSFORMER[1],
        "patch_size": 1,
        "in_channels": channels,
        "num_layers": original.count(header, rf"{prefix}double_blocks\.(\d+)\."),
        "num_single_layers": original.count(header, rf"{prefix}single_blocks\.(\d+)\."),
        "attention_head_dim": head,
        "num_attention_heads": width // head,
        "joint_attention_dim": shape(f"{prefix}txt_in.weight")[1],
        "timestep_guidance_channels": shape(f"{prefix}time_in.in_layer.weight")[1],
        "mlp_ratio": shape(f"{prefix}double_blocks.0.img_mlp.2.weight")[1] / width,
        "axes_dims_rope": [head // 4] * 4,
        "guidance_embeds": False,
    }
    return flows.alone(header, TRANSFORMER, config, prefix, SCHEDULER)


def _converted(part: Component, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    if part.name == "vae":
        (prefix,) = part.prefixes
        bare = {name.removeprefix(prefix): value for name, value in weights.items()}
        norm = {name: value for name, value in bare.items() if name.startswith("bn.")}
        moved = {"encoder.quant_conv.": "quant_conv.", "decoder.post_quant_conv.": "post_quant_conv."}
        for old, new in moved.items():
            bare = {new + n.removeprefix(old) if n.startswith(old) else n: value for n, value in bare.items()}
        return unets.converted(replace(part, prefixes=("",)), bare) | norm
    from diffusers.loaders.single_file_utils import convert_flux2_transformer_checkpoint_to_diffusers

    bare = {flows.named(name): value for name, value in weights.items()}
    return convert_flux2_transformer_checkpoint_to_diffusers(bare)  # type: ignore[no-any-return]


FAMILY = Family(
    name="flux2_klein",
    title="Flux.2 klein",
    denoiser=TRANSFORMER,
    encoders=(Encoder("text_encoder", ("Qwen3ForCausalLM",), flows.chat(LAYERS, thinking=False, padded=True)),),
    space="flux2",
    vae=("vae", "AutoencoderKLFlux2"),
    predict=predict,
    joined=flows.first,
    table=table,
    activations=memory.transformer(21.6, 1, 512),
    width=flows.width,
    multiple=16,
    recognise=_recognise,
    read=_read,
    convert=_converted,
    adapts=lambda header: flows.changes(header, r"single_transformer_blocks[._]\d+[._]attn[._]to_qkv_mlp_proj"),
)
