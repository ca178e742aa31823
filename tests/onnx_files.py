"""The smallest ONNX files, written by hand: https://onnx.ai/onnx/repo-docs/IR.html, in the wire format of protobuf."""

from __future__ import annotations

from pathlib import Path

FLOAT, INTS = 1, 7


def write_network(path: Path, operator: str, shape: tuple[int | str, ...], **axes: list[int]) -> Path:
    """A network of one `operator` (of opset 13) that takes a float tensor of `shape` with three channels."""
    attributes = [_text(1, name) + b"".join(_number(8, v) for v in values) + _number(20, INTS)
                  for name, values in axes.items()]  # fmt: skip
    node = _text(1, "x") + _text(2, "y") + _text(4, operator) + b"".join(_part(5, a) for a in attributes)
    sizes = b"".join(_part(1, _number(1, d) if isinstance(d, int) else _text(2, d)) for d in shape)
    tensor = _number(1, FLOAT) + _part(2, sizes)
    graph = _part(1, node) + _text(2, "graph")
    graph += _part(11, _text(1, "x") + _part(2, _part(1, tensor))) + _part(
        12, _text(1, "y") + _part(2, _part(1, _number(1, FLOAT)))
    )
    path.write_bytes(_number(1, 8) + _part(7, graph) + _part(8, _text(1, "") + _number(2, 13)))
    return path


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _part(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _text(field: int, text: str) -> bytes:
    return _part(field, text.encode())


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes([*made, value])
