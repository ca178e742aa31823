"""Z-Image (Tongyi-MAI 2025, arXiv:2511.22699): one stream of tokens for prompt and picture; reads a Qwen3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..checkpoint import memory, original
from ..checkpoint.header import Header
from ..checkpoint.value import Component
from . import flows, unets
from .family import Encoder, Family, Job, Parts

if TYPE_CHECKING:
    from torch import Tensor

    from ..diffusion.denoiser import Prompt


def _predict(network: Any, x: Tensor, time: Tensor, prompt: Prompt, job: Job) -> Tensor:
    import torch

    pictures = list(x[:, :, None].unbind(0))
    out = network(
        pictures,
        (1000 - time.expand(len(x))) / 1000,  # it counts from noise, and gives the way back to it
        prompt.each(),
        return_dict=False,
        **job.residuals,
    )[0]
    return -torch.stack(list(out))[:, :, 0]


TRANSFORMER = ("transformer", "ZImageTransformer2DModel")
MARK = "layers.0.attention.qkv.weight"


def _recognise(header: Header) -> bool:
    prefix = flows.prefix(header, MARK)
    return prefix is not None and f"{prefix}x_pad_token" in header.tensors


def _read(header: Header) -> Parts:
    prefix = flows.prefix(header, MARK)
    assert prefix is not None
    width, patch = header.shape(f"{prefix}x_embedder.weight")
    head = header.shape(f"{prefix}layers.0.attention.q_norm.weight")[0]
    config = {
        "_class_name": TRANSFORMER[1],
        "in_channels": patch // 4,
        "dim": width,
        "n_layers": original.count(header, rf"{prefix}layers\.(\d+)\."),
        "n_refiner_layers": original.count(header, rf"{prefix}noise_refiner\.(\d+)\."),
        "n_heads": width // head,
        "n_kv_heads": width // head,
        "cap_feat_dim": header.shape(f"{prefix}cap_embedder.0.weight")[0],
        "axes_dims": [head - 2 * (3 * head // 8), 3 * head // 8, 3 * head // 8],
        "axes_lens": [1536, 512, 512],
    }
    return flows.alone(header, TRANSFORMER, config, prefix, {"shift": 3.0})


def _converted(part: Component, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    if part.name != "transformer":
        return unets.converted(part, weights)
    from diffusers.loaders.single_file_utils import convert_z_image_transformer_checkpoint_to_diffusers

    return convert_z_image_transformer_checkpoint_to_diffusers(dict(weights))  # type: ignore[no-any-return]


FAMILY = Family(
    name="z_image",
    title="Z-Image",
    denoiser=TRANSFORMER,
    encoders=(
        Encoder("text_encoder", ("Qwen3Model", "Qwen3ForCausalLM"), flows.chat((-2,), thinking=True, padded=False)),
    ),
    space="flux1",
    scaling=0.3611,
    predict=_predict,
    table=flows.shifted(),
    together="any",
    activations=memory.transformer(15.85, 1 / 4, 128, "dim"),
    width=lambda config: int(config["cap_feat_dim"]),
    multiple=16,
    recognise=_recognise,
    read=_read,
    shipped="flux-dev",
    convert=_converted,
    adapts=lambda header: flows.changes(header, r"(^|[._])layers[._]\d+[._](attention|feed_forward)"),
)
