"""What the families of Flux.2 (Black Forest Labs 2025) share: all but what they read prompts with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..checkpoint import memory, original
from ..checkpoint.header import Header
from ..checkpoint.value import Component
from . import flows, flux, unets
from .family import Encoder, Family, Job, Parts

if TYPE_CHECKING:
    from torch import Tensor

    from ..diffusion.denoiser import Prompt
    from ..diffusion.schedules import Table

TRANSFORMER = ("transformer", "Flux2Transformer2DModel")
VAE = ("vae", "AutoencoderKLFlux2")
APART = 10
"""How far apart pictures lie in time: the one that is made, then those it looks at."""


def predict(network: Any, x: Tensor, time: Tensor, prompt: Prompt, job: Job) -> Tensor:
    """Flux.2's transformer, whose tokens have four coordinates: time, row, column, place in the prompt."""
    import torch

    batch, _, height, width = x.shape
    one = torch.zeros(1)
    pictures = [x, *(each.to(x).expand(batch, -1, -1, -1) for each in prompt.references)]
    places = [
        torch.cartesian_prod(one + APART * n, *(torch.arange(side).float() for side in each.shape[-2:]), one)
        for n, each in enumerate(pictures)
    ]
    words = torch.cartesian_prod(one, one, one, torch.arange(prompt.tokens.shape[1]).float())
    guides = network.config.get("guidance_embeds", True)
    out: Tensor = network(
        hidden_states=torch.cat([each.flatten(2).transpose(1, 2) for each in pictures], dim=1),
        timestep=time.expand(batch).to(x.dtype) / 1000,
        guidance=torch.full((batch,), job.guidance, device=x.device) if guides else None,
        encoder_hidden_states=prompt.tokens,
        txt_ids=words.expand(batch, -1, -1).to(x.device),
        img_ids=torch.cat(places).expand(batch, -1, -1).to(x.device),
        return_dict=False,
        **job.residuals,
    )[0]
    return out[:, : height * width].transpose(1, 2).reshape(batch, -1, height, width)


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


def recognise(header: Header, *, guided: bool) -> bool:
    """Whether a file holds such a denoiser, distilled from guidance or not."""
    prefix = flows.prefix(header, MARK)
    return prefix is not None and guided == (f"{prefix}guidance_in.in_layer.weight" in header.tensors)


def read(header: Header) -> Parts:
    """What a file of a denoiser holds."""
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
        "guidance_embeds": f"{prefix}guidance_in.in_layer.weight" in header.tensors,
    }
    return flows.alone(header, TRANSFORMER, config, prefix, SCHEDULER)


def converted(part: Component, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a denoiser or a VAE by diffusers' names."""
    if part.name == "vae":
        (prefix,) = part.prefixes
        bare = {name.removeprefix(prefix): value for name, value in weights.items()}
        norm = {name: value for name, value in bare.items() if name.startswith("bn.")}
        moved = {"encoder.quant_conv.": "quant_conv.", "decoder.post_quant_conv.": "post_quant_conv."}
        for old, new in moved.items():
            bare = {new + n.removeprefix(old) if n.startswith(old) else n: value for n, value in bare.items()}
        return unets.converted(replace(part, prefixes=("",)), bare) | norm
    if part.name != "transformer":
        return weights
    from diffusers.loaders.single_file_utils import convert_flux2_transformer_checkpoint_to_diffusers

    bare = {flows.named(name): value for name, value in weights.items()}
    return convert_flux2_transformer_checkpoint_to_diffusers(bare)  # type: ignore[no-any-return]


DOUBLE = flux.DOUBLE | {
    f"{side}_mlp.{number}": f"{ff}.linear_{end}"
    for side, ff in (("img", "ff"), ("txt", "ff_context"))
    for number, end in ((0, "in"), (2, "out"))
}
SINGLE = {"linear1": "attn.to_qkv_mlp_proj", "linear2": "attn.to_out"}
WHOLE = {"img_in": "x_embedder", "txt_in": "context_embedder", "final_layer.linear": "proj_out"}
OWN = re.compile(r"single_transformer_blocks[._]\d+[._]attn[._]to_qkv_mlp_proj|ff(_context)?[._]linear_(in|out)")


def adapts(header: Header) -> bool:
    """Whether a LoRA may be for one of them, by diffusers' names or by those of the original code."""
    if any(OWN.search(name) for name in header.tensors):
        return True
    return flux.in_blocks(header) and flux.widened(header) in (None, 6, 9)


def adapted(name: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    """The modules of the denoiser that one of the original code is, or is fused of."""
    fused = {old: names for old, names in flux.QKV.items() if old not in SINGLE}
    return flux.modules(name, WHOLE, DOUBLE, SINGLE, fused)


def family(name: str, title: str, encoder: Encoder, *, guided: bool) -> Family:
    """One of them.

    Args:
        guided: Whether it was distilled from guidance, which it then is told.
    """
    return Family(
        name=name,
        title=title,
        denoiser=TRANSFORMER,
        encoders=(encoder,),
        space="flux2",
        vae=VAE,
        predict=predict,
        table=table,
        activations=memory.transformer(21.6, 1, 512),
        width=flows.width,
        multiple=16,
        references=True,
        caches=True,
        recognise=lambda header: recognise(header, guided=guided),
        read=read,
        convert=converted,
        adapts=adapts,
        adapted=adapted,
    )
