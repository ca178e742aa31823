from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nodegraph_diffusion.training import icons
from nodegraph_diffusion.training.objects import OBJECTS, PACKAGES, SETS


def install(folder: Path) -> Path:
    """Both packages with a red 8 x 4 bar for every icon; the second set has one under an alias."""
    scope = folder / "npm" / "node_modules" / "@iconify-json"
    body = '<path fill="#f00" d="M4 6h8v4H4z"/>'
    for package, version in PACKAGES.items():
        path = scope / package.rpartition("/")[2]
        path.mkdir(parents=True)
        names = sorted(set(OBJECTS.values()))
        data: dict[str, Any] = {"width": 16, "height": 16, "icons": {name: {"body": body} for name in names[1:]}}
        if path.name == SETS["flat"]:
            data["aliases"] = {names[0]: {"parent": names[1]}}
        else:
            data["icons"][names[0]] = {"body": body}
        (path / "icons.json").write_text(json.dumps(data))
        (path / "package.json").write_text(json.dumps({"version": version}))
    return scope


def test_packages_that_are_there_are_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scope = install(tmp_path)
    monkeypatch.setenv("PATH", "")
    assert icons.fetch(tmp_path / "npm") == scope
    with pytest.raises(RuntimeError, match=r"npm was not found: install Node\.js"):
        icons.fetch(tmp_path / "elsewhere")


def test_sprites_are_rendered_once_without_their_margin(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    scope = install(tmp_path)
    sprites = icons.load_sprites(tmp_path)
    assert set(sprites) == {(style, name) for style in SETS for name in OBJECTS}
    cat = sprites["glossy", "cat"]
    assert cat.size == (icons.RENDERED // 2, icons.RENDERED // 4)
    assert np.array_equal(np.asarray(cat)[5, 5], [255, 0, 0, 255])
    for file in scope.rglob("icons.json"):
        file.unlink()
    again = icons.load_sprites(tmp_path)
    assert all(np.array_equal(np.asarray(again[key]), np.asarray(image)) for key, image in sprites.items())


def test_sprites_of_an_older_list_are_refused(tmp_path: Path) -> None:
    older: dict[str, Any] = {"glossy/cat": np.zeros((4, 4, 4), np.uint8)}
    np.savez(tmp_path / "sprites.npz", **older)
    with pytest.raises(RuntimeError, match="delete it"):
        icons.load_sprites(tmp_path)
