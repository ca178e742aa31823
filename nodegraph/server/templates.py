"""The examples that ship: read only, beside the workflows that clients store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodegraph

PICTURES = "pictures"


@dataclass(frozen=True, slots=True)
class Template:
    """An example document as it was read."""

    name: str
    document: Mapping[str, Any]
    changed: float


def folder() -> Path:
    """In a wheel the examples lie beside this file, in a checkout at its top."""
    inside = Path(__file__).parent / "templates"
    return inside if inside.is_dir() else Path(nodegraph.__file__).parents[1] / "workflows"


def load(source: Path) -> dict[str, Template]:
    """The documents in a folder, by the names of their files."""
    found = sorted(source.glob("*.json")) if source.is_dir() else []
    return {
        path.stem: Template(path.stem, json.loads(path.read_text(encoding="utf-8")), path.stat().st_mtime)
        for path in found
    }
