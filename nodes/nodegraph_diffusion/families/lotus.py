"""Lotus-D (He et al. 2024, arXiv:2409.18124): Stable Diffusion 2's UNet, which makes of a picture in one step how far
away things are, or how they are turned."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..checkpoint import original
from ..checkpoint.header import Header
from . import unets
from .family import Family, Job, Parts
from .sd2 import FAMILY as SD2

if TYPE_CHECKING:
    from torch import Tensor

    from ..diffusion.denoiser import Prompt

TOLD = {"class_embed_type": "projection", "projection_class_embeddings_input_dim": unets.TASK}
TASK = (math.sin(1), math.sin(0), math.cos(1), math.cos(0))
"""To say what is seen, and not to draw the picture again, which it was trained to do too."""


def _predict(network: Any, x: Tensor, time: Tensor, prompt: Prompt, job: Job) -> Tensor:
    out: Tensor = network(
        x,
        time,
        encoder_hidden_states=prompt.tokens,
        class_labels=x.new_tensor([TASK]).expand(len(x), -1),
        return_dict=False,
        **job.residuals,
    )[0]
    return out


def _recognise(header: Header) -> bool:
    found = unets.alone(header)
    return found is not None and found.family == "lotus"


def _read(header: Header) -> Parts:
    found = unets.alone(header)
    assert found is not None
    parts = unets.read_alone(header, found, "sd21", original.shipped("sd21", "unet") | TOLD)
    return replace(parts, prediction="direct", prediction_from="the family")


FAMILY: Family = replace(
    SD2,
    name="lotus",
    title="Lotus-D",
    owns=lambda configs: all(configs["unet"].get(name) == value for name, value in TOLD.items()),
    predict=_predict,
    prediction="direct",
    sampler="euler",
    schedule="normal",
    recognise=_recognise,
    read=_read,
    inpaints=lambda config: False,
    edits=lambda config: False,
    adapts=lambda header: False,
    control=None,
    grounds=False,
    rank=1,
)
