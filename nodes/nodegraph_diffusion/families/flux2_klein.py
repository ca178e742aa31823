"""Flux.2 klein (Black Forest Labs 2026): Flux.2's transformer, which reads three layers of a Qwen3 side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import flows
from .family import Encoder, Family, Job

if TYPE_CHECKING:
    from torch import Tensor

    from ..diffusion.denoiser import Prompt
    from ..diffusion.schedules import Table

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
        return FlowTable(scheduler, many)
    few = 8.73809524e-05 * cells + 1.89833333
    slope = (many - few) / 190
    return FlowTable(scheduler, slope * steps + many - 200 * slope)


FAMILY = Family(
    name="flux2_klein",
    title="Flux.2 klein",
    denoiser=("transformer", "Flux2Transformer2DModel"),
    encoders=(Encoder("text_encoder", ("Qwen3ForCausalLM",), flows.chat(LAYERS, thinking=False, padded=True)),),
    space="flux2",
    vae=("vae", "AutoencoderKLFlux2"),
    predict=predict,
    joined=flows.first,
    table=table,
    width=flows.width,
    multiple=16,
    adapts=lambda header: flows.changes(header, r"single_transformer_blocks[._]\d+[._]attn[._]to_qkv_mlp_proj"),
)
