"""`nodegraph convert`, and the other commands on files that are not ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from interop.test_wirings import plain
from interop.wirings import GLIGEN, IMG2IMG, Prompt, node


class Cli:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from nodegraph.cli import main; main()", *arguments],
            cwd=self.folder,
            env={**os.environ, "NODEGRAPH_CACHE": str(self.folder / "cache")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def write(self, prompt: Prompt) -> str:
        (self.folder / "comfy.json").write_text(json.dumps(prompt))
        return "comfy.json"


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def test_there_and_back(cli: Cli) -> None:
    there = cli("convert", cli.write(IMG2IMG), "flow.json")
    assert (there.returncode, there.stdout) == (0, "")
    assert "no model 'v1-5-pruned-emaonly.ckpt' is in the folders of models" in there.stderr
    assert json.loads((cli.folder / "flow.json").read_text())["format"] == "nodegraph/1"
    back = cli("convert", "flow.json", "-", "--to", "comfyui")
    assert (back.returncode, back.stderr) == (0, "")
    assert plain(json.loads(back.stdout)) == plain(IMG2IMG)


def test_what_has_no_counterpart_is_said_and_nothing_is_written(cli: Cli) -> None:
    flow = {"nodes": {"grid": {"type": "Grid@1", "inputs": {"images": []}}}}
    (cli.folder / "flow.json").write_text(json.dumps(flow))
    made = cli("convert", "flow.json", "out.json", "--to", "comfyui")
    assert made.returncode == 1
    assert "note: grid: Grid has no counterpart in ComfyUI" in made.stderr
    assert not (cli.folder / "out.json").exists()
    refused = cli("convert", "flow.json", "out.png")
    assert (refused.returncode, "is a picture" in refused.stderr) == (1, True)


def test_check_takes_their_files(cli: Cli) -> None:
    made = cli("check", cli.write(GLIGEN | {"30": node("ImageMadeUp", image_="8.0")}), "--json")
    codes = {p["node"]: p["code"] for p in json.loads(made.stdout)["problems"]}
    assert codes["image_made_up_30"] == "placeholder"
    assert codes["gligen_loader_10"] == codes["checkpoint_loader_simple_4"] == "unusable"
    assert "note: image_made_up_30: ImageMadeUp is kept as a placeholder" in made.stderr


def test_a_file_that_is_none_is_named(cli: Cli) -> None:
    (cli.folder / "other.json").write_text("{")
    made = cli("run", "other.json")
    assert made.returncode == 1
    assert "'other.json' holds no workflow that can be read: it is no JSON" in made.stderr
