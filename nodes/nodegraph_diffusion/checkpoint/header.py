"""What a `.safetensors` file says about itself: names, shapes and places of its tensors. No weights are read.

The format: eight bytes with the header's length (little endian), the header as JSON, then the tensors' bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "U16": 16, "I16": 16, "F16": 16, "BF16": 16,
    "U32": 32, "I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64,
}  # fmt: skip
QUANTISED = {
    "Q4_0": (32, 18), "Q4_1": (32, 20), "Q5_0": (32, 22), "Q5_1": (32, 24), "Q8_0": (32, 34), "Q2_K": (256, 84),
    "Q3_K": (256, 110), "Q4_K": (256, 144), "Q5_K": (256, 176), "Q6_K": (256, 210), "IQ4_NL": (32, 18),
    "IQ4_XS": (256, 136),
}  # fmt: skip
"""Of GGUF files: how many weights a block holds, and how many bytes it takes."""
FLOATS = frozenset(name for name in BITS if name.startswith(("F", "BF"))) | QUANTISED.keys()
GGUF = b"GGUF"
LARGEST_HEADER = 100_000_000
"""The limit of the safetensors library."""

PICKLES = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
CONVERT = (
    "Look for a .safetensors of the same model, or convert it where you trust it: torch.load(file, weights_only=True), "
    "then safetensors.torch.save_file"
)


class ModelError(ValueError):
    """A model that cannot be used. The message names the file, what was expected, what was found and what to do."""


class Tensor(NamedTuple):
    """One entry of a header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    """Its first byte in the file."""
    bytes: int

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Header:
    """The checked header of one file."""

    path: Path
    tensors: dict[str, Tensor]
    metadata: dict[str, str]

    def under(self, *prefixes: str) -> dict[str, Tensor]:
        """The tensors whose names start with one of `prefixes`."""
        return {name: t for name, t in self.tensors.items() if name.startswith(prefixes)}

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor. Raises `ModelError` if the file has none of that name."""
        if name not in self.tensors:
            raise ModelError(f"{self.path}: has no tensor {name!r}, so the model is not whole. Get the full checkpoint")
        return self.tensors[name].shape


def read_header(path: Path) -> Header:
    """Read and check the header of `path`, a safetensors file, or a GGUF file by its name.

    Raises:
        ModelError: It is no such file, or one that is damaged.
    """
    if path.suffix.lower() == ".gguf":
        from .gguf import read_gguf

        try:
            return read_gguf(path)
        except OSError as error:
            raise ModelError(f"{path}: cannot be read ({error.strerror}). Check the file") from error
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(9)
            length = struct.unpack("<Q", start[:8])[0] if len(start) == 9 else 0
            if start[8:] != b"{" or not 2 <= length <= min(size - 8, LARGEST_HEADER):
                _refuse_others(path, start)
                raise ModelError(
                    f"{path}: not a safetensors file, or cut off in its header: the first eight bytes give a header of "
                    f"{length:,} bytes, the file has {size:,} and at most {LARGEST_HEADER:,} are allowed. Get it again"
                )
            file.seek(8)
            text = file.read(length)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}). Check the file and its permissions") from error
    try:
        entries = json.loads(text)
        metadata = entries.pop("__metadata__", None) or {}
        tensors = {str(name): _tensor(path, name, entry, 8 + length, size) for name, entry in entries.items()}
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{path}: its safetensors header is damaged ({error!r}). Get the file again") from error
    return Header(path, tensors, {str(k): str(v) for k, v in metadata.items()})


def _refuse_others(path: Path, start: bytes) -> None:
    if start.startswith(b"PK"):
        raise ModelError(
            f"{path}: expected a safetensors file, found a zip archive, which is how PyTorch packs pickles. {CONVERT}"
        )
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise ModelError(f"{path}: expected a safetensors file, found a pickle, which can run code. {CONVERT}")
    if start.startswith(b"version "):
        raise ModelError(f"{path}: expected a model, found a Git LFS pointer. Run `git lfs pull` where it was cloned")
    if start.startswith(GGUF):
        raise ModelError(f"{path}: expected a safetensors file, found a GGUF file. Give it a name that ends in .gguf")
    if not start:
        raise ModelError(f"{path}: expected a model, found an empty file: the download broke off. Get the file again")
    if start.lstrip()[:1] in (b"<", b"{"):
        what = "a web page" if start.lstrip()[:1] == b"<" else "text, such as a server's answer"
        raise ModelError(f"{path}: expected a model, found {what}: the download was refused. Get the file again")


def _tensor(path: Path, name: str, entry: dict[str, Any], data: int, size: int) -> Tensor:
    dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    if {type(n) for n in (*shape, begin, end)} != {int} or min(*shape, begin, end) < 0:
        raise ValueError(f"{name!r} has shape {shape!r} at {begin!r} to {end!r}")
    if data + end > size:
        raise ModelError(
            f"{path}: is cut off: {name!r} ends at byte {data + end:,}, the file has {size:,}. Get the file again"
        )
    if dtype in BITS and (end - begin) * 8 != math.prod(shape) * BITS[dtype]:
        raise ValueError(f"{name!r} is {dtype} of shape {shape} but has {end - begin} bytes")
    return Tensor(dtype, tuple(shape), data + begin, end - begin)


def deviation(header: Header, name: str) -> float | None:
    """The standard deviation of a small tensor's values; None if it is not there or not of a plain float type."""
    found = header.tensors.get(name)
    if found is None or found.dtype not in ("F16", "BF16", "F32") or not 1 <= found.elements <= 100_000:
        return None
    with header.path.open("rb") as file:
        file.seek(found.start)
        data = file.read(found.bytes)
    if found.dtype == "BF16":  # the upper half of a float32
        data = b"".join(b"\0\0" + data[i : i + 2] for i in range(0, len(data), 2))
    values = struct.unpack(f"<{found.elements}{'e' if found.dtype == 'F16' else 'f'}", data)
    mean = sum(values) / len(values)
    return math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))


def digest(weights: Iterable[Path], configs: Iterable[Path], *, mtime: bool) -> str:
    """Tells versions of a model apart without reading all of it: it enters cache keys.

    Weight files count by name, size, time of change and 18 samples of 4 kB (the header's beginning, the end and 16
    places between), configurations by their content.

    Args:
        mtime: Leave it out for files that never change in place, so that copies of them are equal.
    """
    state = hashlib.blake2b(digest_size=16)
    for path in weights:
        stat = path.stat()
        state.update(f"{path.name}\0{stat.st_size}\0{stat.st_mtime_ns if mtime else 0}\0".encode())
        with path.open("rb") as file:
            for part in range(18):
                file.seek(max(0, stat.st_size - 4096) * part // 17)
                state.update(file.read(4096))
    for path in configs:
        content = path.read_bytes()
        state.update(f"{path.name}\0{len(content)}\0".encode())
        state.update(content)
    return state.hexdigest()
