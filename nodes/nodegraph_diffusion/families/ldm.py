"""Latent Diffusion's own text-to-image models (Rombach et al. 2022, arXiv:2112.10752), which read a small BERT."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .family import Encoded, Encoder, Family
from .sd1 import FAMILY as SD1

if TYPE_CHECKING:
    from ..diffusion.prompts import PromptEncoder

LENGTH = 77


def _encode(encoder: PromptEncoder, text: str, layer: int) -> Encoded:
    from ..diffusion.prompts import bert

    return bert(encoder, text, LENGTH)


FAMILY: Family = replace(
    SD1,
    name="ldm",
    title="Latent Diffusion",
    encoders=(Encoder("bert", ("LDMBertModel",), _encode, vocabulary="tokenizer"),),
    space="ldm",
    vae=("vqvae", "AutoencoderKL"),
    owns=lambda configs: True,
    recognise=lambda header: False,
    read=None,
    shipped="",
    convert=None,
    guides=lambda config: False,
    adapts=lambda header: False,
    control=None,
    rank=2,
)
