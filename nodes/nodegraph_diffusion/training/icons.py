"""Pictures of the objects: the iconify packages, fetched once, rendered once, kept as arrays."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .objects import OBJECTS, PACKAGES, SETS

RENDERED = 160
"""Pixels of a rendered icon's side, before its empty margin is cut off."""

Sprites = dict[tuple[str, str], Image.Image]
"""(style, name) to a picture in RGBA whose four sides the object touches."""


def fetch(folder: Path) -> Path:
    """Install the icon packages with npm below `folder`, unless they are there; return the folder of their scope.

    Raises RuntimeError where npm is missing or fails.
    """
    scope = folder / "node_modules" / "@iconify-json"
    wanted = {name.rpartition("/")[2]: version for name, version in PACKAGES.items()}
    if all(_version(scope / name) == version for name, version in wanted.items()):
        return scope
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(
            "the icons are npm packages, and npm was not found: install Node.js, or train on a folder of pictures"
        )
    folder.mkdir(parents=True, exist_ok=True)
    packages = [f"{name}@{version}" for name, version in PACKAGES.items()]
    command = [npm, "install", "--no-save", "--ignore-scripts", "--prefix", str(folder), *packages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - all of it is ours
    if done.returncode:
        raise RuntimeError(f"npm could not install {packages}: {done.stderr.strip()}")
    return scope


def _version(package: Path) -> str | None:
    manifest = package / "package.json"
    return json.loads(manifest.read_text())["version"] if manifest.is_file() else None


def svg(icons: dict[str, Any], name: str) -> str:
    """The SVG document of one icon of an iconify set. Raises KeyError for a name that the set does not hold."""
    if name not in icons["icons"]:
        name = icons["aliases"][name]["parent"]
    icon = icons["icons"][name]
    width, height = icon.get("width", icons.get("width", 16)), icon.get("height", icons.get("height", 16))
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {names} viewBox="0 0 {width} {height}">{icon["body"]}</svg>'


def render(scope: Path, objects: Mapping[str, str] = OBJECTS) -> Sprites:
    """Both styles of every one of `objects` (name to icon), from the packages below `scope`."""
    import resvg_py

    sprites: Sprites = {}
    for style, package in SETS.items():
        icons = json.loads((scope / package / "icons.json").read_text())
        for name, icon in objects.items():
            data = resvg_py.svg_to_bytes(svg_string=svg(icons, icon), width=RENDERED, height=RENDERED)
            picture = Image.open(BytesIO(bytes(data))).convert("RGBA")
            sprites[style, name] = picture.crop(picture.getchannel("A").getbbox())
    return sprites


def load_sprites(folder: Path, objects: Mapping[str, str] = OBJECTS) -> Sprites:
    """The sprites of `objects` (name to icon): from `folder`/sprites.npz, which is made where it is missing."""
    path = folder / "sprites.npz"
    if not path.is_file():
        sprites = render(fetch(folder / "npm"), objects)
        part = folder / "sprites.part.npz"
        arrays: dict[str, Any] = {f"{style}/{name}": np.asarray(image) for (style, name), image in sprites.items()}
        np.savez(part, **arrays)
        part.replace(path)
    with np.load(path) as saved:
        images = {tuple(key.split("/", 1)): Image.fromarray(saved[key]) for key in saved.files}
    missing = [name for name in objects if any((style, name) not in images for style in SETS)]
    if missing:
        raise RuntimeError(f"{str(path)!r} was made before {missing} were added: delete it, and it will be made again")
    return {(style, name): images[style, name] for style in SETS for name in objects}
