"""Exact inpainting: whatever is painted, nothing outside of the feathered mask changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from nodegraph import Engine, Folders, NodeError, Registry
from nodegraph.carrier import read_document
from nodegraph_diffusion.crop_to_mask import ENLARGED, crop_to_mask, region_around
from nodegraph_diffusion.fill_hole import fill_hole
from nodegraph_diffusion.mask import mask as change_mask
from nodegraph_diffusion.match_colours import match_colours, ring_around
from nodegraph_diffusion.paste import paste
from nodegraph_diffusion.regions import Region
from nodegraph_diffusion.values import Image, Mask
from samples import flat, natural, noise

if TYPE_CHECKING:
    from nodegraph_diffusion.values import Floats

WORKFLOWS = Path(__file__).parents[2] / "workflows"
Fill = Literal["original", "edge", "mean", "noise"]
FILLS: tuple[Fill, ...] = ("original", "edge", "mean", "noise")


def box(height: int, width: int, top: int, bottom: int, left: int, right: int) -> Floats:
    values = np.zeros((1, height, width), np.float32)
    values[:, top:bottom, left:right] = 1
    return values


@st.composite
def holes(draw: st.DrawFn) -> tuple[Image, Mask]:
    """A picture of any size and a mask: of boxes that may touch borders, of dots, of soft shades, empty or full."""
    height, width = draw(st.integers(1, 70)), draw(st.integers(1, 70))
    image = noise(height, width, batch=draw(st.sampled_from([1, 1, 2])), seed=draw(st.integers(0, 99)))
    kind = draw(st.sampled_from(["boxes", "dots", "soft", "empty", "full"]))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    values = np.zeros((draw(st.sampled_from([1, image.batch])), height, width), np.float32)
    if kind == "full":
        values[:] = 1
    elif kind == "dots":
        values[random.random(values.shape) < 0.02] = 1
    elif kind == "soft":
        values[:] = (random.random(values.shape) * (random.random(values.shape) < 0.1)).astype(np.float32)
    elif kind == "boxes":
        for _ in range(draw(st.integers(1, 3))):
            top, left = random.integers(0, height), random.integers(0, width)
            values[:, top : top + random.integers(1, height + 1), left : left + random.integers(1, width + 1)] = 1
    return image, Mask(values)


@settings(deadline=None, max_examples=150)
@given(
    holes(),
    st.integers(-3, 6),
    st.integers(0, 12),
    st.sampled_from([1.0, 1.3, 2.0, 5.0]),
    st.sampled_from([0, 8, 24, 64]),
    st.sampled_from(FILLS),
    st.sampled_from(["smooth", "shift", "none"]),
)
def test_nothing_outside_of_the_feathered_mask_changes(
    hole: tuple[Image, Mask], grow: int, feather: int, context: float, size: int, fill: Fill, how: Any
) -> None:
    image, drawn = hole
    soft = change_mask(mask=drawn, grow=grow, feather=feather)
    cropped = crop_to_mask(image, soft, context, size)
    if size:
        assert max(cropped.image.width, cropped.image.height) == max(8, size)
    filled = fill_hole(cropped.image, cropped.mask, fill)
    assert (filled.width, filled.height) == (cropped.mask.width, cropped.mask.height)
    painted = noise(cropped.image.height, cropped.image.width, batch=filled.batch, seed=7)
    matched = match_colours(painted, cropped.image, cropped.mask, ring=4, how=how)
    made, outside, seam = paste(image, matched, soft, cropped.region)
    assert outside == 0
    assert 0 <= seam <= 1
    kept = np.broadcast_to(soft.values[:, None] == 0, made.pixels.shape)
    before = np.broadcast_to(image.pixels, made.pixels.shape)
    assert np.array_equal(made.pixels[kept], before[kept])
    kept_bytes = kept.transpose(0, 2, 3, 1)
    assert np.array_equal(made.to_bytes()[kept_bytes], Image(before).to_bytes()[kept_bytes])
    if size == 0:  # nothing was resampled
        wholly = np.broadcast_to(soft.values[:, None] == 1, made.pixels.shape)[..., *cropped.region.part]
        inside = made.pixels[..., *cropped.region.part]
        np.testing.assert_allclose(inside[wholly], np.broadcast_to(matched.pixels, inside.shape)[wholly], atol=1e-6)


@settings(deadline=None)
@given(holes(), st.floats(1, 6), st.integers(0, 40))
def test_the_region_holds_everything_selected_with_its_surroundings(
    hole: tuple[Image, Mask], context: float, least: int
) -> None:
    image, drawn = hole
    region = region_around(drawn, context, least)
    assert region.left >= 0
    assert region.top >= 0
    assert region.right <= image.width
    assert region.bottom <= image.height
    assert np.count_nonzero(drawn.values[..., *region.part]) == np.count_nonzero(drawn.values)
    if not drawn.values.any():
        assert region == Region(0, 0, image.width, image.height)
    else:
        cut_short = region.width == image.width or region.height == image.height
        assert region.width == region.height or cut_short
        assert region.width >= min(least, image.width)


def test_a_region_lies_around_its_hole_and_within_the_picture() -> None:
    image = noise(100, 200)
    inner = Mask(box(100, 200, 40, 50, 100, 120))
    assert region_around(inner, 2.0, 0) == Region(90, 25, 40, 40)
    assert region_around(inner, 2.0, 60) == Region(80, 15, 60, 60)
    corner = Mask(box(100, 200, 0, 10, 190, 200))
    assert region_around(corner, 3.0, 0) == Region(170, 0, 30, 30)
    tall = Mask(box(100, 200, 0, 100, 10, 20))
    assert region_around(tall, 1.5, 0) == Region(0, 0, 150, 100)
    cropped = crop_to_mask(image, corner, 3.0, 256)
    assert cropped.region.width == 256 // ENLARGED
    assert (cropped.image.width, cropped.image.height) == (256, 256)
    cropped = crop_to_mask(image, tall, 1.5, 96)
    assert (cropped.image.width, cropped.image.height) == (96, 64)


@pytest.mark.parametrize("fill", FILLS)
def test_a_fill_leaves_what_is_kept(fill: Fill) -> None:
    image, hole = Image(natural(40, 48, 0)[None]), Mask(box(40, 48, 10, 30, 12, 40))
    made = fill_hole(image, hole, fill, seed=3).pixels
    kept = np.broadcast_to(hole.values[:, None] == 0, made.shape)
    assert np.array_equal(made[kept], image.pixels[kept])
    assert np.array_equal(made, image.pixels) == (fill == "original")
    assert np.array_equal(made, fill_hole(image, hole, fill, seed=3).pixels)


def test_fills_are_what_they_say() -> None:
    left, right = flat(40, 20, 0.2).pixels, flat(40, 28, 0.8).pixels
    image, hole = Image(np.concatenate([left, right], axis=3)), Mask(box(40, 48, 0, 40, 10, 40))
    mean = fill_hole(image, hole, "mean").pixels[..., 10:40]
    np.testing.assert_allclose(mean, (10 * 0.2 + 8 * 0.8) / 18, atol=1e-5)
    edge = fill_hole(image, hole, "edge").pixels[0, 0, 20]
    assert edge[10] == pytest.approx(0.2, abs=0.05)
    assert edge[39] == pytest.approx(0.8, abs=0.05)
    assert (np.diff(edge[10:40]) >= -1e-6).all()
    spread = fill_hole(image, hole, "noise").pixels[..., 10:40]
    assert spread.std() == pytest.approx(0.28, abs=0.06)
    assert not np.array_equal(spread, fill_hole(image, hole, "noise", seed=1).pixels[..., 10:40])
    full = Mask(np.ones((1, 40, 48), np.float32))
    assert (fill_hole(image, full, "edge").pixels == 0.5).all()


@pytest.mark.parametrize("how", ["smooth", "shift"])
def test_a_shift_of_colours_is_taken_back(how: Any) -> None:
    reference, hole = (
        Image(natural(64, 64, 2)[None] * np.float32(0.6) + np.float32(0.2)),
        Mask(box(64, 64, 20, 44, 20, 44)),
    )
    moved = Image(reference.pixels + np.array([0.08, -0.05, 0.02], np.float32)[:, None, None])
    made = match_colours(moved, reference, hole, how=how).pixels
    assert abs(made - reference.pixels).max() < 1e-3
    half = match_colours(moved, reference, hole, how=how, amount=0.5).pixels
    assert abs(half - reference.pixels).max() == pytest.approx(0.04, abs=2e-3)
    assert np.array_equal(match_colours(moved, reference, hole, how="none").pixels, moved.pixels)


def test_a_shift_that_differs_from_side_to_side_is_taken_back_smoothly() -> None:
    reference, hole = flat(64, 64, 0.5), Mask(box(64, 64, 16, 48, 16, 48))
    slope = np.broadcast_to(np.linspace(-0.1, 0.1, 64, dtype=np.float32), (1, 3, 64, 64))
    moved = Image(reference.pixels + slope)
    inside = (..., slice(16, 48), slice(16, 48))
    smooth = abs(match_colours(moved, reference, hole).pixels - reference.pixels)[inside].mean()
    shift = abs(match_colours(moved, reference, hole, how="shift").pixels - reference.pixels)[inside].mean()
    assert smooth < 0.6 * shift


def test_the_ring_is_next_to_the_hole_and_outside_of_it() -> None:
    values = box(20, 20, 8, 12, 8, 12)
    values[0, 7, 9] = 0.25
    ring = ring_around(values, 2)
    assert not (ring & (values > 0)).any()
    assert ring[0, 13, 10]
    assert not ring[0, 14, 10]
    assert ring[0, 5, 9]
    assert not ring_around(np.ones((1, 4, 4), np.float32), 3).any()
    assert not ring_around(np.zeros((1, 4, 4), np.float32), 3).any()


def test_the_seam_is_the_difference_on_the_ring() -> None:
    base, hole = flat(32, 32, 0.4), Mask(box(32, 32, 12, 20, 12, 20))
    cropped = crop_to_mask(base, hole, 2.0, 0)
    over = flat(cropped.region.height, cropped.region.width, 0.7)
    made, outside, seam = paste(base, over, hole, cropped.region)
    assert outside == 0
    assert seam == pytest.approx(0.3, abs=1e-4)
    np.testing.assert_allclose(made.pixels[..., 12:20, 12:20], 0.7)


def test_what_does_not_fit_together_is_refused() -> None:
    base, hole = flat(32, 32, 0.4), Mask(box(32, 32, 12, 20, 12, 20))
    with pytest.raises(NodeError, match="the mask selects pixels outside of the region") as caught:
        paste(base, flat(4, 4, 0.5), hole, Region(0, 0, 14, 14))
    assert caught.value.port == "mask"
    with pytest.raises(NodeError, match="the region reaches to 40, 14, and the picture is 32 x 32"):
        paste(base, flat(4, 4, 0.5), hole, Region(26, 0, 14, 14))
    for node in (crop_to_mask, fill_hole):
        with pytest.raises(NodeError, match="needs a mask in the size of the picture, and the mask is 32 x 32"):
            node(flat(8, 8, 0.5), hole)
    with pytest.raises(NodeError, match="of one size, and these are 8 x 8, 32 x 32 pixels; resize them"):
        match_colours(flat(8, 8, 0.5), base, hole)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folders = Folders(base=WORKFLOWS, output=tmp_path_factory.mktemp("output"))
    with Engine(Registry.installed(), folders=folders) as made:
        yield made


def save(path: Path, pixels: Any, **how: Any) -> Path:
    Pillow.fromarray(pixels).save(path, **how)
    return path


@pytest.mark.parametrize("kind", ["odd", "turned", "transparent", "empty", "full", "several", "border"])
def test_the_workflow_keeps_every_byte_outside(kind: str, engine: Engine, tmp_path: Path) -> None:
    height, width = (45, 61) if kind == "odd" else (48, 64)
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (height, width, 4 if kind == "transparent" else 3), np.uint8)
    how: dict[str, Any] = {}
    if kind == "turned":
        exif = Pillow.Exif()
        exif[0x0112] = 6
        how["exif"] = exif
    picture = save(tmp_path / "picture.png", pixels, **how)
    if kind == "turned":
        pixels = np.rot90(pixels, -1)
    hole = np.zeros(pixels.shape[:2], np.uint8)
    for top, left in {"several": [(4, 4), (30, 50)], "border": [(0, 0)], "empty": []}.get(kind, [(16, 20)]):
        hole[top : top + 12, left : left + 10] = 255
    if kind == "full":
        hole[:] = 255
    given = {"image": picture, "mask": save(tmp_path / "mask.png", hole), "steps": 1, "feather": 4}
    result = engine.run(engine.load(WORKFLOWS / "inpaint_exact.json"), inputs=given)
    assert result["outside"] == 0
    (file,) = result.files
    after = np.asarray(Pillow.open(file))
    assert after.shape == pixels.shape
    reach = change_mask(mask=Mask((hole / 255)[None].astype(np.float32)), grow=2, feather=4).values[0]
    assert np.array_equal(after[reach == 0], pixels[reach == 0])
    assert np.array_equal(after, pixels) == (kind == "empty")
    notes = json.loads(read_document(file))["receipt"]["nodes"]["inpaint/paste"]["notes"]
    assert notes == {"max_abs_diff_outside": "0", "seam": f"{result['seam']:g}"}


def test_outpainting_keeps_the_old_part_on_any_side(engine: Engine) -> None:
    given = {"left": 16, "top": 8, "right": 0, "bottom": 24, "steps": 1}
    result = engine.run(engine.load(WORKFLOWS / "outpaint_exact.json"), inputs=given)
    with Pillow.open(WORKFLOWS / "pictures" / "exact_scene.png") as picture:
        before = np.asarray(picture.convert("RGB"))
    height, width = before.shape[:2]
    made = result["image"].to_bytes()[0]
    assert made.shape == (height + 32, width + 16, 3)
    margin = 14  # the mask grows and softens so far into the old part
    inner = made[8 : 8 + height, 16 : 16 + width]
    assert np.array_equal(inner[margin:-margin, margin:], before[margin:-margin, margin:])
    assert result["outside"] == 0
