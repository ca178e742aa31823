"""Small files that change a model: what a LoRA is for, told from its header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .header import FLOATS, Header, ModelError, digest, read_header

PIECE = re.compile(
    r"(?P<module>.+?)(?:"
    r"[._]lora[._]?(?P<side>down|up|mid|A|B)(?:\.\w+)?\.weight"
    r"|[._](?P<magnitude>lora_magnitude_vector|dora_scale)(?:\.\w+)*"
    r"|\.(?P<piece>alpha|hada_[wt][12](?:_[ab])?|lokr_[wt][12](?:_[ab])?|oft_blocks|rescale))$"
)
"""`module.lora_down.weight`, `module.lora_A.default.weight`, `module.lora.up.weight`, `module.alpha`,
`module.dora_scale`, `module.hada_w1_a`, `module.lokr_w2`, `module.oft_blocks`."""
SIDES = {"A": "down", "B": "up"}
UNSUPPORTED = {".oft_R.": "an OFT in peft's layout"}
PARTS: tuple[tuple[str, str], ...] = (
    ("text_encoder_3", r"lora_te3_|text_encoder_3\."),
    ("text_encoder_2", r"lora_te2_|text_encoder_2\."),
    ("text_encoder", r"lora_te1?_|text_encoder\."),
    ("denoiser", r"lora_unet_|lora_transformer_|unet\.|transformer\.|diffusion_model\.|base_model\.model\.|(?=.)"),
)
"""Which part of a model a name belongs to, and what is before the module's own name. Asked in this order."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA (Hu et al. 2021, arXiv:2106.09685) or one of its kin: changes of some layers by small factors."""

    path: str
    families: tuple[str, ...]
    """Those it may be for; several where its names fit several."""
    width: int | None
    """Of the prompts that the denoiser reads, where it changes a layer that reads them."""
    parts: tuple[str, ...]
    """What it changes: "denoiser", "text_encoder", "text_encoder_2"."""
    bytes: int
    revision: str

    @property
    def name(self) -> str:
        """What people call it."""
        return Path(self.path).name


def open_adapter(path: Path) -> Adapter:
    """What the LoRA at `path` is for.

    Raises:
        ModelError: It is none, or one of a kind that is not supported.
    """
    from ..families import FAMILIES  # which read files with this package

    header = read_header(path)
    names = list(header.tensors)
    for mark, what in UNSUPPORTED.items():
        if any(mark in name for name in names):
            raise ModelError(f"{path}: is {what}, which is not supported. Convert it to a LoRA, or look for one")
    if any(name.endswith(".oft_blocks") and len(tensor.shape) != 3 for name, tensor in header.tensors.items()):
        raise ModelError(f"{path}: is a BOFT, which is not supported. Convert it to a LoRA, or look for one")
    changed = modules(names)
    if not changed:
        raise ModelError(
            f"{path}: is no LoRA: none of its {len(names)} tensors is named ...lora_down.weight or ...lora_A.weight. "
            "Open a whole model with LoadModel"
        )
    pieces = [name for name in names if (piece := piece_of(name)) and piece[1] != "alpha"]
    if odd := next((name for name in pieces if header.tensors[name].dtype not in FLOATS), None):
        raise ModelError(f"{path}: {odd!r} is {header.tensors[odd].dtype}, needed floating point numbers. Get it again")
    return Adapter(
        path=str(path),
        families=tuple(family.name for family in FAMILIES.values() if family.adapts(header)),
        width=_width(header),
        parts=tuple(dict.fromkeys(part_of(module)[0] for module in changed)),
        bytes=sum(tensor.bytes for tensor in header.tensors.values()),
        revision=digest([path], [], mtime=True),
    )


def piece_of(name: str) -> tuple[str, str] | None:
    """The module that a tensor changes, and which piece of the change it is: "down", "up", "mid", "alpha", "magnitude",
    or one of a LoHa, LoKr or OFT by its own name."""
    match = PIECE.match(name)
    if match is None:
        return None
    side = match["side"]
    return match["module"], SIDES.get(side, side) if side else match["piece"] or "magnitude"


def modules(names: Sequence[str]) -> list[str]:
    """The modules that a LoRA's tensors change, with their prefixes."""
    found = [piece for name in names if (piece := piece_of(name)) and piece[1] not in ("alpha", "magnitude")]
    return list(dict.fromkeys(module for module, _ in found))


def part_of(module: str) -> tuple[str, str]:
    """The part that a module of a LoRA belongs to, and the module's name within it."""
    for part, prefix in PARTS:
        if match := re.match(prefix, module):
            name = module[match.end() :]
            return part, re.sub(r"^(model\.)?diffusion_model\.", "", name)
    raise AssertionError("the last pattern matches every name")


def _width(header: Header) -> int | None:
    """How wide the prompts are that a UNet's cross-attention reads."""
    for name, tensor in header.tensors.items():
        piece = piece_of(name)
        if piece and piece[1] in ("down", "hada_w1_b") and re.search(r"attn2[._]to_[kv]", name):
            return tensor.shape[1]
    return None
