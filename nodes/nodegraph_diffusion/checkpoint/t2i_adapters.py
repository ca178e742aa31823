"""T2I-Adapters (Mou et al. 2023, arXiv:2302.08453): folders of diffusers', and files as their authors wrote them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .controls import CONFIG, checkpoint_of, component_of
from .folder import read_json
from .header import Header, ModelError, digest, read_header
from .value import Checkpoint, Component

T2I = "T2IAdapter"
OWN = "adapter."
"""Before the names of diffusers'."""
BLOCK = re.compile(r"body\.(\d+)\.(?:(?:body|resnets)\.(\d+)\.)?(.+)")
LEVELS = 4
"""Of the UNets that there are adapters for, but for light ones each with as many blocks as the others."""


def open_t2i_adapter(path: Path) -> Checkpoint:
    """What the T2I-Adapter at `path` is.

    Raises:
        ModelError: It is none.
    """
    from ..families import FAMILIES  # which read files with this package

    if path.is_dir():
        part, revision = component_of(path, "a T2I-Adapter")
    else:
        header = read_header(path)
        part = Component.of("controlnet", T2I, (path.name,), _config(header), header.tensors, original=True)
        revision = digest([path], [], mtime=True)
    if part.cls != T2I:
        raise ModelError(f"{path}: is {part.cls}, needed a T2I-Adapter, {T2I}")
    family = next((family for family in FAMILIES.values() if family.guides(part.config)), None)
    if family is None:
        kind = part.config.get("adapter_type")
        raise ModelError(f"{path}: is a T2I-Adapter of type {kind!r}, needed 'full_adapter', 'full_adapter_xl' or "
                         "'light_adapter'. Get another")  # fmt: skip
    return checkpoint_of(path, part, family, revision)


def is_t2i_adapter(path: Path) -> bool:
    """Whether the folder or file at `path` holds a T2I-Adapter. Raises `ModelError` where it cannot be read."""
    if path.is_dir():
        return read_json(path / CONFIG, "Name the folder of a network, which has one").get("_class_name") == T2I
    names = read_header(path).tensors
    return any(name.removeprefix(OWN).startswith("body.0.") for name in names)


def _config(header: Header) -> dict[str, Any]:
    """The configuration that a file's names and shapes tell."""
    shapes = {name.removeprefix(OWN): tensor.shape for name, tensor in header.tensors.items()}
    blocks = [match for name in shapes if (match := BLOCK.fullmatch(name))]
    first, light = shapes.get("conv_in.weight"), "body.0.out_conv.weight" in shapes
    if not blocks or (first is None and not light):
        raise ModelError(
            f"{header.path}: is no T2I-Adapter: needed 'body.0...' with 'conv_in.weight' or 'body.0.out_conv.weight', "
            f"found {len(shapes)} other tensors, such as {min(shapes, default='none')!r}"
        )
    inner = 1 + max(int(match[2] or 0) for match in blocks)
    count = 1 + max(int(match[1]) for match in blocks)
    named = any(name.startswith(OWN) for name in header.tensors)
    if light:
        reads = shapes["body.0.in_conv.weight"][1]
        widths = [shapes[f"body.{level}.out_conv.weight"][0] for level in range(count - 1)]
        return _made("light_adapter", reads // 64, widths, inner, 8)
    if not named:
        inner = count // LEVELS
    last = "body.{0}.resnets.0.block2.weight" if named else "body.{1}.block2.weight"
    try:
        widths = [shapes[last.format(level, level * inner)][0] for level in range(LEVELS)]
    except KeyError as error:
        raise ModelError(
            f"{header.path}: has no tensor {error}, so the T2I-Adapter is not whole. Get it again"
        ) from None
    assert first is not None
    large = first[1] % 256 == 0  # of 16 x 16 pixels, in one colour or in three
    return _made("full_adapter_xl" if large else "full_adapter", first[1] // (256 if large else 64), widths, inner,
                 16 if large else 8)  # fmt: skip


def _made(kind: str, channels: int, widths: list[int], inner: int, factor: int) -> dict[str, Any]:
    return {"_class_name": T2I, "adapter_type": kind, "in_channels": channels, "channels": widths,
            "num_res_blocks": inner, "downscale_factor": factor}  # fmt: skip


def named(name: str, config: Mapping[str, Any]) -> str:
    """A tensor's name in a file as diffusers has it."""
    if name.startswith(OWN):
        return name
    match = BLOCK.fullmatch(name)
    if match is None:
        return OWN + name
    place, inner, rest = int(match[1]), match[2], match[3]
    if config["adapter_type"] != "light_adapter":
        place, inside = divmod(place, config["num_res_blocks"])
        inner = None if rest.startswith("in_conv") else str(inside)
    return f"{OWN}body.{place}.{rest}" if inner is None else f"{OWN}body.{place}.resnets.{inner}.{rest}"
