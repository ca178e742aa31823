"""HiDream-I1 (Cai et al. 2025, arXiv:2505.22705): two CLIPs, T5, and every layer of Llama 3.1, each for a block of its
own. E1, of the same architecture, makes a picture of another, which stands to the right of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..checkpoint import original
from ..checkpoint.header import Header
from ..checkpoint.value import Component
from . import flows, flux, unets
from .family import Encoded, Encoder, Family, Job, Parts

if TYPE_CHECKING:
    from torch import Tensor

    from ..diffusion.denoiser import Prompt
    from ..diffusion.prompts import PromptEncoder

TRANSFORMER = ("transformer", "HiDreamImageTransformer2DModel")
CLIP = "CLIPTextModelWithProjection"
MARK = "caption_projection.0.linear.weight"
LENGTH = 128
"""Tokens that T5 gives, and that Llama gives at least."""
LAST = 31
"""The layer of Llama that the blocks read which are more than it has layers."""


def _predict(network: Any, x: Tensor, time: Tensor, prompt: Prompt, job: Job) -> Tensor:
    import torch

    t5, llama = _apart(prompt.tokens, *network.config["caption_channels"])
    batch, _, height, width = x.shape
    cells = flows.even(x if job.hole is None else torch.cat([x, _hole(x, job)], dim=-1))
    rows, columns = cells.shape[-2] // 2, cells.shape[-1] // 2
    tokens = cells.reshape(batch, -1, rows, 2, columns, 2).permute(0, 2, 4, 3, 5, 1).reshape(batch, rows * columns, -1)
    # Left to itself the network fills up what is not square, and sees what it fills in.
    out: Tensor = network(
        hidden_states=tokens,
        timesteps=time.expand(batch),
        encoder_hidden_states_t5=t5,
        encoder_hidden_states_llama3=llama,
        pooled_embeds=prompt.pooled,
        img_ids=flux.places(rows, columns).to(x).expand(batch, -1, -1),
        img_sizes=[(rows, columns)] * batch,
        hidden_states_masks=x.new_ones(batch, rows * columns),
        return_dict=False,
        **job.residuals,
    )[0]
    return -out[..., :height, :width]


def _hole(x: Tensor, job: Job) -> Tensor:
    seen: Tensor = job.hole.to(x)
    return seen.repeat(len(x) // len(seen), 1, 1, 1)


def _apart(tokens: Tensor, t5: int, llama: int) -> tuple[Tensor, Tensor]:
    """What T5 says (B, 128, D), and what each layer of Llama does (layers, B, T, D)."""
    layers = tokens[..., t5:]
    return tokens[:, :LENGTH, :t5], layers.reshape(*layers.shape[:2], -1, llama).permute(2, 0, 1, 3)


def _t5(encoder: PromptEncoder, text: str, layer: int) -> Encoded:
    from ..diffusion.prompts import t5

    return t5(replace(encoder, filled=None), text, LENGTH, masked=True, whole=True)


def _llama(encoder: PromptEncoder, text: str, layer: int) -> Encoded:
    """All layers side by side. What is written about weights it does not read."""
    from ..diffusion.prompts import language_model, parse

    said = "".join(piece.text for section in parse(text) for piece in section)
    whole = encoder.filled is not None and len(encoder.tokenizer(said.encode("utf-8", "replace").decode()).input_ids)
    layers = range(1, encoder.layers + 1)
    return language_model(encoder, said, layers=layers, length=max(LENGTH, whole), padded=True)


def _joined(encoded: Sequence[Encoded | None], width: int) -> Encoded:
    import torch
    from torch.nn import functional

    pooled = [each.pooled for each in encoded if each is not None and each.pooled is not None]
    t5, llama = (each.tokens for each in encoded[2:] if each is not None and each.tokens is not None)
    longer = functional.pad(t5, (0, 0, 0, llama.shape[1] - LENGTH))
    return Encoded(torch.cat([longer, llama], dim=-1), torch.cat(pooled, dim=-1))


def _width(config: Mapping[str, Any]) -> int:
    t5, llama = config["caption_channels"]
    return int(t5) + int(llama) * (int(max(config["llama_layers"])) + 1)


def _prefix(header: Header) -> str | None:
    return flows.prefix(header, MARK)


def _read(header: Header) -> Parts:
    prefix = _prefix(header)
    assert prefix is not None
    shape = header.shape
    double = original.count(header, rf"{prefix}double_stream_blocks\.(\d+)\.")
    single = original.count(header, rf"{prefix}single_stream_blocks\.(\d+)\.")
    blocks = double + single
    width, channels = shape(f"{prefix}x_embedder.proj.weight")
    config = {
        "_class_name": TRANSFORMER[1],
        "patch_size": 2,
        "in_channels": channels // 4,
        "out_channels": shape(f"{prefix}final_layer.linear.weight")[0] // 4,
        "num_layers": double,
        "num_single_layers": single,
        "attention_head_dim": 128,
        "num_attention_heads": width // 128,
        "caption_channels": [shape(f"{prefix}caption_projection.{at}.linear.weight")[1] for at in (blocks, 0)],
        "text_emb_dim": shape(f"{prefix}p_embedder.pooled_embedder.linear_1.weight")[1],
        "num_routed_experts": shape(f"{prefix}double_stream_blocks.0.block.ff_i.gate.weight")[0],
        "num_activated_experts": 2,
        "axes_dims_rope": [64, 32, 32],
        "max_resolution": [128, 128],
        "llama_layers": [min(at, LAST) for at in range(blocks)],
    }
    return flows.alone(header, TRANSFORMER, config, prefix, original.shipped("hidream", "scheduler"))


def _converted(part: Component, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    if part.name == "transformer":
        return {flows.named(name): value for name, value in weights.items()}
    return unets.converted(part, weights)


FAMILY = Family(
    name="hidream",
    title="HiDream-I1 and E1",
    denoiser=TRANSFORMER,
    encoders=(
        Encoder("text_encoder", (CLIP,), unets.clip(2, normed=False, pooled=True)),
        Encoder("text_encoder_2", (CLIP,), unets.clip(2, normed=False, pooled=True)),
        Encoder("text_encoder_3", ("T5EncoderModel",), _t5),
        Encoder("text_encoder_4", ("LlamaForCausalLM",), _llama),
    ),
    space="flux1",
    scaling=0.3611,
    predict=_predict,
    joined=_joined,
    table=flows.shifted(even=False),
    width=_width,
    multiple=16,
    sees=True,
    least=LENGTH,
    recognise=lambda header: _prefix(header) is not None,
    shipped="hidream",
    read=_read,
    convert=_converted,
    adapts=lambda header: flows.changes(header, r"(double|single)_stream_blocks[._]\d+[._]block"),
)
