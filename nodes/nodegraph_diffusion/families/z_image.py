"""Z-Image (Tongyi-MAI 2025, arXiv:2511.22699): one stream of tokens for prompt and picture; reads a Qwen3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import flows
from .family import Encoder, Family, Job

if TYPE_CHECKING:
    from torch import Tensor

    from ..diffusion.denoiser import Prompt


def _predict(network: Any, x: Tensor, time: Tensor, prompt: Prompt, job: Job) -> Tensor:
    import torch

    pictures = list(x[:, :, None].unbind(0))
    out = network(
        pictures,
        (1000 - time.expand(len(x))) / 1000,  # it counts from noise, and gives the way back to it
        list(prompt.tokens.unbind(0)),
        return_dict=False,
        **job.residuals,
    )[0]
    return -torch.stack(list(out))[:, :, 0]


FAMILY = Family(
    name="z_image",
    title="Z-Image",
    denoiser=("transformer", "ZImageTransformer2DModel"),
    encoders=(
        Encoder("text_encoder", ("Qwen3Model", "Qwen3ForCausalLM"), flows.chat((-2,), thinking=True, padded=False)),
    ),
    space="flux1",
    scaling=0.3611,
    predict=_predict,
    joined=flows.first,
    table=flows.shifted(),
    width=lambda config: int(config["cap_feat_dim"]),
    multiple=16,
    adapts=lambda header: flows.changes(header, r"(^|[._])layers[._]\d+[._](attention|feed_forward)"),
)
