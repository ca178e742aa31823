"""Static Merkle keys: what a call's outputs are, said before anything runs.

A key is a digest of the node's type and version, its literals, and the keys of what feeds it. Ids, titles and layout
play no part, so equal work has equal keys in every document, process and machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .plan import Call, Plan
from .types import SAME

SALT = "nodegraph-1"
"""Raise it when what the engine itself does to values changes."""


SLOW = 2**24
"""Bytes of a file that is worth remembering between processes."""


class Digests:
    """Content digests (SHA-256, as lists of models use) of files, remembered while size and time of change stay.

    Args:
        file: Remembers them between processes: a model takes seconds to read.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._known: dict[str, tuple[int, int, str]] = {}
        if file is not None:
            with contextlib.suppress(OSError, ValueError, TypeError):
                stored = dict(json.loads(file.read_bytes()))
                self._known = {name: (size, time, digest) for name, (size, time, digest) in stored.items()}

    def __call__(self, path: Path) -> str:
        """Hex digest of the file's bytes. Raises `OSError`."""
        stat = path.stat()
        name = str(path.absolute())
        known = self._known.get(name)
        if known is None or known[:2] != (stat.st_size, stat.st_mtime_ns):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            known = self._known[name] = (stat.st_size, stat.st_mtime_ns, content)
            if self._file is not None and stat.st_size >= SLOW:
                self._remember(self._file)
        return known[2]

    def _remember(self, file: Path) -> None:
        large = {name: known for name, known in self._known.items() if known[0] >= SLOW}
        temporary = file.with_name(f".{file.name}.{os.getpid()}")
        with contextlib.suppress(OSError):  # it is only asked again
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(large), encoding="utf-8")
            os.replace(temporary, file)


def parts(call: Call, keys: Mapping[str, str], nonce: str, digest: Callable[[Path], str]) -> tuple[Any, ...]:
    """What the key of `call` is a digest of: type, literals, edges and what lies outside the graph.

    Only plain values, whose `repr` is canonical: literals were validated, so a float is always written 1.0 and an int
    1, strings are quoted, and names come in the order of the signature.
    """
    edges = {
        name: [(keys[source], port) if fit is SAME else (keys[source], port, fit.key) for source, port, fit in into]
        for name, into in call.edges.items()
    }
    literals = {n: ("file", digest(v)) if isinstance(v, Path) else v for n, v in call.literals.items()}
    return SALT, call.type, literals, edges, call.outside if call.node.pure else f"{nonce}/{call.id}"


def keys(plan: Plan, nonce: str, digest: Callable[[Path], str]) -> dict[str, str]:
    """The key of every call.

    Args:
        nonce: Enters the key of an impure call, so that nothing below one is taken for a repeat.
        digest: Content digest of a file that a literal names.
    """

    blake = hashlib.blake2b
    made: dict[str, str] = {}
    for id, call in plan.calls.items():
        made[id] = blake(repr(parts(call, made, nonce, digest)).encode(), digest_size=16).hexdigest()
    return made
