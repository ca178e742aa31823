"""What the families of flow transformers share."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..checkpoint import original
from ..checkpoint.header import Header
from .family import Encoded, Parts

if TYPE_CHECKING:
    from torch import Tensor

    from ..diffusion.prompts import PromptEncoder
    from ..diffusion.schedules import Table

PREFIXES = ("model.diffusion_model.", "")
"""Before the names of a denoiser in the files of whole models, and in those that hold it alone."""


def packed(x: Tensor) -> Tensor:
    """(B, C, h, w) as (B, h w / 4, 4 C): each two by two cells one token."""
    batch, channels, height, width = x.shape
    cells = x.reshape(batch, channels, height // 2, 2, width // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return cells.reshape(batch, (height // 2) * (width // 2), 4 * channels)


def even(x: Tensor) -> Tensor:
    """(B, C, h, w) with an even number of rows and columns, the first ones repeated behind the last."""
    from torch.nn import functional

    rows, columns = x.shape[-2] % 2, x.shape[-1] % 2
    return functional.pad(x, (0, columns, 0, rows), mode="circular") if rows or columns else x


def unpacked(tokens: Tensor, height: int, width: int) -> Tensor:
    """The reverse of `packed`, for a latent of that size."""
    batch, _, channels = tokens.shape
    cells = tokens.reshape(batch, height // 2, width // 2, channels // 4, 2, 2).permute(0, 3, 1, 4, 2, 5)
    return cells.reshape(batch, channels // 4, height, width)


def shifted(per_patch: int = 4, *, even: bool = True) -> Callable[[Mapping[str, Any], int, int], Table]:
    """Times spaced evenly, or as the scheduler does, then shifted by the size of the picture in patches of so many
    cells."""

    def table(scheduler: Mapping[str, Any], cells: int, steps: int) -> Table:
        from ..diffusion.flow import FlowTable, by_size

        return FlowTable(scheduler, by_size(scheduler, cells // per_patch), even=even)

    return table


def width(config: Mapping[str, Any]) -> int:
    """How wide the prompts are that the transformer reads."""
    return int(config["joint_attention_dim"])


def t5(length: int, *, masked: bool = False) -> Callable[[PromptEncoder, str, int], Encoded]:
    """Encode by T5 into so many tokens; `masked`, into at most so many, of which one is padding."""

    def encode(encoder: PromptEncoder, text: str, layer: int) -> Encoded:
        from ..diffusion.prompts import t5

        return t5(encoder, text, length, masked=masked)

    return encode


def chat(
    layers: Sequence[int], *, thinking: bool, padded: bool, length: int = 512
) -> Callable[[PromptEncoder, str, int], Encoded]:
    """Encode by a language model that is shown the prompt as what a user says to it."""

    def encode(encoder: PromptEncoder, text: str, layer: int) -> Encoded:
        from ..diffusion.prompts import language_model

        said = encoder.tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True, enable_thinking=thinking
        )
        return language_model(encoder, str(said), layers=layers, length=length, padded=padded)

    return encode


def named(name: str, prefixes: Sequence[str] = PREFIXES) -> str:
    """`name` without the prefix of its file."""
    return next((name.removeprefix(prefix) for prefix in prefixes if prefix and name.startswith(prefix)), name)


def prefix(header: Header, mark: str) -> str | None:
    """What is before the denoiser's names in a file that has the tensor `mark` of it; None in one that has not."""
    return next((prefix for prefix in PREFIXES if prefix + mark in header.tensors), None)


def alone(
    header: Header, denoiser: tuple[str, str], config: dict[str, Any], prefix: str, scheduler: Mapping[str, Any]
) -> Parts:
    """What a file holds that has nothing but a denoiser, whatever its names begin with."""
    return Parts(original.part(header, *denoiser, config, prefix), (), None, scheduler, "flow")


def changes(header: Header, pattern: str, without: str = "") -> bool:
    """Whether a LoRA has a name in which `pattern` is found, and none in which `without` is, nor one of a UNet."""
    names = [name for name in header.tensors if not re.match(r"lora_te|text_encoder", name)]
    unets = r"(down|up|input|output)_blocks|mid(dle)?_block"
    if any(re.search(f"{without}|{unets}" if without else unets, name) for name in names):
        return False
    return any(re.search(pattern, name) for name in names)
