"""Where each token of a prompt acts: the cross-attention of a UNet, recorded while it runs.

Tang et al. 2022 (arXiv:2210.04885): the attention that a place pays to a token, averaged over heads and layers, shows
which part of the picture the token makes. Processors that record are put in for as long as somebody asks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel

    from .prompts import PromptEncoder

CROSS = ".attn2."
"""In the names of processors that attend to the prompt."""
END_OF_WORD = "</w>"


class Record:
    """What the cross-attention of one network says, of latents of `size` (h, w)."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self._sum: Tensor | None = None
        self._layers = 0

    def add(self, probabilities: Tensor) -> None:
        """Add what a layer says: (B, places, tokens)."""
        height, width = _grid(probabilities.shape[1], self.size)
        maps = probabilities.float().transpose(1, 2).reshape(len(probabilities), -1, height, width)
        maps = functional.interpolate(maps, self.size, mode="bilinear")
        self._sum = maps if self._sum is None else self._sum + maps
        self._layers += 1

    def take(self) -> Tensor:
        """The maps (B, tokens, h, w) since they were last taken: at each place the tokens' shares sum to 1.

        Raises:
            ValueError: The network did not run, or has no cross-attention.
        """
        if self._sum is None:
            raise ValueError("the network recorded no attention to a prompt; only UNets with cross-attention do")
        made = self._sum / self._layers
        self._sum, self._layers = None, 0
        return made.cpu()


def _grid(places: int, size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of a level of the UNet that has so many places: each level halves, rounding up."""
    height, width = size
    while height * width > places:
        height, width = math.ceil(height / 2), math.ceil(width / 2)
    if height * width != places:
        raise ValueError(f"{places} places are no level of a UNet for latents of {size[1]} x {size[0]}")
    return height, width


class Recorder:
    """An attention processor that gives what another gives and records the probabilities behind it."""

    def __init__(self, inner: Any, record: Record) -> None:
        self._inner, self._record = inner, record

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        **rest: Any,
    ) -> Tensor:
        assert encoder_hidden_states is not None
        query = attn.head_to_batch_dim(attn.to_q(hidden_states))
        key = attn.head_to_batch_dim(attn.to_k(encoder_hidden_states))
        scores: Tensor = attn.get_attention_scores(query, key, None)
        self._record.add(scores.reshape(-1, attn.heads, *scores.shape[1:]).mean(dim=1))
        made: Tensor = self._inner(attn, hidden_states, encoder_hidden_states, attention_mask, **rest)
        return made


@contextmanager
def recorded(unet: UNet2DConditionModel, size: tuple[int, int]) -> Iterator[Record]:
    """Record the cross-attention of `unet` inside the block; its output stays what it is."""
    record = Record(size)
    before = dict(unet.attn_processors)
    recording = {name: Recorder(p, record) if CROSS in name else p for name, p in before.items()}
    unet.set_attn_processor(recording)
    try:
        yield record
    finally:
        unet.set_attn_processor(before)


class Word(NamedTuple):
    """A word of a prompt and where its tokens stand in what the text encoder gives."""

    text: str
    tokens: tuple[int, ...]


def words(encoder: PromptEncoder, text: str) -> list[Word]:
    """The words of a prompt in their order, as the tokenizer of CLIP divides it."""
    from .prompts import chunks

    special = set(encoder.tokenizer.all_special_ids)
    found: list[Word] = []
    at = 0
    for chunk in chunks(encoder, text):
        part = ""
        places: list[int] = []
        for number, _ in chunk:
            if number not in special:
                token = str(encoder.tokenizer.convert_ids_to_tokens(number))
                part, places = part + token.removesuffix(END_OF_WORD), [*places, at]
                if token.endswith(END_OF_WORD):
                    found.append(Word(part, tuple(places)))
                    part, places = "", []
            at += 1
    return found


def of_words(maps: Tensor, asked: Sequence[Word]) -> Tensor:
    """The maps (words, h, w) of words, from those of tokens (tokens, h, w): the sum over a word's tokens."""
    return torch.stack([maps[list(word.tokens)].sum(dim=0) for word in asked])
