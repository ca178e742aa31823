"""Whether a picture can be made again: its document is run anew, without any cache, and held against its receipt."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .carrier import read_document
from .context import Folders
from .engine import Engine
from .events import Event
from .pack import Registry
from .pictures import open_picture
from .problems import InvalidWorkflow, Problem
from .receipt import system
from .workflow import RECEIPT


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of making a picture again.

    Attributes:
        decibels: How near the new picture is to the old (PSNR); infinite where every pixel is the same.
        node: The first node whose outputs differ from those of the first run, and `port` the first that does; None
            where none does.
        inputs: The literals of that node that differ, as `name: then -> now`.
        files: Names of files whose content is another now, and of those that are there no more.
        versions: What is installed in another version now, as `name: then -> now`.
        compared: How many outputs of nodes were compared.
    """

    decibels: float
    node: str | None
    port: str | None
    type: str
    inputs: tuple[str, ...]
    files: tuple[str, ...]
    versions: tuple[str, ...]
    compared: int

    @property
    def identical(self) -> bool:
        return math.isinf(self.decibels) and self.node is None


def read_receipt(path: Path) -> dict[str, Any]:
    """The receipt in a picture. Raises `InvalidWorkflow` where there is none."""
    try:
        found = json.loads(read_document(path)).get(RECEIPT)
    except (OSError, ValueError, AttributeError) as error:
        raise InvalidWorkflow([_unreadable(path, str(error))]) from None
    if not isinstance(found, dict) or not isinstance(found.get("nodes"), dict) or "node" not in found:
        raise InvalidWorkflow(
            [_unreadable(path, "its workflow comes without one, so it was saved by an older version")]
        )
    return found


def _unreadable(path: Path, why: str) -> Problem:
    message = f"{str(path)!r} carries no receipt that can be read: {why}; pictures saved by SaveImage carry one"
    return Problem("no_receipt", "", None, message)


def verify(
    path: Path, registry: Registry, folders: Folders, on_event: Callable[[Event], None] | None = None
) -> Verdict:
    """Make the picture in `path` again and compare.

    Args:
        folders: Where files and models are found. Nothing is written to its output folder.
    Raises:
        InvalidWorkflow: It carries no document or no receipt, or its document cannot run here.
        RunFailed: It did not run.
    """
    then = read_receipt(path)
    with tempfile.TemporaryDirectory(prefix="nodegraph-") as made:
        places = replace(folders, base=path.absolute().parent, output=Path(made))
        with Engine(registry, folders=places) as engine:
            workflow = engine.load(path)
            result = engine.run(workflow, targets=[then["node"]], on_event=on_event)
        if not result.files:
            raise InvalidWorkflow([Problem("no_receipt", then["node"], None, "saves no file any more")])
        candidates = [(_decibels(path, file), number, file) for number, file in enumerate(result.files)]
        decibels, _, nearest = max(candidates, key=lambda found: (found[0], -found[1]))
        now = read_receipt(nearest)
    node, port, compared = _first_difference(then["nodes"], now["nodes"])
    old, new = (receipt["nodes"].get(node, {}) for receipt in (then, now))
    return Verdict(
        decibels,
        node,
        port,
        old.get("type", new.get("type", "")),
        tuple(_differences(old.get("inputs", {}), new.get("inputs", {}))),
        tuple(name for name, digest in then.get("files", {}).items() if now["files"].get(name) != digest),
        tuple(_differences(then.get("system", {}), dict(system()))),
        compared,
    )


def _first_difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str | None, str | None, int]:
    """The first node and port, in the order of the run, whose digests differ; and how many were compared."""
    compared = 0
    for node in [*now, *(n for n in then if n not in now)]:
        if node not in then or node not in now:
            return node, None, compared
        old, new = then[node].get("outputs", {}), now[node].get("outputs", {})
        for port in new:
            if port in old:
                compared += 1
                if old[port] != new[port]:
                    return node, port, compared
    return None, None, compared


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys([*then, *now]):
        if then.get(name) != now.get(name):
            yield f"{name}: {then.get(name, 'none')} -> {now.get(name, 'none')}"


def _decibels(first: Path, second: Path) -> float:
    """The PSNR of two pictures, over all frames; infinite for equal ones, and minus infinite for other sizes."""
    import numpy as np

    one, two = _frames(first), _frames(second)
    if [frame.shape for frame in one] != [frame.shape for frame in two]:
        return -math.inf
    error = float(np.mean([np.square(a.astype(np.float64) - b).mean() for a, b in zip(one, two, strict=True)]))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def _frames(path: Path) -> list[Any]:
    import numpy as np
    from PIL import ImageSequence

    with open_picture(path) as picture:
        return [np.asarray(frame.convert("RGBA")) for frame in ImageSequence.Iterator(picture)]
