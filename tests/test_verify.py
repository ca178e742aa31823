"""Pictures that are made again."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from nodegraph import Engine, Folders, InvalidWorkflow, Registry, carry
from nodegraph.carrier import read_document
from nodegraph.cli import main
from nodegraph.verify import verify

REGISTRY = Registry.installed()
WORKFLOW = Path(__file__).parents[1] / "workflows" / "img2img.json"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("saved")
    with Engine(REGISTRY, folders=Folders(base=WORKFLOW.parent, output=output)) as engine:
        (file,) = engine.run(engine.load(WORKFLOW), steps=3).files
    return file


def forged(saved: Path, name: str, change: Any) -> Path:
    """The picture with another document, or other pixels, in it."""
    document = json.loads(read_document(saved))
    picture = Pillow.open(saved)
    change(document, picture)
    path = saved.with_name(name)
    picture.save(path, **carry(json.dumps(document), ".png"))
    return path


def test_a_picture_can_be_made_again(saved: Path) -> None:
    verdict = verify(saved, REGISTRY, Folders())
    assert verdict.identical
    assert (verdict.decibels, verdict.node, verdict.files, verdict.versions) == (math.inf, None, (), ())
    assert verdict.compared >= 6


def test_the_node_that_was_tampered_with_is_named(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def change(document: Any, picture: Any) -> None:
        document["nodes"]["sample"]["inputs"]["seed"] = 77

    path = forged(saved, "seed.png", change)
    verdict = verify(path, REGISTRY, Folders())
    assert not verdict.identical
    assert (verdict.node, verdict.port, verdict.type) == ("sample", "latent", "Sample@1")
    assert verdict.inputs == ("seed: 1 -> 77",)
    assert 5 < verdict.decibels < 60
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(path)])
    assert ended.value.code == 1
    assert "the runs first differ at sample.latent (Sample@1)\n    its input seed: 1 -> 77" in capsys.readouterr().out


def test_a_digest_that_does_not_fit_is_found_where_it_is(saved: Path) -> None:
    def change(document: Any, picture: Any) -> None:
        document["receipt"]["nodes"]["decode"]["outputs"]["image"] = "0" * 32
        document["receipt"]["system"]["torch"] = "1.0"
        document["receipt"]["files"]["gone.safetensors"] = "1" * 64

    verdict = verify(forged(saved, "digest.png", change), REGISTRY, Folders())
    assert (verdict.node, verdict.port, verdict.inputs) == ("decode", "image", ())
    assert math.isinf(verdict.decibels)
    assert not verdict.identical
    assert verdict.files == ("gone.safetensors",)
    assert [v.partition(" ->")[0] for v in verdict.versions] == ["torch: 1.0"]


def test_a_retouched_picture_differs_though_the_runs_agree(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = forged(saved, "retouched.png", lambda document, picture: picture.putpixel((3, 4), (255, 0, 0)))
    verdict = verify(path, REGISTRY, Folders())
    assert verdict.node is None
    assert 40 < verdict.decibels < 100
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(path), "--json"])
    assert ended.value.code == 1
    told = json.loads(capsys.readouterr().out)
    assert told["identical"] is False
    assert told["decibels"] == pytest.approx(verdict.decibels)


def test_a_picture_without_a_receipt_says_so(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = forged(saved, "without.png", lambda document, picture: document.pop("receipt"))
    with pytest.raises(InvalidWorkflow, match="carries no receipt that can be read: its workflow comes without one"):
        verify(path, REGISTRY, Folders())
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(path)])
    assert ended.value.code == 1
    assert "[no_receipt]" in capsys.readouterr().err


def test_a_replay_is_the_picture_with_other_inputs(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = saved.parent / "replayed"
    with pytest.raises(SystemExit) as ended:
        main(["replay", str(saved), "--set", "seed=5", "--out", str(output), "--no-cache"])
    assert ended.value.code == 0
    (file,) = output.iterdir()
    assert capsys.readouterr().out.strip() == str(file)
    receipt = json.loads(read_document(file))["receipt"]
    assert receipt["nodes"]["sample"]["inputs"]["seed"] == 5
    assert verify(file, REGISTRY, Folders()).identical
