"""The models of a server, and the small pictures that they made."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from nodegraph import Folders, Registry
from nodegraph.library import Previews, entries
from server.service import Service


def test_models_are_listed_with_their_pictures(
    start: Callable[..., Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    demo = next(entry for entry in entries(Registry.installed(), Folders()) if entry.source == "demo")
    Image.new("RGB", (300, 300), "red").save(tmp_path / "made.png")
    Previews(tmp_path / "cache" / "nodegraph" / "previews").keep(demo, tmp_path / "made.png")
    service = start()
    listed = {model["source"]: model for model in service.get("/api/library").json["models"]}
    assert (listed["demo"]["kind"], listed["demo"]["bytes"]) == ("model", demo.bytes)
    picture = service.get(listed["demo"]["preview"])
    assert (picture.status, picture.headers["Content-Type"]) == (200, "image/webp")
    assert service.get("/api/library/preview?source=nothing").status == 404

    models = service.data / "models"
    models.mkdir()
    for name in ("beside", "broken", "bare"):
        save_file({"w": np.zeros(1, np.float32)}, models / f"{name}.safetensors")
    Image.new("RGB", (600, 300), "lime").save(models / "beside.preview.png")
    (models / "broken.jpg").write_bytes(b"no picture")
    (models / "secret.png").write_bytes((models / "beside.preview.png").read_bytes())
    listed = {model["source"]: model["preview"] for model in service.get("/api/library").json["models"]}
    assert listed["bare.safetensors"] is None
    small = service.get(listed["beside.safetensors"])
    with Image.open(io.BytesIO(small.body)) as opened:
        assert (opened.format, opened.size) == ("WEBP", (256, 128))
    assert service.get(listed["broken.safetensors"]).status == 404
    for source in ("secret", "secret.png", "../models/beside.safetensors", str(models / "beside.safetensors")):
        assert service.get(f"/api/library/preview?source={quote(source)}").status == 404
    listed = {"demo": {"preview": listed["demo"]}}
    strict = start("--safety", "blur")  # a picture that nobody has looked at does not leave
    assert {model["preview"] for model in strict.get("/api/library").json["models"]} == {None}
    assert strict.get(listed["demo"]["preview"]).status == 404
