"""Static Merkle keys: what a call's outputs are, said before anything runs.

A key is a digest of the node's type and version, its literals, and the keys of what feeds it. Ids, titles and layout
play no part, so equal work has equal keys in every document, process and machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .plan import Call, Plan

SALT = b"nodegraph-1"
"""Raise it when what the engine itself does to values changes."""


class Digests:
    """Content digests of files, remembered while size and modification time stay the same."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[int, int, str]] = {}

    def __call__(self, path: Path) -> str:
        """Hex digest of the file's bytes. Raises `OSError`."""
        stat = path.stat()
        known = self._known.get(path)
        if known is None or known[:2] != (stat.st_size, stat.st_mtime_ns):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
            known = self._known[path] = (stat.st_size, stat.st_mtime_ns, content)
        return known[2]


def parts(call: Call, keys: Mapping[str, str], nonce: str) -> list[Any]:
    """What the key of `call` is a digest of: type, literals, edges and what lies outside the graph."""
    edges = [
        [name, [[keys[e.source], e.port, e.fit.name, e.fit.mapped, e.fit.lifted] for e in into]]
        for name, into in call.edges.items()
    ]
    outside = call.outside if call.node.pure else f"{nonce}/{call.id}"
    return [call.type, list(call.literals.items()), edges, outside]


def keys(plan: Plan, nonce: str, digest: Callable[[Path], str]) -> dict[str, str]:
    """The key of every call.

    Args:
        nonce: Enters the key of an impure call, so that nothing below one is taken for a repeat.
        digest: Content digest of a file that a literal names.
    """

    def file(value: Any) -> Any:
        return {"file": digest(value)}  # the encoder asks only about what is not JSON: a Path

    # JSON is canonical here: literals were validated, so a float is always written 1.0 and an int 1, strings are
    # quoted, and the order of names is that of the signature.
    encode = json.JSONEncoder(separators=(",", ":"), default=file).encode
    blake = hashlib.blake2b
    made: dict[str, str] = {}
    for id, call in plan.calls.items():
        made[id] = blake(encode(parts(call, made, nonce)).encode(), digest_size=16, key=SALT).hexdigest()
    return made
