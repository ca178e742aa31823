"""Values to bytes and back, without pickle: JSON for structure, safetensors for arrays.

A value is None, a bool, int, float, str, bytes or `Path`, a numpy array, a list, tuple or dict of such, or a frozen
dataclass of such whose class some port of the registry names (or that is found in a field of one). Reading can make
nothing else, so a file from elsewhere cannot run code.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import sys
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

MAGIC = b"nodegraph-value-1\n"
DIGEST = 16
PLAIN = (bool, int, float, str, type(None))


class Unencodable(TypeError):
    """A value of a kind that has no bytes."""


class Damaged(ValueError):
    """Bytes that are not what was written."""


def nbytes(value: Any) -> int:
    """About how many bytes of memory `value` takes."""
    kind = type(value)
    if kind in PLAIN:
        return 64 if kind is not str else 64 + len(value)
    if hasattr(value, "nbytes"):
        return 128 + int(value.nbytes)
    if dataclasses.is_dataclass(value):
        return 64 + sum(nbytes(getattr(value, f.name)) for f in dataclasses.fields(value))
    if isinstance(value, Mapping):
        return 64 + sum(nbytes(v) for v in value.values())
    if isinstance(value, list | tuple):
        return 64 + sum(map(nbytes, value))
    return sys.getsizeof(value)


class Codec:
    """Writes and reads values of known classes.

    Args:
        classes: The dataclasses that may be read.
    """

    def __init__(self, classes: Iterable[type]) -> None:
        self._classes: dict[str, type] = {}
        for cls in classes:
            self._learn(cls)

    def _learn(self, cls: type) -> None:
        if not dataclasses.is_dataclass(cls) or self._classes.get(_name(cls)) is cls:
            return
        self._classes[_name(cls)] = cls
        try:
            hints = typing.get_type_hints(cls)
        except NameError:  # a field whose type is only imported for type checkers, such as an array
            return
        for hint in hints.values():
            for part in (hint, *typing.get_args(hint)):
                if isinstance(part, type):
                    self._learn(part)

    def encode(self, value: Any) -> bytes:
        """The bytes of `value`. Raises `Unencodable`."""
        from safetensors.numpy import save

        arrays: dict[str, Any] = {}
        tree = json.dumps(self._pack(value, arrays), separators=(",", ":"))
        payload = save(arrays, metadata={"tree": tree})
        return MAGIC + hashlib.blake2b(payload, digest_size=DIGEST).digest() + payload

    def decode(self, data: bytes) -> Any:
        """The value that was written. Arrays are read-only. Raises `Damaged`."""
        start = len(MAGIC) + DIGEST
        payload = memoryview(data)[start:]
        digest = hashlib.blake2b(payload, digest_size=DIGEST).digest()
        if not data.startswith(MAGIC) or data[len(MAGIC) : start] != digest:
            raise Damaged("not written by this codec, or changed since")
        from safetensors.numpy import load

        try:
            header = json.loads(bytes(payload[8 : 8 + int.from_bytes(payload[:8], "little")]))
            tree = json.loads(header["__metadata__"]["tree"])
            return self._unpack(tree, load(bytes(payload)))
        except (KeyError, TypeError, ValueError) as error:
            raise Damaged(f"written for other classes than are installed: {error!r}") from error

    def _pack(self, value: Any, arrays: dict[str, Any]) -> Any:
        if type(value) in PLAIN:
            return value
        if hasattr(value, "dtype") and hasattr(value, "shape"):
            import numpy as np

            name = f"a{len(arrays)}"
            arrays[name] = np.ascontiguousarray(value)
            return {"$": "array", "name": name, "shape": list(value.shape)}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            name = _name(type(value))
            if self._classes.get(name) is not type(value):
                raise Unencodable(f"{name} is not the class of any port")
            fields = {f.name: self._pack(getattr(value, f.name), arrays) for f in dataclasses.fields(value)}
            return {"$": "class", "name": name, "fields": fields}
        if isinstance(value, tuple) and type(value) is tuple:
            return {"$": "tuple", "items": [self._pack(v, arrays) for v in value]}
        if type(value) is list:
            return [self._pack(v, arrays) for v in value]
        if type(value) is dict and all(type(k) is str for k in value):
            return {"$": "dict", "items": {k: self._pack(v, arrays) for k, v in value.items()}}
        if isinstance(value, Path):
            return {"$": "path", "path": str(value)}
        if type(value) is bytes:
            return {"$": "bytes", "data": base64.b64encode(value).decode()}
        raise Unencodable(f"{type(value).__name__} is neither plain data, an array nor a dataclass")

    def _unpack(self, tree: Any, arrays: Mapping[str, Any]) -> Any:
        if isinstance(tree, list):
            return [self._unpack(v, arrays) for v in tree]
        if not isinstance(tree, dict):
            return tree
        match tree["$"]:
            case "array":
                array = arrays[tree["name"]].reshape(tree["shape"])
                array.flags.writeable = False
                return array
            case "class":
                fields = {k: self._unpack(v, arrays) for k, v in tree["fields"].items()}
                return self._classes[tree["name"]](**fields)
            case "tuple":
                return tuple(self._unpack(v, arrays) for v in tree["items"])
            case "dict":
                return {k: self._unpack(v, arrays) for k, v in tree["items"].items()}
            case "path":
                return Path(tree["path"])
            case "bytes":
                return base64.b64decode(tree["data"])
        raise Damaged(f"unknown mark {tree['$']!r}")


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
