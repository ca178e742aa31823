"""Stable Diffusion 3 and 3.5 (Esser et al. 2024, arXiv:2403.03206): two CLIPs, and T5 where there is room for it."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import TYPE_CHECKING, Any

from ..checkpoint import memory, original
from ..checkpoint.header import Header
from ..checkpoint.value import Component
from . import flows, unets
from .family import Control, Encoded, Encoder, Family, Job, Parts, Residuals

if TYPE_CHECKING:
    from torch import Tensor

    from ..diffusion.denoiser import Prompt

TRANSFORMER = ("transformer", "SD3Transformer2DModel")
CLIP = "CLIPTextModelWithProjection"
MARK = "joint_blocks.0.x_block.attn.qkv.weight"
LENGTH = 256
"""Tokens that T5 gives; zeros stand for them without it."""
ENCODERS = {
    "text_encoder": "text_encoders.clip_l.transformer.",
    "text_encoder_2": "text_encoders.clip_g.transformer.",
    "text_encoder_3": "text_encoders.t5xxl.transformer.",
}


def _predict(network: Any, x: Tensor, time: Tensor, prompt: Prompt, job: Job) -> Tensor:
    out: Tensor = network(
        hidden_states=x,
        timestep=time.expand(len(x)),
        encoder_hidden_states=prompt.tokens,
        pooled_projections=prompt.pooled,
        return_dict=False,
        **job.residuals,
    )[0]
    return out


def _control(
    network: Any, hint: Tensor, x: Tensor, time: Tensor, prompt: Prompt, job: Job, strength: float
) -> Residuals:
    pooled = prompt.pooled
    if network.config["force_zeros_for_pooled_projection"] and pooled is not None:
        pooled = pooled * 0
    blocks = network(
        hidden_states=x,
        timestep=time.expand(len(x)),
        encoder_hidden_states=None if network.config["joint_attention_dim"] is None else prompt.tokens,
        pooled_projections=pooled,
        controlnet_cond=hint,
        conditioning_scale=strength,
        return_dict=False,
    )[0]
    return {"block_controlnet_hidden_states": tuple(blocks)}


def _joined(encoded: Sequence[Encoded | None], width: int) -> Encoded:
    import torch
    from torch.nn import functional

    from ..diffusion.prompts import side_by_side

    clips, t5 = side_by_side(*encoded[:2]), encoded[2]
    assert clips.tokens is not None
    tokens = functional.pad(clips.tokens, (0, width - clips.tokens.shape[2]))
    rest = torch.zeros(1, LENGTH, width) if t5 is None or t5.tokens is None else t5.tokens
    return Encoded(torch.cat([tokens, rest], dim=1), clips.pooled)


def _read(header: Header) -> Parts:
    prefix = flows.prefix(header, MARK)
    assert prefix is not None
    shipped = original.shipped
    encoders = []
    for name, at in ENCODERS.items():
        if header.under(at):
            fit = original.t5 if name == "text_encoder_3" else original.clip
            cls = "T5EncoderModel" if name == "text_encoder_3" else CLIP
            encoders.append(original.part(header, name, cls, fit(header, shipped("sd3-medium", name), at), at))
    return Parts(
        original.part(header, *TRANSFORMER, _transformer(header, prefix), *_own(header, prefix)),
        tuple(encoders),
        original.autoencoder(header, "sd3-medium"),
        shipped("sd3-medium", "scheduler"),
        "flow",
    )


def _own(header: Header, prefix: str) -> tuple[str, ...]:
    """What the denoiser's names begin with: its prefix, or, in a file that has none, each of its parts."""
    parts = (
        "joint_blocks.",
        "pos_embed",
        "x_embedder.",
        "t_embedder.",
        "y_embedder.",
        "context_embedder.",
        "final_layer.",
    )
    return (prefix,) if prefix else parts


def _transformer(header: Header, prefix: str) -> dict[str, Any]:
    shape = header.shape
    _, places, width = shape(f"{prefix}pos_embed")
    _, channels, patch, _ = shape(f"{prefix}x_embedder.proj.weight")
    layers = original.count(header, rf"{prefix}joint_blocks\.(\d+)\.")
    blocks = [f"{prefix}joint_blocks.{i}.x_block" for i in range(layers)]
    config = original.shipped("sd3-medium", "transformer")
    return config | {
        "num_layers": layers,
        "num_attention_heads": width // 64,
        "attention_head_dim": 64,
        "caption_projection_dim": width,
        "pos_embed_max_size": isqrt(places),
        "in_channels": channels,
        "out_channels": shape(f"{prefix}final_layer.linear.weight")[0] // patch**2,
        "patch_size": patch,
        "joint_attention_dim": shape(f"{prefix}context_embedder.weight")[1],
        "pooled_projection_dim": shape(f"{prefix}y_embedder.mlp.0.weight")[1],
        "qk_norm": "rms_norm" if f"{blocks[0]}.attn.ln_q.weight" in header.tensors else None,
        "dual_attention_layers": [i for i, b in enumerate(blocks) if f"{b}.attn2.qkv.weight" in header.tensors],
    }


def _converted(part: Component, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    if part.name == "transformer":
        from diffusers.loaders.single_file_utils import convert_sd3_transformer_checkpoint_to_diffusers

        bare = {flows.named(name): value for name, value in weights.items()}
        return convert_sd3_transformer_checkpoint_to_diffusers(bare)  # type: ignore[no-any-return]
    return unets.converted(part, weights)


FAMILY = Family(
    name="sd3",
    title="Stable Diffusion 3 and 3.5",
    denoiser=TRANSFORMER,
    encoders=(
        Encoder("text_encoder", (CLIP,), unets.clip(2, normed=False, pooled=True)),
        Encoder("text_encoder_2", (CLIP,), unets.clip(2, normed=False, pooled=True)),
        Encoder("text_encoder_3", ("T5EncoderModel",), flows.t5(LENGTH), optional=True),
    ),
    space="sd3",
    scaling=1.5305,
    predict=_predict,
    joined=_joined,
    table=flows.shifted(even=False),
    activations=memory.transformer(12.25, 1 / 4, 77 + LENGTH),
    least=77,
    width=flows.width,
    multiple=16,
    recognise=lambda header: flows.prefix(header, MARK) is not None,
    shipped="sd3-medium",
    read=_read,
    convert=_converted,
    # Those of InstantX want no prompt in one vector, and latents that are scaled but not centred.
    control=Control(
        "SD3ControlNetModel",
        _control,
        latent=lambda config: True,
        shifted=lambda config: not config.get("force_zeros_for_pooled_projection", True),
    ),
    adapts=lambda header: flows.changes(
        header, r"transformer_blocks\.\d+\.attn\.|joint_blocks", without="img_m|single_"
    ),
)
