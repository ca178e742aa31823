"""What a run tells of itself to whoever wants to repeat it: the receipt that a saved picture carries.

For every node that the picture was made from it says the inputs as they were, the files, a digest of each output, and
what the node noted, such as a device. Digests are of content, so they are the same on every machine that computes the
same. A value that only names things, such as a handle of a model, has none: its files are told instead.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from .cache import Disk
from .codec import PLAIN
from .context import Folders
from .plan import Call, Plan
from .workflow import RECEIPT

KEPT = 100_000
"""Records in memory; each is some hundred bytes."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a call that ran: a digest of each output that has content, and what its node noted."""

    outputs: Mapping[str, str]
    notes: Mapping[str, str] = field(default_factory=dict)


def record(outputs: Mapping[str, Any], notes: Mapping[str, str]) -> Record:
    found = {port: digest for port, value in outputs.items() if (digest := content(value))}
    return Record(found, dict(notes))


def content(value: Any) -> str | None:
    """A digest of what `value` holds; None for one that only names things: a path, or a dataclass without an array."""
    state = hashlib.blake2b(digest_size=16)
    return state.hexdigest() if _feed(value, state) else None


def _feed(value: Any, state: Any) -> bool:
    """Add `value` to `state`, framed so that no two values read alike. False if it has no content."""
    if type(value) in PLAIN:
        state.update(f"{type(value).__name__} {value!r};".encode())
        return True
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        import numpy as np

        array = np.ascontiguousarray(value)
        state.update(f"array {array.dtype.str} {array.shape};".encode())
        state.update(array.reshape(-1).view(np.uint8).data)
        return True
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        state.update(f"{type(value).__qualname__} {len(fields)};".encode())
        return _holds_array(value) and all(_feed(v, state) for v in fields.values())
    if isinstance(value, Mapping):
        state.update(f"mapping {len(value)};".encode())
        return all(_feed(part, state) for item in value.items() for part in item)
    if isinstance(value, list | tuple):
        state.update(f"list {len(value)};".encode())
        return all(_feed(item, state) for item in value)
    if isinstance(value, bytes):
        state.update(f"bytes {len(value)};".encode())
        state.update(value)
        return True
    return False


def _holds_array(value: Any) -> bool:
    if dataclasses.is_dataclass(value):
        return any(_holds_array(getattr(value, f.name)) for f in dataclasses.fields(value))
    if isinstance(value, Mapping):
        return any(map(_holds_array, value.values()))
    return any(map(_holds_array, value)) if isinstance(value, list | tuple) else hasattr(value, "dtype")


BESIDE = ".records"
"""Behind the key of a result: the entry of the disk that holds its records."""


class Ledger:
    """Records by key. With a disk, the result that is kept there keeps the records of what it was made from."""

    def __init__(self, disk: Disk | None = None) -> None:
        self._disk = disk
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, key: str, made: Record) -> None:
        with self._lock:
            self._records[key] = made
            if len(self._records) > KEPT:
                self._records.popitem(last=False)

    def get(self, key: str) -> Record | None:
        return self._records.get(key)

    def keep(self, key: str, ancestors: Iterable[str]) -> None:
        """Write the records of `ancestors` beside the result `key`. Raises `OSError`."""
        if self._disk is not None:
            found = {k: r for k in ancestors if (r := self.get(k))}
            plain = {k: {"outputs": dict(r.outputs), "notes": dict(r.notes)} for k, r in found.items()}
            self._disk.put(f"{key}{BESIDE}", plain)

    def recall(self, key: str) -> None:
        """Take up what was written beside the result `key`."""
        beside = self._disk.get(f"{key}{BESIDE}") if self._disk is not None else None
        for ancestor, plain in (beside or {}).items():
            self.put(ancestor, Record(plain["outputs"], plain["notes"]))


def ancestors(plan: Plan, id: str) -> list[str]:
    """`id` and everything that feeds it, in the order of the plan."""
    needed = {id}
    for each in reversed(list(plan.calls)):
        if each in needed:
            needed |= plan.calls[each].sources
    return [each for each in plan.calls if each in needed]


def with_receipt(document: str, receipt: Mapping[str, Any]) -> str:
    """A document's JSON with the receipt as its last entry."""
    return (
        f"{document.rstrip()[:-1].rstrip()},\n  {json.dumps(RECEIPT)}: {json.dumps(receipt, ensure_ascii=False)}\n}}\n"
    )


def receipt(
    plan: Plan, id: str, known: Callable[[str], Record | None], folders: Folders, digest: Callable[[Path], str]
) -> dict[str, Any]:
    """The receipt of what `id` is about to save.

    Args:
        known: What is recorded of a node.
        digest: Content digest of a file.
    """
    nodes: dict[str, Any] = {}
    files: dict[str, str] = {}
    for each in ancestors(plan, id):
        call = plan.calls[each]
        found = known(each) or Record({})
        told = {
            "type": call.type,
            # of a file its name: where it lies is no business of whoever gets the picture
            "inputs": {name: v.name if isinstance(v, Path) else v for name, v in call.literals.items()},
            "outputs": dict(found.outputs),
            "notes": dict(found.notes),
        }
        nodes[each] = {k: v for k, v in told.items() if v}
        for path in ingredients(call, folders):
            files.setdefault(path.name, digest(path))
    return {"node": id, "nodes": nodes, "files": files, "system": system()}


def ingredients(call: Call, folders: Folders) -> list[Path]:
    """The files that a call reads: those its literals name, and those the node's `ingredients` tells."""
    named = [v for v in call.literals.values() if isinstance(v, Path)]
    return [*named, *call.node.ingredients_of(call.literals, folders)]


@cache
def system() -> Mapping[str, str]:
    """The versions of Python, of this package and of what it needs, as installed."""
    found = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    try:
        needed = metadata.requires("nodegraph") or []
        found["nodegraph"] = metadata.version("nodegraph")
    except metadata.PackageNotFoundError:
        return found
    for name in sorted({re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in needed if "extra ==" not in line}):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
