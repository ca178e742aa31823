"""Flux.1 (Black Forest Labs 2024): dev, distilled from guidance; schnell, of few steps; Fill, for inpainting; Kontext,
which looks at further pictures; Canny and Depth, which read one beside the latent."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..checkpoint import memory, original
from ..checkpoint.adapters import piece_of
from ..checkpoint.header import Header
from ..checkpoint.value import Component
from . import flows, unets
from .family import UNTOLD, Control, Encoded, Encoder, Family, Job, Parts, Residuals

if TYPE_CHECKING:
    from torch import Tensor

    from ..diffusion.denoiser import Prompt

TRANSFORMER = ("transformer", "FluxTransformer2DModel")
LENGTH = 512
MASK = 256
"""Channels of a packed mask: the pixels of two by two cells of eight by eight."""
MARK = "double_blocks.0.img_attn.norm.key_norm.scale"
OTHERS = ("double_stream_modulation_img.lin.weight", "distilled_guidance_layer.in_proj.weight")
"""Tensors of Flux.2 and of Chroma, whose blocks are named alike."""


def _predict(network: Any, x: Tensor, time: Tensor, prompt: Prompt, job: Job) -> Tensor:
    import torch

    batch, _, height, width = x.shape
    tokens = flows.packed(x)
    if job.hole is not None:
        hole = job.hole.to(x)
        tokens = torch.cat([tokens, hole.repeat(batch // len(hole), 1, 1)], dim=2)
    where = places(height // 2, width // 2)
    own = tokens.shape[1]
    if prompt.references:
        seen = [flows.packed(each.to(x)).expand(batch, -1, -1) for each in prompt.references]
        tokens = torch.cat([tokens, *seen], dim=1)
        where = torch.cat([where, *_beside(prompt.references)])
    with _told(network, job.guidance, x) as guidance:
        out = network(
            hidden_states=tokens,
            timestep=(time.expand(batch).to(x.dtype) / 1000),
            guidance=guidance,
            pooled_projections=prompt.pooled,
            encoder_hidden_states=prompt.tokens,
            txt_ids=torch.zeros(prompt.tokens.shape[1], 3, device=x.device, dtype=x.dtype),
            img_ids=where.to(x),
            return_dict=False,
            **job.residuals,
        )[0]
    return flows.unpacked(out[:, :own], height, width)


@contextmanager
def _told(network: Any, guidance: float, x: Tensor) -> Iterator[Tensor | None]:
    """What a network is told of guidance; for the length of the block nothing comes of that if it is `UNTOLD`."""
    import torch

    if not network.config["guidance_embeds"]:
        yield None
        return
    told = torch.full((len(x),), guidance, device=x.device)
    if guidance != UNTOLD:
        yield told
        return
    me = threading.get_ident()

    def silenced(module: Any, args: Any, output: Tensor) -> Tensor | None:
        return torch.zeros_like(output) if threading.get_ident() == me else None

    hook = network.time_text_embed.guidance_embedder.register_forward_hook(silenced)
    try:
        yield told
    finally:
        hook.remove()


def _beside(references: Sequence[Tensor]) -> list[Tensor]:
    """Where the tokens of further pictures are: on a level of their own, each beside or below those before it."""
    import torch

    made = []
    down = across = 0
    for each in references:
        rows, columns = each.shape[-2] // 2, each.shape[-1] // 2
        below = rows + down <= columns + across
        start = (down, 0) if below else (0, across)
        made.append(places(rows, columns) + torch.tensor([1.0, *start]))
        down, across = max(down, start[0] + rows), max(across, start[1] + columns)
    return made


def _control(
    network: Any, hint: Tensor, x: Tensor, time: Tensor, prompt: Prompt, job: Job, strength: float
) -> Residuals:
    import torch

    batch, _, height, width = x.shape
    pixels = network.input_hint_block is not None
    with _told(network, job.guidance, x) as guidance:
        blocks, single = network(
            hidden_states=flows.packed(x),
            controlnet_cond=hint * 2 - 1 if pixels else flows.packed(hint),
            conditioning_scale=strength,
            timestep=time.expand(batch).to(x.dtype) / 1000,
            guidance=guidance,
            pooled_projections=prompt.pooled,
            encoder_hidden_states=prompt.tokens,
            txt_ids=torch.zeros(prompt.tokens.shape[1], 3, device=x.device, dtype=x.dtype),
            img_ids=places(height // 2, width // 2).to(x),
            return_dict=False,
        )
    made = {"controlnet_block_samples": blocks, "controlnet_single_block_samples": single}
    return {name: tuple(each) for name, each in made.items() if each} | {"controlnet_blocks_repeat": pixels}


def places(rows: int, columns: int) -> Tensor:
    """Where each token is: (0, row, column)."""
    import torch

    return torch.cartesian_prod(torch.zeros(1), torch.arange(rows).float(), torch.arange(columns).float())


def _hole(mask: Tensor | None, hidden: Tensor) -> Tensor:
    """The hidden picture and every pixel of the mask, as tokens."""
    import torch

    if mask is None:
        return flows.packed(hidden)
    batch, (height, width) = max(len(mask), len(hidden)), hidden.shape[-2:]
    cell = mask.shape[-1] // width
    pixels = mask[:, 0].reshape(len(mask), height, cell, width, cell).permute(0, 2, 4, 1, 3)
    pixels = pixels.reshape(len(mask), cell * cell, height, width)
    parts = [part.expand(batch, -1, -1, -1) for part in (hidden, pixels)]
    return torch.cat([flows.packed(part) for part in parts], dim=2)


def _joined(encoded: Sequence[Encoded | None], width: int) -> Encoded:
    clip, t5 = encoded
    assert clip is not None
    assert t5 is not None
    return Encoded(t5.tokens, clip.pooled)


def _inpaints(config: Mapping[str, Any]) -> bool:
    out = int(config.get("out_channels") or config["in_channels"])
    return int(config["in_channels"]) == 2 * out + MASK or _edits(config)


def _edits(config: Mapping[str, Any]) -> bool:
    return int(config["in_channels"]) == 2 * int(config.get("out_channels") or config["in_channels"])


def _recognise(header: Header) -> bool:
    prefix = flows.prefix(header, MARK)
    return prefix is not None and header.tensors.keys().isdisjoint(prefix + mark for mark in OTHERS)


def _read(header: Header) -> Parts:
    prefix = flows.prefix(header, MARK)
    assert prefix is not None
    config = _transformer(header, prefix)
    name = "flux-dev" if config["guidance_embeds"] else "flux-schnell"
    encoders = []
    for part, cls, at in (
        ("text_encoder", "CLIPTextModel", "text_encoders.clip_l.transformer."),
        ("text_encoder_2", "T5EncoderModel", "text_encoders.t5xxl.transformer."),
    ):
        if header.under(at):
            fit = original.clip if part == "text_encoder" else original.t5
            encoders.append(original.part(header, part, cls, fit(header, original.shipped(name, part), at), at))
    own = (prefix,) if prefix else tuple({f"{name.partition('.')[0]}." for name in header.tensors})
    return Parts(
        original.part(header, *TRANSFORMER, config, *own),
        tuple(encoders) if len(encoders) == 2 else (),
        original.autoencoder(header, name, "vae."),
        original.shipped(name, "scheduler"),
        "flow",
    )


def _transformer(header: Header, prefix: str) -> dict[str, Any]:
    shape = header.shape
    width, channels = shape(f"{prefix}img_in.weight")
    head = shape(f"{prefix}{MARK}")[0]
    config = original.shipped("flux-dev", "transformer")
    return config | {
        "num_layers": original.count(header, rf"{prefix}double_blocks\.(\d+)\."),
        "num_single_layers": original.count(header, rf"{prefix}single_blocks\.(\d+)\."),
        "num_attention_heads": width // head,
        "attention_head_dim": head,
        "axes_dims_rope": [head // 8, 7 * head // 16, 7 * head // 16],
        "in_channels": channels,
        "out_channels": shape(f"{prefix}final_layer.linear.weight")[0],
        "joint_attention_dim": shape(f"{prefix}txt_in.weight")[1],
        "pooled_projection_dim": shape(f"{prefix}vector_in.in_layer.weight")[1],
        "guidance_embeds": f"{prefix}guidance_in.in_layer.weight" in header.tensors,
    }


WHOLE = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "time_in.in_layer": "time_text_embed.timestep_embedder.linear_1",
    "time_in.out_layer": "time_text_embed.timestep_embedder.linear_2",
    "vector_in.in_layer": "time_text_embed.text_embedder.linear_1",
    "vector_in.out_layer": "time_text_embed.text_embedder.linear_2",
    "guidance_in.in_layer": "time_text_embed.guidance_embedder.linear_1",
    "guidance_in.out_layer": "time_text_embed.guidance_embedder.linear_2",
    "final_layer.linear": "proj_out",
    "final_layer.adaLN_modulation.1": "norm_out.linear",
}
DOUBLE = {
    "img_mod.lin": "norm1.linear",
    "txt_mod.lin": "norm1_context.linear",
    "img_attn.proj": "attn.to_out.0",
    "txt_attn.proj": "attn.to_add_out",
    "img_attn.norm.query_norm": "attn.norm_q",
    "img_attn.norm.key_norm": "attn.norm_k",
    "txt_attn.norm.query_norm": "attn.norm_added_q",
    "txt_attn.norm.key_norm": "attn.norm_added_k",
    "img_mlp.0": "ff.net.0.proj",
    "img_mlp.2": "ff.net.2",
    "txt_mlp.0": "ff_context.net.0.proj",
    "txt_mlp.2": "ff_context.net.2",
}
SINGLE = {
    "modulation.lin": "norm.linear",
    "linear2": "proj_out",
    "norm.query_norm": "attn.norm_q",
    "norm.key_norm": "attn.norm_k",
}
QKV = {
    "img_attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "txt_attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "linear1": ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"),
}


def converted(part: Component, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of one component by diffusers' names."""
    if part.name != "transformer":
        return unets.converted(part, weights)
    width = int(part.config["num_attention_heads"]) * int(part.config["attention_head_dim"])
    out: dict[str, Tensor] = {}
    for key, value in weights.items():
        module, _, kind = flows.named(key).rpartition(".")
        kind = "weight" if kind == "scale" else kind
        stack, _, rest = module.partition(".")
        if stack in ("double_blocks", "single_blocks"):
            layer, _, inner = rest.partition(".")
            double = stack == "double_blocks"
            at = f"{'transformer_blocks' if double else 'single_transformer_blocks'}.{layer}"
            if inner in QKV:
                names = QKV[inner]
                ends = [0, width, 2 * width, 3 * width, len(value)]
                rows = [value[start:end] for start, end in itertools.pairwise(ends)][: len(names)]
                out |= {f"{at}.{name}.{kind}": piece for name, piece in zip(names, rows, strict=True)}
            else:
                out[f"{at}.{(DOUBLE if double else SINGLE)[inner]}.{kind}"] = value
        elif module == "final_layer.adaLN_modulation.1":  # diffusers has scale and shift the other way round
            out[f"norm_out.linear.{kind}"] = value.roll(width, 0)
        elif module in WHOLE:
            out[f"{WHOLE[module]}.{kind}"] = value
    return out


STACK = re.compile(r"(double|single)_blocks[._](\d+)[._](.+)")


def modules(
    name: str,
    whole: Mapping[str, str],
    double: Mapping[str, str],
    single: Mapping[str, str],
    fused: Mapping[str, tuple[str, ...]],
) -> tuple[str, ...]:
    """The modules by diffusers' names that `name`, of the original code, is or is fused of."""
    match = STACK.fullmatch(name)
    if match is None:
        found = {old.replace(".", "_"): new for old, new in whole.items()}.get(name.replace(".", "_"))
        return (found,) if found else ()
    at = f"{'single_transformer_blocks' if match[1] == 'single' else 'transformer_blocks'}.{match[2]}"
    names = {old: (new,) for old, new in (single if match[1] == "single" else double).items()} | dict(fused)
    inside = {old.replace(".", "_"): new for old, new in names.items()}.get(match[3].replace(".", "_"), ())
    return tuple(f"{at}.{module}" for module in inside)


def adapted(name: str, config: Mapping[str, Any]) -> Sequence[str]:
    """The modules of the denoiser that one of the original code is, or is fused of."""
    return modules(name, WHOLE, DOUBLE, SINGLE, QKV)


def in_blocks(header: Header) -> bool:
    """Whether a LoRA changes blocks by the names of the original code."""
    return any("double_blocks" in name or "single_blocks" in name for name in header.tensors)


WIDENED = re.compile(r"(single_blocks[._]\d+[._]linear1|double_blocks[._]\d+[._](img|txt)_mlp[._]0)$")


def widened(header: Header) -> float | None:
    """How many times as wide the output of a block's first layer is as its input, where a LoRA changes one: 7 or 4 of
    Flux.1, 9 or 6 of Flux.2."""
    rows: dict[str, int] = {}
    columns: dict[str, int] = {}
    for name, tensor in header.tensors.items():
        module, piece = piece_of(name) or ("", "")
        if WIDENED.search(module) and piece in ("up", "down"):
            (rows if piece == "up" else columns)[module] = tensor.shape[0 if piece == "up" else 1]
    return next((rows[module] / wide for module, wide in columns.items() if module in rows), None)


def adapts(header: Header) -> bool:
    """Whether a LoRA may be for Flux.1, or what is made like it."""
    single = any("single_transformer_blocks" in name for name in header.tensors)
    own = (single or in_blocks(header)) and widened(header) in (None, 4, 7)
    return own and not any("stream_modulation" in name or "to_qkv_mlp_proj" in name for name in header.tensors)


FAMILY = Family(
    name="flux1",
    title="Flux.1",
    denoiser=TRANSFORMER,
    encoders=(
        Encoder("text_encoder", ("CLIPTextModel",), unets.clip(1, normed=True, pooled=True)),
        Encoder("text_encoder_2", ("T5EncoderModel",), flows.t5(LENGTH)),
    ),
    space="flux1",
    scaling=0.3611,
    predict=_predict,
    joined=_joined,
    table=flows.shifted(),
    activations=memory.transformer(17.2, 1 / 4, LENGTH),
    least=256,
    width=flows.width,
    multiple=16,
    inpaints=_inpaints,
    hole=_hole,
    edits=_edits,
    references=True,
    caches=True,
    recognise=_recognise,
    shipped="flux-dev",
    read=_read,
    convert=converted,
    adapts=adapts,
    adapted=adapted,
    control=Control(
        "FluxControlNetModel", _control, latent=lambda config: not config.get("conditioning_embedding_channels")
    ),
)
