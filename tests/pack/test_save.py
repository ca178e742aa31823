from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageSequence

from nodegraph import Cancelled, Engine, Folders, NodeError, Pack, Registry
from nodegraph.carrier import read_document
from nodegraph.standalone import Standalone
from nodegraph_diffusion import load_image, save_animation, save_image
from nodegraph_diffusion.values import Image, Mask
from samples import ellipses, flat, noise

DOCUMENT = '{"nodes": {}, "name": "ein Füchslein 🦊"}'


@dataclass(frozen=True, slots=True)
class Watched(Standalone):
    """A context that is cancelled after some reports of progress."""

    steps: list[tuple[int, int]] = field(default_factory=list)
    patience: int = 1000

    def progress(self, step: int, total: int, what: str = "", preview: Callable[[], Any] | None = None) -> None:
        self.steps.append((step, total))
        if len(self.steps) >= self.patience:
            raise Cancelled


def context(folder: Path, document: str = DOCUMENT, patience: int = 1000) -> Watched:
    return Watched("save", Folders(output=folder), document, patience=patience)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    seed=st.integers(0, 99),
    document=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    kind=st.sampled_from([("png", ".png"), ("webp", ".webp")]),
)
def test_bytes_and_document_come_back(
    tmp_path: Path, size: tuple[int, int], seed: int, document: str, kind: tuple[Literal["png", "webp"], str]
) -> None:
    image = noise(*size, seed=seed)
    made = set(files(tmp_path))
    save_image.save_image.fn(context(tmp_path, document), image, "x", kind[0], 92, True)
    (new,) = set(files(tmp_path)) - made
    assert new.endswith(kind[1])
    assert (load_image.load_image(tmp_path / new).image.pixels == image.pixels).all()
    assert read_document(tmp_path / new) == document


def test_every_picture_of_a_batch_is_a_file(tmp_path: Path) -> None:
    image, where = noise(4, 4, batch=3), context(tmp_path)
    save_image.save_image.fn(where, image, "cat")
    assert files(tmp_path) == ["cat_00001.png", "cat_00002.png", "cat_00003.png"]
    for i, name in enumerate(files(tmp_path)):
        assert (load_image.load_image(tmp_path / name).image.pixels[0] == image.pixels[i]).all()
    assert where.steps == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(("format", "suffix"), [("jpeg", ".jpg"), ("webp", ".webp")])
def test_quality_trades_size_for_likeness(tmp_path: Path, format: Any, suffix: str) -> None:
    image = Image(ellipses(64)[None])
    sizes, errors = [], []
    for quality in (20, 92):
        save_image.save_image.fn(context(tmp_path), image, f"q{quality}", format, quality)
        path = tmp_path / f"q{quality}_00001{suffix}"
        sizes.append(path.stat().st_size)
        errors.append(float(np.square(load_image.load_image(path).image.pixels - image.pixels).mean()))
        assert read_document(path) == DOCUMENT
    assert sizes[0] < sizes[1]
    assert errors[1] < errors[0] * 0.6
    assert errors[1] < 0.002


def test_a_png_says_that_it_is_srgb(tmp_path: Path) -> None:
    save_image.save_image.fn(context(tmp_path), noise(4, 4))
    with Pillow.open(tmp_path / "picture_00001.png") as picture:
        assert picture.info["srgb"] == 0


def test_without_a_document_a_picture_carries_none(tmp_path: Path) -> None:
    for format in ("png", "jpeg", "webp"):
        save_image.save_image.fn(context(tmp_path, ""), noise(4, 4), "x", format)
    assert len(files(tmp_path)) == 3
    for name in files(tmp_path):
        with pytest.raises(ValueError, match="carries no workflow"):
            read_document(tmp_path / name)


def test_a_cancelled_batch_leaves_whole_files(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        save_image.save_image.fn(context(tmp_path, patience=2), noise(4, 4, batch=5))
    assert files(tmp_path) == ["picture_00001.png", "picture_00002.png"]


def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    for node in (save_image.save_image, save_animation.save_animation):
        with pytest.raises(NodeError, match="a file name is letters"):
            node.fn(context(tmp_path / "out"), noise(4, 4), "../x")
    assert not (tmp_path / "out").exists()


def test_a_saved_picture_opens_as_the_workflow_that_made_it(tmp_path: Path) -> None:
    Pillow.fromarray(noise(4, 4).to_bytes()[0]).save(tmp_path / "in.png")
    with Engine(Registry(Pack.of("", load_image, save_image)), folders=Folders(tmp_path, tmp_path)) as engine:
        document = {
            "name": "copy",
            "nodes": {
                "load": {"type": "LoadImage@1", "inputs": {"file": "in.png"}},
                "save": {"type": "SaveImage@1", "inputs": {"image": {"$from": "load.image"}, "format": "jpeg"}},
            },
            "inputs": {"name": {"to": ["save.name"]}},
        }
        result = engine.run(engine.read(document), name="käse")
        reread = engine.load(result.files[0])
    assert [path.name for path in result.files] == ["käse_00001.jpg"]
    assert reread.name == "copy"
    assert reread.nodes["save"].inputs["name"] == "käse"


def frames(path: Path) -> tuple[list[Any], list[int], Any]:
    """The pictures of an animation, how long each is shown, and how often it is repeated."""
    with Pillow.open(path) as picture:
        found, times = [], []
        for frame in ImageSequence.Iterator(picture):
            found.append(np.asarray(frame.convert("RGB"), np.float32) / 255)
            times.append(round(frame.info["duration"]))
        return found, times, picture.info.get("loop")


@pytest.mark.parametrize(("format", "suffix"), [("webp", ".webp"), ("apng", ".png")])
def test_exact_animations_are_exact(tmp_path: Path, format: Any, suffix: str) -> None:
    image = noise(16, 12, batch=4)
    save_animation.save_animation.fn(context(tmp_path), image, "a", format, 8.0, True, 92, True)
    path = tmp_path / f"a_00001{suffix}"
    pictures, times, loop = frames(path)
    assert (np.stack(pictures).transpose(0, 3, 1, 2) == image.pixels).all()
    assert times == [125] * 4
    assert loop == 0
    assert read_document(path) == DOCUMENT


def test_a_gif_is_close_and_keeps_one_palette(tmp_path: Path) -> None:
    drawing = ellipses(64)
    image = Image(np.stack([np.roll(drawing, 5 * i, axis=2) for i in range(6)]))
    save_animation.save_animation.fn(context(tmp_path), image, "a")
    path = tmp_path / "a_00001.gif"
    pictures, times, loop = frames(path)
    error = np.square(np.stack(pictures).transpose(0, 3, 1, 2) - image.pixels).mean()
    assert error < 0.0012
    assert sum(times) == 750
    assert loop == 0
    assert read_document(path) == DOCUMENT
    assert colour_tables(path.read_bytes()) == [256, 0, 0, 0, 0, 0, 0]


def test_a_gif_of_few_colours_is_exact(tmp_path: Path) -> None:
    pixels = np.zeros((6, 20, 30, 3), np.uint8)
    for i in range(6):
        pixels[i, 5:9, 3 * i : 3 * i + 8] = (255, 40, 0)
        pixels[i, 2 * i : 2 * i + 6, 20:] = (0, 90, 200)
        pixels[i, 15:, 15 - i] = (250, 250, 250)
    save_animation.save_animation.fn(context(tmp_path), Image.from_bytes(pixels), "a")
    pictures, _, _ = frames(tmp_path / "a_00001.gif")
    assert (np.stack(pictures) * 255 == pixels).all()


def colour_tables(gif: bytes) -> list[int]:
    """How many colours the file's own table has, and that of each frame."""

    def blocks(at: int) -> int:
        while gif[at]:
            at += gif[at] + 1
        return at + 1

    def table(flags: int) -> int:
        return 2 << (flags & 7) if flags & 0x80 else 0

    counts = [table(gif[10])]
    at = 13 + 3 * counts[0]
    while gif[at] != 0x3B:
        if gif[at] == 0x21:  # an extension
            at = blocks(at + 2)
        else:
            counts.append(table(gif[at + 9]))
            at = blocks(at + 10 + 3 * counts[-1] + 1)
    return counts


@pytest.mark.parametrize(("fps", "total"), [(24.0, 1000), (30.0, 800), (7.0, 3430), (50.0, 480)])
def test_a_gif_keeps_its_speed_though_it_counts_hundredths(tmp_path: Path, fps: float, total: int) -> None:
    count = 24
    save_animation.save_animation.fn(context(tmp_path), noise(4, 4, batch=count), "a", "gif", fps)
    pictures, times, _ = frames(tmp_path / "a_00001.gif")
    assert len(pictures) == count
    assert sum(times) == total
    assert set(times) <= {int(100 / fps) * 10, int(100 / fps) * 10 + 10}


@pytest.mark.parametrize(("format", "suffix"), [("gif", ".gif"), ("webp", ".webp"), ("apng", ".png")])
def test_an_animation_may_end(tmp_path: Path, format: Any, suffix: str) -> None:
    save_animation.save_animation.fn(context(tmp_path), noise(8, 8, batch=2), "a", format, loop=False)
    assert frames(tmp_path / f"a_00001{suffix}")[2] in (None, 1)


@pytest.mark.parametrize(("format", "suffix"), [("gif", ".gif"), ("webp", ".webp"), ("apng", ".png")])
def test_one_picture_and_equal_pictures_are_saved_too(tmp_path: Path, format: Any, suffix: str) -> None:
    save_animation.save_animation.fn(context(tmp_path), noise(8, 8), "one", format)
    assert (tmp_path / f"one_00001{suffix}").is_file()
    still = Image(np.concatenate([flat(8, 8, 0.0).pixels, flat(8, 8, 1.0, 1.0, 1.0).pixels]))
    save_animation.save_animation.fn(context(tmp_path), still, "still", format, 10.0)
    pictures, times, _ = frames(tmp_path / f"still_00001{suffix}")
    assert pictures[0].max() == 0
    assert pictures[-1].min() == 1
    assert sum(times) == 400


def test_too_fast_a_gif_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="at most 50 pictures a second, and 60 are asked") as caught:
        save_animation.save_animation.fn(context(tmp_path), noise(4, 4, batch=2), fps=60.0)
    assert caught.value.port == "fps"


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_transparency_is_kept_to_the_bit(tmp_path: Path, kind: Literal["png", "webp"]) -> None:
    image = noise(16, 16, batch=2)
    clear = Mask(np.arange(256, dtype=np.float32).reshape(1, 16, 16) / np.float32(255))
    save_image.save_image.fn(context(tmp_path), image, "x", kind, 92, True, clear)
    for number, name in enumerate(files(tmp_path)):
        loaded = load_image.load_image(tmp_path / name)
        assert np.array_equal(loaded.image.to_bytes()[0], image.to_bytes()[number])
        assert np.array_equal((loaded.mask.values * 255).round(), (clear.values * 255).round())


def test_a_mask_that_selects_nothing_leaves_no_trace(tmp_path: Path) -> None:
    save_image.save_image.fn(context(tmp_path), noise(4, 4), transparent=Mask(np.zeros((1, 9, 9), np.float32)))
    with Pillow.open(tmp_path / files(tmp_path)[0]) as picture:
        assert picture.mode == "RGB"


def test_transparency_that_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    clear = Mask(np.ones((1, 4, 4), np.float32))
    with pytest.raises(NodeError, match="a JPEG keeps no transparency; choose png or webp"):
        save_image.save_image.fn(context(tmp_path), noise(4, 4), format="jpeg", transparent=clear)
    with pytest.raises(NodeError, match="the mask is 4 x 4, the picture 8 x 8; resize it"):
        save_image.save_image.fn(context(tmp_path), noise(8, 8), transparent=clear)
    assert files(tmp_path) == []
