"""What a `.gguf` file says about itself, in the terms of a safetensors header. No weights are read.

The format (ggml's docs/gguf.md, versions 2 and 3, little endian): "GGUF", the version, the numbers of tensors and of
values; the values; for each tensor its name, dimensions from the last to the first, type and place; then, aligned, the
tensors' bytes. Quantised types store blocks of weights with common scales.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from .header import GGUF, QUANTISED, Header, ModelError, Tensor

TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K",
    13: "Q5_K", 14: "Q6_K", 20: "IQ4_NL", 23: "IQ4_XS", 30: "BF16",
}  # fmt: skip
"""Those that diffusers can compute with, by their numbers in files."""
PLAIN = {"F32": 4, "F16": 2, "BF16": 2}
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
WHOLE = (4, 5, 10, 11)
STRING, ARRAY = 8, 9
ALIGNMENT = "general.alignment"
SHAPE = "comfy.gguf.orig_shape."
"""Before a tensor's name: the shape that it has, where it was written in rows that blocks fit into."""


def read_gguf(path: Path) -> Header:
    """Read and check the header of `path`. Shapes are those of the weights, not of their blocks.

    Raises:
        ModelError: It is no GGUF file, damaged, or quantised in a way that diffusers does not read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        reader = _Reader(path, file, size)
        if file.read(4) != GGUF or reader.number("I") not in (2, 3):
            raise ModelError(f"{path}: expected a GGUF file of version 2 or 3, found another. Get a newer file")
        tensors, values = reader.number("Q"), reader.number("Q")
        metadata: dict[str, str] = {}
        shapes: dict[str, tuple[int, ...]] = {}
        alignment = 32
        for _ in range(values):
            name, value = reader.text(), reader.value(reader.number("I"))
            if name == ALIGNMENT:
                alignment = int(value)
            elif name.startswith(SHAPE) and isinstance(value, tuple):
                shapes[name.removeprefix(SHAPE)] = value
            elif isinstance(value, str):
                metadata[name] = value
        places = [_place(path, reader) for _ in range(tensors)]
        data = -(-file.tell() // alignment) * alignment
    found: dict[str, Tensor] = {}
    for name, kind, shape, start, length in places:
        real = shapes.get(name, shape)
        if math.prod(real) != math.prod(shape):
            raise ModelError(f"{path}: its GGUF header is damaged: {name!r} has two sizes. Get the file again")
        found[name] = Tensor(kind, real, data + start, length)
    for name, tensor in found.items():
        if tensor.start + tensor.bytes > size:
            end = tensor.start + tensor.bytes
            raise ModelError(f"{path}: is cut off: {name!r} ends at byte {end:,}, the file has {size:,}. Get it again")
    return Header(path, found, metadata)


def _place(path: Path, reader: _Reader) -> tuple[str, str, tuple[int, ...], int, int]:
    name, count = reader.text(), reader.number("I")
    if count > 8:
        raise ModelError(f"{path}: its GGUF header is damaged: {name!r} has {count} dimensions. Get the file again")
    shape = tuple(reversed([reader.number("Q") for _ in range(count)]))
    number, start = reader.number("I"), reader.number("Q")
    kind = TYPES.get(number)
    if kind is None:
        known = ", ".join(TYPES.values())
        raise ModelError(
            f"{path}: {name!r} is of ggml's type {number}, needed one of {known}. Get the file in one of them"
        )
    elements = math.prod(shape)
    if kind in PLAIN:
        return name, kind, shape, start, elements * PLAIN[kind]
    block, length = QUANTISED[kind]
    if not shape or shape[-1] % block:
        raise ModelError(f"{path}: {name!r} is {kind} of shape {shape}, needed rows of {block}s. Get the file again")
    return name, kind, shape, start, elements // block * length


class _Reader:
    """Reads values one behind the other."""

    def __init__(self, path: Path, file: IO[bytes], size: int) -> None:
        self.path, self.file, self.size = path, file, size

    def bytes(self, count: int) -> bytes:
        found = self.file.read(count) if count <= self.size else b""
        if len(found) < count:
            raise ModelError(f"{self.path}: is cut off in its GGUF header. Get the file again")
        return found

    def number(self, kind: str) -> Any:
        return struct.unpack(f"<{kind}", self.bytes(struct.calcsize(f"<{kind}")))[0]

    def text(self) -> str:
        return self.bytes(self.number("Q")).decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        """A value of the metadata; of arrays short ones of whole numbers are kept."""
        if kind == STRING:
            return self.text()
        if kind in NUMBERS:
            return self.number(NUMBERS[kind])
        if kind != ARRAY:
            raise ModelError(f"{self.path}: its GGUF header is damaged: a value of type {kind}. Get the file again")
        inner, count = self.number("I"), self.number("Q")
        if inner in NUMBERS:
            numbers = self.bytes(count * struct.calcsize(f"<{NUMBERS[inner]}"))
            return struct.unpack(f"<{count}{NUMBERS[inner]}", numbers) if count <= 8 and inner in WHOLE else None
        skip: Callable[[int], Any] = self.value
        for _ in range(count):
            skip(inner)
        return None
