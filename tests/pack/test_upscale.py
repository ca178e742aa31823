from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from safetensors.torch import load_file, save_file

from nodegraph import Cancelled, Engine, Folders, NodeError, Pack, Registry, RunFailed
from nodegraph.events import Event, Progress
from nodegraph.standalone import Standalone
from nodegraph_diffusion import load_image, upscale
from nodegraph_diffusion.checkpoint import ModelError
from nodegraph_diffusion.diffusion.upscale.loading import FOLDER, SHIPPED, load_network
from nodegraph_diffusion.diffusion.upscale.tiles import RAMP, TILE, enlarge, passes, spans, tiles
from nodegraph_diffusion.resize import resize
from nodegraph_diffusion.values import Image
from samples import ellipses, flat, noise

if TYPE_CHECKING:
    from nodegraph_diffusion.values import Floats

CPU = torch.device("cpu")
FILES = [name for names in SHIPPED.values() for name in names]
SPANDREL = importlib.util.find_spec("spandrel") is not None


@pytest.fixture(autouse=True)
def _two_threads() -> None:
    torch.set_num_threads(2)


def decibels(made: Floats, truth: Floats) -> float:
    return float(-10 * np.log10(np.square(made - truth).mean()))


# Made with the graphs that the networks' authors packaged, run in float64 by an interpreter of their own format
@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("span_x2_ch48.fp16.safetensors", [0.9436, 0.2366, 1.2361, 0.7165, 0.7961]),
        ("span_x4_ch48.fp16.safetensors", [0.8949, 0.0625, 0.9576, 0.7012, 0.7993]),
        ("realesr-animevideov3.fp16.safetensors", [0.8691, 0.2830, 0.9854, 0.7598, 0.8081]),
    ],
)
def test_the_networks_give_what_their_authors_graphs_give(file: str, expected: list[float]) -> None:
    y, x = np.mgrid[0:12, 0:16] / 16
    picture = np.stack([0.5 + 0.4 * np.sin(3 * x + 5 * y), (x > y) * 0.6 + 0.2, 0.3 + 0.5 * x])[None]
    network = load_network(FOLDER / file, CPU)
    with torch.inference_mode():
        made = network(torch.from_numpy(picture).float())[0]
    scale = network.scale
    at = [(0, 3, 5), (1, 6, 6), (1, 6, 7), (2, 9, 13), (1, 1, 14)]
    np.testing.assert_allclose([made[c, i * scale, j * scale + 1] for c, i, j in at], expected, atol=2e-3)


@pytest.mark.parametrize(("factor", "gain"), [(2, 3.0), (4, 1.5)])
def test_span_restores_more_than_bicubic_does(factor: int, gain: float) -> None:
    truth = Image(ellipses(128)[None])
    small = resize(truth, factor=1 / factor, filter="bicubic")
    made = upscale.upscale(small, float(factor)).pixels
    plain = upscale.upscale(small, float(factor), "bicubic").pixels
    assert decibels(made, truth.pixels) > decibels(plain, truth.pixels) + gain


def test_real_esrgan_sharpens_and_keeps_the_picture() -> None:
    small = Image(ellipses(48)[None])
    made = upscale.upscale(small, 4.0, "realesr-anime")
    assert np.square(resize(made, factor=0.25, filter="area").pixels - small.pixels).mean() < 0.001
    plain = upscale.upscale(small, 4.0, "lanczos")

    def steepest(image: Image) -> float:
        return float(np.percentile(np.abs(np.diff(image.pixels, axis=3)), 99.5))

    assert steepest(made) > 1.3 * steepest(plain)


@pytest.mark.parametrize("file", FILES)
def test_tiles_give_what_the_whole_gives(file: str) -> None:
    network = load_network(FOLDER / file, CPU)
    picture = torch.from_numpy(ellipses(120)[None, :, :111].copy())
    with torch.inference_mode():
        whole = network(picture).clamp(0, 1)
        parts = enlarge(network, picture, CPU, lambda: None, tile=100)
    assert tiles(network, 1, 111, 120, tile=100) == 4
    assert (parts - whole).abs().max() < 1e-4
    with torch.inference_mode():  # the reach is not larger than need be: what lies at its end does count
        changed = picture.clone()
        changed[..., 60, 60] = 1 - changed[..., 60, 60]
        far = (network(changed) - network(picture)).abs().sum(dim=(0, 1)).nonzero()
    touched = (far // network.scale - 60).abs().max().item()
    assert network.reach - 3 <= touched <= network.reach


class Repeat:
    """Repeats pixels, and remembers what it was asked."""

    def __init__(self, scale: int, reach: int) -> None:
        self.scale, self.reach = scale, reach
        self.asked: list[tuple[int, ...]] = []

    def __call__(self, pictures: torch.Tensor, /) -> torch.Tensor:
        self.asked.append(tuple(pictures.shape))
        return pictures.repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 150), st.integers(1, 150)), batch=st.integers(1, 2), scale=st.integers(1, 3),
    reach=st.integers(0, 6), tile=st.integers(16, 64),
)  # fmt: skip
def test_tiles_cover_every_pixel_once_in_all(
    size: tuple[int, int], batch: int, scale: int, reach: int, tile: int
) -> None:
    network = Repeat(scale, reach)
    picture = torch.from_numpy(noise(*size, batch=batch).pixels.copy())
    done: list[int] = []
    made = enlarge(network, picture, CPU, lambda: done.append(len(network.asked)), tile)
    expected = picture.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    torch.testing.assert_close(made, expected, atol=1e-6, rtol=0)
    side = max(tile, 2 * (2 * reach + RAMP))
    assert all(shape[0] == 1 and max(shape[2:]) <= side for shape in network.asked)
    assert done == list(range(1, tiles(network, batch, *size, tile) + 1))


@settings(deadline=None)
@given(length=st.integers(1, 5000), reach=st.integers(0, 40))
def test_tiles_are_alike_and_overlap_enough(length: int, reach: int) -> None:
    found = spans(length, reach)
    assert found[0][0] == 0
    assert found[-1][1] == length
    assert len({end - start for start, end in found}) == 1
    assert found[0][1] <= TILE
    assert all(a[1] - b[0] >= 2 * reach + RAMP for a, b in itertools.pairwise(found))


@pytest.mark.parametrize(
    ("scales", "factor", "chain"),
    [
        ([2, 4], 1.01, [2]), ([2, 4], 2, [2]), ([2, 4], 2.5, [4]), ([2, 4], 4, [4]), ([2, 4], 6, [4, 2]),
        ([2, 4], 16, [4, 4]), ([4], 2, [4]), ([4], 5, [4, 4]), ([1], 3, [1]), ([4], 1, [4]), ([3], 10, [3, 3, 3]),
    ],
)  # fmt: skip
def test_networks_are_chained_until_the_picture_is_large_enough(
    scales: list[int], factor: float, chain: list[int]
) -> None:
    assert [network.scale for network in passes([Repeat(s, 0) for s in scales], factor)] == chain


@pytest.mark.parametrize(("factor", "size"), [(1.0, (9, 11)), (1.5, (14, 16)), (3.0, (27, 33)), (5.0, (45, 55))])
@pytest.mark.parametrize("method", ["span", "realesr-anime", "lanczos", "area"])
def test_any_factor_gives_its_size(
    factor: float, size: tuple[int, int], method: Literal["span", "realesr-anime", "lanczos", "area"]
) -> None:
    made = upscale.upscale(flat(9, 11, 0.3, 0.8), factor, method)
    assert made.pixels.shape == (2, 3, *size)
    np.testing.assert_allclose(made.pixels[0], 0.3, atol=0.06)  # Real-ESRGAN brightens by 0.02 a pass
    np.testing.assert_allclose(made.pixels[1], 0.8, atol=0.06)


def test_averaging_methods_are_those_of_resize() -> None:
    image = noise(6, 7)
    assert (upscale.upscale(image, 2.5, "lanczos").pixels == resize(image, factor=2.5).pixels).all()
    assert (upscale.upscale(image, 2.0, "nearest").pixels == resize(image, factor=2.0, filter="nearest").pixels).all()


def test_a_batch_gives_what_its_pictures_give() -> None:
    image = Image(np.stack([ellipses(24), ellipses(24)[:, ::-1]]))
    whole = upscale.upscale(image, 2.0)
    for i, expected in enumerate(whole.pixels):
        alone = upscale.upscale(Image(image.pixels[i : i + 1]))
        np.testing.assert_allclose(alone.pixels[0], expected, atol=1e-5)


def test_too_large_a_picture_is_refused_before_any_work() -> None:
    with pytest.raises(NodeError, match=r"a picture of 16,000 x 16,000 pixels would be too large") as caught:
        upscale.upscale(flat(1000, 1000, 0.5), 16.0)
    assert caught.value.port == "factor"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    Pillow.fromarray(noise(8, 90).to_bytes()[0]).save(tmp_path / "in.png")
    with Engine(Registry(Pack.of("", load_image, upscale)), folders=Folders(tmp_path, tmp_path / "out")) as made:
        yield made


def document(**inputs: Any) -> dict[str, Any]:
    nodes = {
        "load": {"type": "LoadImage@1", "inputs": {"file": "in.png"}},
        "upscale": {"type": "Upscale@1", "inputs": {"image": {"$from": "load.image"}, **inputs}},
    }
    return {"nodes": nodes, "outputs": {"image": {"$from": "upscale.image"}}}


def test_progress_counts_tiles_over_all_passes(engine: Engine) -> None:
    events: list[Event] = []
    engine.run(engine.read(document(factor=5)), on_event=events.append)
    steps = [(e.step, e.total) for e in events if isinstance(e, Progress) and not e.what]
    total = 1 + 2  # 90 x 8 are one tile, 360 x 32 are two
    assert steps == [(i, total) for i in range(1, total + 1)]


def test_it_is_cancelled_between_tiles() -> None:
    steps = []

    class Cancelling(Standalone):
        def progress(self, step: int, total: int, what: str = "", preview: Callable[[], Any] | None = None) -> None:
            steps.append(step)
            raise Cancelled

    with pytest.raises(Cancelled):
        upscale.upscale.fn(Cancelling("upscale"), flat(30, 400, 0.5), 2.0)
    assert steps == [1]


def test_weights_are_loaded_once_for_all_calls(engine: Engine) -> None:
    for factor in (1.5, 2):
        events: list[Event] = []
        engine.run(engine.read(document(factor=factor)), on_event=events.append)
        loads = [e.what for e in events if isinstance(e, Progress) and e.what]
        assert len(loads) == (2 if factor == 1.5 else 0)
    size = sum(4 * value.numel() for name in SHIPPED["span"] for value in load_file(FOLDER / name).values())
    assert engine._machinery.pool.used("cpu") == size


def foreign_file(folder: Path, name: str = "own.safetensors") -> Path:
    """The shipped compact network, as its authors name its tensors: to the loader of foreign files it is one."""
    path = folder / name
    save_file({k: v.float() for k, v in load_file(FOLDER / SHIPPED["realesr-anime"][0]).items()}, path)
    return path


@pytest.mark.skipif(not SPANDREL, reason="needs spandrel, an optional extra")
def test_a_file_of_ones_own_is_read_through_spandrel(tmp_path: Path) -> None:
    image = Image(ellipses(40)[None])
    before = set(sys.modules)
    made = upscale.upscale(image, 4.0, file=foreign_file(tmp_path))
    np.testing.assert_allclose(made.pixels, upscale.upscale(image, 4.0, "realesr-anime").pixels, atol=1e-5)
    half = upscale.upscale(image, 2.0, file=foreign_file(tmp_path))
    assert (half.width, half.height) == (80, 80)
    if importlib.util.find_spec("torchvision") is None:
        assert not [name for name in set(sys.modules) - before if name.startswith("torchvision")]
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(NodeError, match="holds no upscaler that spandrel knows"):
        upscale.upscale(image, 2.0, file=path)
    weights = load_file(foreign_file(tmp_path))
    weights["body.4.weight"] = torch.zeros(64, 60, 3, 3)
    save_file(weights, path)
    with pytest.raises(NodeError, match="its tensors do not fit together"):
        upscale.upscale(image, 2.0, file=path)


def test_without_spandrel_a_file_of_ones_own_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NodeError, match=r"needs spandrel. Run `pip install 'nodegraph\[upscalers\]'`") as caught:
        upscale.upscale(flat(8, 8, 0.5), file=foreign_file(tmp_path))
    assert caught.value.port == "file"


def test_pickles_and_damaged_files_are_refused(tmp_path: Path, engine: Engine) -> None:
    image = flat(8, 8, 0.5)
    pickle = tmp_path / "own.pth"
    torch.save({"a": torch.zeros(2)}, pickle)
    with pytest.raises(NodeError, match=r"expected a safetensors file, found a zip archive"):
        upscale.upscale(image, file=pickle)
    cut = foreign_file(tmp_path)
    cut.write_bytes(cut.read_bytes()[:5000])
    with pytest.raises(NodeError, match="cut off"):
        upscale.upscale(image, file=cut)
    with pytest.raises(NodeError, match="cannot be read"):
        upscale.upscale(image, file=tmp_path / "none.safetensors")
    with pytest.raises(RunFailed) as failed:
        engine.run(engine.read(document(file="own.pth")))
    assert [(f.node, f.port) for f in failed.value.failures] == [("upscale", "file")]


def test_a_shipped_file_that_is_damaged_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nodegraph_diffusion.diffusion.upscale import loading

    monkeypatch.setattr(loading, "FOLDER", tmp_path)
    save_file({"mean": torch.zeros(1, 3, 1, 1), "up.weight": torch.zeros(12, 48, 3, 3)}, tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match="does not hold the network"):
        load_network(tmp_path / "x.safetensors", CPU)
