"""The examples that ship: read only, beside the workflows that clients store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodegraph

THUMBNAILS = "thumbnails"
FIRST = ("txt2img", "img2img", "inpaint", "outpaint", "upscale")
"""What people look for first, in this order; an editor opens the first of all to those who are new."""


@dataclass(frozen=True, slots=True)
class Template:
    """An example document as it was read, and a small picture of what it makes."""

    name: str
    document: Mapping[str, Any]
    changed: float
    thumbnail: Path | None = None


def folder() -> Path:
    """In a wheel the examples lie beside this file, in a checkout at its top."""
    inside = Path(__file__).parent / "templates"
    return inside if inside.is_dir() else Path(nodegraph.__file__).parents[1] / "workflows"


def load(source: Path) -> dict[str, Template]:
    """The documents in a folder, by the names of their files: those of `FIRST`, then in the order of the alphabet."""
    found = sorted(source.glob("*.json")) if source.is_dir() else []
    found.sort(key=lambda path: FIRST.index(path.stem) if path.stem in FIRST else len(FIRST))
    return {path.stem: _template(path) for path in found}


def _template(path: Path) -> Template:
    thumbnail = path.parent / THUMBNAILS / f"{path.stem}.webp"
    document = json.loads(path.read_text(encoding="utf-8"))
    return Template(path.stem, document, path.stat().st_mtime, thumbnail if thumbnail.is_file() else None)
