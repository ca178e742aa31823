from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from nodegraph_diffusion.training.pictures import FolderExamples
from nodegraph_diffusion.training.scenes import Split


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(20):
        Image.new("RGB", (60, 30), (10 * i, 0, 0)).save(tmp_path / f"{i:02}.png")
        (tmp_path / f"{i:02}.txt").write_text(f"red number {i}\n")
    return tmp_path


def test_every_picture_is_seen_once_a_pass_and_never_by_the_other_split(folder: Path) -> None:
    examples = FolderExamples(folder, seed=1, size=16)
    learned = [examples.caption(Split.DENOISER, i) for i in range(36)]
    held_out = {examples.caption(Split.TEST, i) for i in range(10)}
    assert len(set(learned[:18])) == 18
    assert set(learned[:18]) == set(learned[18:])
    assert learned[:18] != learned[18:]
    assert held_out == {"red number 0", "red number 10"}
    assert held_out.isdisjoint(learned)


def test_pixels_belong_to_their_caption_and_are_square(folder: Path) -> None:
    examples = FolderExamples(folder, seed=1, size=16)
    for index in range(18):
        pixels = examples.pixels(Split.DENOISER, index)
        assert pixels.shape == (16, 16, 3)
        assert examples.caption(Split.DENOISER, index) == f"red number {pixels[0, 0, 0] // 10}"


def test_what_is_missing_is_said(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (folder / "07.txt").unlink()
    with pytest.raises(ValueError, match=r"1 pictures have no caption: write one to .*07\.txt"):
        FolderExamples(folder, seed=1, size=16)
    with pytest.raises(ValueError, match="10 are needed"):
        FolderExamples(tmp_path_factory.mktemp("empty"), seed=1, size=16)
