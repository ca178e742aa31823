"""A larger model that begins with what a smaller one knows.

The smaller model's latents are the first channels of the larger one's (`autoencoder.Guide`), so its denoiser already
knows where what is; it learns what the further channels, and further words, add.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from .autoencoder import Guide
from .denoiser import Start
from .tokenizer import END
from .trained import load_trained, picture_size, schedule_of


class Parent:
    """The model in `folder` that another grows from.

    Args:
        size: Side of the larger model's pictures, in pixels.
        side: Side of its latents.

    Raises:
        ValueError: The folder holds none, or one whose latents are no such square or whose pictures are no whole
            fraction as large.
    """

    def __init__(self, folder: Path, size: int, side: int) -> None:
        smaller = picture_size(folder)
        self.pipeline: StableDiffusionPipeline = load_trained(folder)
        given = int(self.pipeline.unet.config.sample_size)
        if size % smaller or given != side:
            raise ValueError(
                f"{str(folder)!r} makes pictures of {smaller} from latents of {given} x {given}: a model of {size} "
                f"with latents of {side} x {side} grows from one with as many and a whole fraction of the pixels"
            )
        self.guide = Guide(self.pipeline.vae, size // smaller)

    def carry_into(self, start: Start, tokenizer: CLIPTokenizer) -> Start:
        """Put what this model's networks have learned into those of `start`, which reads texts by `tokenizer`."""
        old = self.pipeline
        carry(old.unet.state_dict(), start.denoiser)
        words = {name: value for name, value in old.text_encoder.state_dict().items() if "token_embedding" not in name}
        carry(words, start.text_encoder)
        _carry_words(old.text_encoder, old.tokenizer, start.text_encoder, tokenizer)
        return start._replace(schedule=schedule_of(old))


@torch.no_grad()
def carry(values: Mapping[str, Tensor], module: nn.Module) -> None:
    """Copy `values` into the parameters of the same names in `module`; where those are larger, the rest becomes 0."""
    for name, parameter in module.named_parameters():
        if name in values:
            value = values[name]
            parameter.zero_()
            parameter[tuple(slice(0, side) for side in value.shape)] = value


@torch.no_grad()
def _carry_words(
    old: CLIPTextModel, old_tokenizer: CLIPTokenizer, new: CLIPTextModel, tokenizer: CLIPTokenizer
) -> None:
    """A token that both have keeps its embedding; one that is new begins with the mean of the pieces it was read as."""
    known, rows = old_tokenizer.get_vocab(), old.get_input_embeddings().weight
    fresh = new.get_input_embeddings().weight
    for token, number in tokenizer.get_vocab().items():
        if token in known:
            fresh[number] = rows[known[token]]
        elif token.endswith(END):
            pieces = old_tokenizer(token.removesuffix(END), add_special_tokens=False).input_ids
            fresh[number] = rows[pieces].mean(0)
