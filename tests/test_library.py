"""What is in the folders of models, its digests, and the command line over them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from nodegraph import Folders, Registry
from nodegraph.cli import main
from nodegraph.library import Digests, entries

LORA = "unet.down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_k"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    base = tmp_path / "models"
    base.mkdir()
    state = {
        f"{LORA}.lora_A.weight": np.zeros((4, 2048), np.float32),
        f"{LORA}.lora_B.weight": np.zeros((640, 4), np.float32),
    }
    save_file(state, base / "style.safetensors")
    (base / "broken.safetensors").write_bytes(b"PK\3\4")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nodegraph.cli.models._database", lambda: tmp_path / "cache" / "models.sqlite")
    return base


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(["models", *arguments])
    out = capsys.readouterr()
    return int(ended.value.code or 0), out.out + out.err


def test_each_is_listed_once_by_what_knows_it_best(folder: Path) -> None:
    found = {e.source: e for e in entries(Registry.installed(), Folders(models=(folder,)))}
    assert {name: entry.kind for name, entry in found.items()} == {
        "demo": "model", "broken.safetensors": "model", "style.safetensors": "LoRA", "demo_edges": "ControlNet",
        "demo_outlined.safetensors": "LoRA", "demo_blocks.safetensors": "LoRA",
    }  # fmt: skip
    assert found["style.safetensors"].what.startswith("for Stable Diffusion XL, ")
    assert found["broken.safetensors"].what.startswith("cannot be used: ")
    assert found["demo"].path is None
    assert found["style.safetensors"].bytes == (folder / "style.safetensors").stat().st_size


def test_adapters_are_listed_as_what_they_are(folder: Path) -> None:
    from families import adapters, models

    adapters.t2i_adapter("sd1").save_pretrained(folder / "edges")
    adapters.image_encoder().save_pretrained(folder / "image_encoder")
    save_file(
        {n: v.numpy() for n, v in adapters.ip_adapter(models.sd1().unet, "plain").items()}, folder / "ip.safetensors"
    )
    found = {e.source: e.kind for e in entries(Registry.installed(), Folders(models=(folder,)))}
    kinds = {"edges": "T2I-Adapter", "image_encoder": "image encoder", "ip.safetensors": "IP-Adapter"}
    assert kinds.items() <= found.items()


def test_digests_notice_changed_files(tmp_path: Path) -> None:
    file, digests = tmp_path / "a", Digests(tmp_path / "deep" / "store.sqlite")
    file.write_bytes(b"one")
    assert digests.known(file) is None
    assert digests(file) == hashlib.sha256(b"one").hexdigest()
    assert Digests(digests.file).known(file) == hashlib.sha256(b"one").hexdigest()
    times = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    assert digests.known(file) is None
    assert digests(file) == hashlib.sha256(b"two").hexdigest()


def test_list_and_inspect(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = said(capsys, "list", "--models", str(folder))
    assert status == 0
    assert "style.safetensors" in text
    assert "LoRA" in text
    status, text = said(capsys, "inspect", "style.safetensors", "--json", "--models", str(folder))
    (file,) = json.loads(text)["files"]
    assert file["sha256"] == hashlib.sha256((folder / "style.safetensors").read_bytes()).hexdigest()
    status, text = said(capsys, "inspect", "stile.safetensors", "--models", str(folder))
    assert status == 1
    assert "did you mean 'style.safetensors'" in text
    assert said(capsys, "inspect")[0] == 2
    (folder / "old.pt").touch()
    assert (
        "old.pt is there, but nothing installed reads such a file"
        in said(capsys, "inspect", "old.pt", "--models", str(folder))[1]
    )


def test_add(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "elsewhere"
    status, text = said(capsys, "add", str(folder / "style.safetensors"), "--models", str(other))
    assert (status, (other / "style.safetensors").is_file()) == (0, True)
    assert "style.safetensors: LoRA, for Stable Diffusion XL" in text
    status, text = said(capsys, "add", str(folder / "style.safetensors"), "--models", str(other))
    assert (status, "is there already; give another --name" in text) == (1, True)
    link = ("--link", "--name", "sub/again.safetensors")
    assert said(capsys, "add", str(folder / "style.safetensors"), *link, "--models", str(other))[0] == 0
    assert (other / "sub" / "again.safetensors").is_symlink()
    status, text = said(capsys, "add", str(folder / "broken.safetensors"), "--models", str(other))
    assert (status, "cannot be used" in text) == (1, True)
    assert said(capsys, "add", "nowhere", "--models", str(other))[0] == 1


def test_pull_checks_what_came(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub itself is out of reach here; what is done with its answers is not."""
    import huggingface_hub

    asked: list[tuple[str, Any]] = []
    content = (folder / "style.safetensors").read_bytes()
    told = {"sha256": hashlib.sha256(content).hexdigest()}

    def download(repo: str, *, local_dir: Path, **rest: Any) -> None:
        asked.append((repo, rest["allow_patterns"]))
        (local_dir / "style.safetensors").write_bytes(content)

    def info(self: object, repo: str, **rest: Any) -> Any:
        file = SimpleNamespace(rfilename="style.safetensors", lfs=SimpleNamespace(**told))
        return SimpleNamespace(siblings=[file, SimpleNamespace(rfilename="README.md", lfs=None)])

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", info)
    _, text = said(capsys, "pull", "someone/style", "--models", str(folder))
    assert asked[0][0] == "someone/style"
    assert "*.ckpt" not in asked[0][1]
    assert (folder / "style" / "style.safetensors").is_file()
    told["sha256"] = "0" * 64
    status, text = said(capsys, "pull", "someone/style", "--models", str(folder))
    assert (status, "came damaged" in text) == (1, True)
    assert not (folder / "style" / "style.safetensors").exists()


def test_a_preview_is_sampled_and_goes_when_the_model_changes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import shutil

    from PIL import Image

    from nodegraph_diffusion.checkpoint import ASSETS

    shutil.copytree(ASSETS / "demo", folder / "mine")
    assert json.loads(said(capsys, "--json", "--models", str(folder))[1])["previews"] == {}
    how = ["--models", str(folder), "--set", "steps=1", "--set", "width=64", "--set", "height=96"]
    status, told = said(capsys, "preview", "mine", *how)
    place = Path(told.strip())
    assert status == 0, told
    with Image.open(place) as picture:
        assert (picture.format, picture.height) == ("WEBP", 256)
        assert picture.width == pytest.approx(256 * 64 / 96, abs=1)
    assert json.loads(said(capsys, "--json", "--models", str(folder))[1])["previews"] == {"mine": str(place)}
    assert json.loads(said(capsys, "inspect", "mine", "--json", "--models", str(folder))[1])["preview"] == str(place)
    weights = next((folder / "mine" / "unet").glob("*.safetensors"))
    os.utime(weights, ns=(1, 1))
    assert json.loads(said(capsys, "--json", "--models", str(folder))[1])["previews"] == {}
    for name, words in (
        ("mien", "did you mean 'mine'"), ("style.safetensors", "is a LoRA, which makes no pictures by itself"),
        ("broken.safetensors", "zip archive"),
    ):  # fmt: skip
        status, told = said(capsys, "preview", name, *how)
        assert status != 0
        assert words in told
