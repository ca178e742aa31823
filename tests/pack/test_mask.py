from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageDraw
from scipy.ndimage import distance_transform_edt

from nodegraph import Engine, Folders, NodeError, Pack, Registry
from nodegraph_diffusion import coercions, load_image, mask, save_image
from nodegraph_diffusion.coercions import image_to_mask, mask_to_image
from nodegraph_diffusion.mask import combine_masks, mask_box, mask_colour
from nodegraph_diffusion.morphology import grown, softened
from nodegraph_diffusion.values import Image, Mask
from samples import flat, noise

if TYPE_CHECKING:
    from nodegraph_diffusion.values import Floats

make = mask.mask
LEVELS = np.array([0, 0.25, 0.5, 0.75, 1], np.float32)


@st.composite
def masks(draw: st.DrawFn, levels: Floats = LEVELS) -> Floats:
    """Small masks whose levels are quarters, so that sums are exact."""
    shape = draw(st.tuples(st.integers(1, 2), st.integers(1, 9), st.integers(1, 9)))
    seed, density = draw(st.integers(0, 2**32 - 1)), draw(st.floats(0, 1))
    random = np.random.default_rng(seed)
    return (random.choice(levels, shape) * (random.random(shape) < density)).astype(np.float32)


def neighbourhoods(values: Floats, radius: float, choose: object) -> Floats:
    """The definition: over every pixel's neighbours within the picture, one by one."""
    made = np.empty_like(values)
    for b, y, x in np.ndindex(*values.shape):
        near = [
            values[b, v, u] for v, u in np.ndindex(*values.shape[1:]) if (v - y) ** 2 + (u - x) ** 2 <= radius * radius
        ]
        made[b, y, x] = choose(near)  # type: ignore[operator]
    return made


@settings(max_examples=60, deadline=None)
@given(values=masks(), radius=st.integers(0, 24).map(lambda n: n / 2))
def test_growing_is_the_largest_value_of_a_disc_and_shrinking_the_smallest(values: Floats, radius: float) -> None:
    assert (grown(values, radius) == neighbourhoods(values, radius, max)).all()
    assert (grown(values, -radius) == neighbourhoods(values, radius, min)).all()


@pytest.mark.parametrize("radius", [1, 7, 40])
def test_growing_reaches_exactly_the_euclidean_distance(radius: int) -> None:
    random = np.random.default_rng(radius)
    values = (random.random((1, 90, 70)) < 0.002).astype(np.float32)
    near = distance_transform_edt(values[0] == 0) <= radius
    assert (grown(values, radius)[0] == near).all()
    around = np.pad(values[0] == 0, radius + 1, constant_values=True)  # outside counts as selected
    inner = distance_transform_edt(around)[radius + 1 : -radius - 1, radius + 1 : -radius - 1]
    assert (grown(1 - values, -radius)[0] == (inner > radius)).all()


@settings(max_examples=60, deadline=None)
@given(values=masks(), radius=st.integers(1, 5))
def test_opening_and_closing_are_idempotent(values: Floats, radius: int) -> None:
    opened = grown(grown(values, -radius), radius)
    assert (opened <= values).all()
    assert (grown(grown(opened, -radius), radius) == opened).all()
    closed = grown(grown(values, radius), -radius)
    assert (closed >= values).all()
    assert (grown(grown(closed, radius), -radius) == closed).all()


@settings(max_examples=60, deadline=None)
@given(values=masks(), width=st.integers(1, 12))
def test_a_soft_edge_lies_outside_of_what_is_selected(values: Floats, width: int) -> None:
    soft = softened(values, width)
    assert (soft >= values).all()
    assert (soft <= 1).all()
    assert (soft[values == 1] == 1).all()


def test_a_soft_edge_falls_smoothly_to_nothing_within_its_width() -> None:
    values = np.zeros((1, 40, 100), np.float32)
    values[:, :, :50] = 1
    edge = softened(values, 24)[0, 20, 49:]
    assert edge[0] == 1
    assert (np.diff(edge) <= 0).all()
    # The integral of a Gaussian of a sixth of the width around the middle of the edge
    expected = [0.5 * math.erfc((n - 12) / 4 / math.sqrt(2)) for n in range(1, 24)]
    np.testing.assert_allclose(edge[1:24], expected, atol=0.06)
    assert (edge[25:] == 0).all()


def test_a_corner_is_softened_as_a_side_is() -> None:
    values = np.zeros((1, 60, 60), np.float32)
    values[:, 20:40, 20:40] = 1
    soft = softened(values, 12)[0]
    outside = distance_transform_edt(values[0] == 0)
    assert soft[outside > 13].max() < 0.002
    assert soft[(outside > 0) & (outside < 2)].min() > 0.9


def painted(folder: Path, picture: Pillow.Image, name: str = "mask.png") -> Path:
    path = folder / name
    picture.save(path)
    return path


def test_white_is_selected_where_a_file_is_opaque(tmp_path: Path) -> None:
    values = np.array([[0, 51, 255]], np.uint8)
    for mode in ("L", "RGB", "RGBA"):
        found = make(painted(tmp_path, Pillow.fromarray(values).convert(mode)))
        assert found.values.tolist() == [[[0, np.float32(51) / np.float32(255), 1]]]
    colours = Pillow.fromarray(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8))
    np.testing.assert_allclose(make(painted(tmp_path, colours)).values, [[[0.2126, 0.7152, 0.0722]]], atol=1e-6)


def test_paint_of_any_colour_is_selected_where_a_file_has_transparency(tmp_path: Path) -> None:
    strokes = Pillow.new("RGBA", (9, 9))
    ImageDraw.Draw(strokes).rectangle((2, 3, 5, 6), fill=(0, 0, 0, 255))
    strokes.putpixel((8, 8), (200, 10, 10, 51))
    values = make(painted(tmp_path, strokes)).values[0]
    assert (values[3:7, 2:6] == 1).all()
    assert values[8, 8] == np.float32(51) / np.float32(255)
    assert values.sum() == pytest.approx(16.2)


def test_the_changes_come_in_their_order() -> None:
    values = np.full((1, 9, 9), 0.2, np.float32)
    values[:, 4, 4] = 0.7
    point = Mask(values)
    assert make(mask=point, threshold=0.7).values.sum() == 1
    assert make(mask=point, threshold=0.71).values.sum() == 0
    assert make(mask=point, threshold=0.5, grow=2).values.sum() == 13
    assert make(mask=point, threshold=0.5, invert=True, grow=-1).values.sum() == 81 - 5
    np.testing.assert_allclose(make(mask=point, invert=True).values, 1 - values)
    soft = make(mask=point, threshold=0.5, grow=1, feather=2).values
    assert (soft[0, 4, 3:6] == 1).all()
    assert 0 < soft[0, 4, 6] < 1


def test_one_source_is_needed(tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="none is given"):
        make()
    with pytest.raises(NodeError, match="both are given"):
        make(painted(tmp_path, Pillow.new("L", (2, 2))), mask=Mask(np.zeros((1, 2, 2), np.float32)))
    with pytest.raises(NodeError, match="No such file"):
        make(tmp_path / "none.png")


def test_a_colour_is_selected_within_its_tolerance() -> None:
    pixels = np.array([[[0, 255, 0], [20, 240, 20], [0, 255, 30], [30, 200, 30]]], np.uint8)
    image = Image.from_bytes(pixels)
    assert mask_colour(image, "#00ff00", 0.0).values.tolist() == [[[1, 0, 0, 0]]]
    assert mask_colour(image, "#00FF00", 20 / 255).values.tolist() == [[[1, 1, 0, 0]]]
    assert mask_colour(image, "#00ff00", 1.0).values.all()


@settings(deadline=None)
@given(x=st.integers(-9, 12), y=st.integers(-9, 12), width=st.integers(1, 20), height=st.integers(1, 20))
def test_a_box_selects_its_pixels_and_an_ellipse_those_within(x: int, y: int, width: int, height: int) -> None:
    image = flat(9, 12, 0.5)
    inside = {(v, u) for v in range(9) for u in range(12) if x <= u < x + width and y <= v < y + height}
    if not inside:
        with pytest.raises(NodeError, match="outside of the picture, which is 12 x 9"):
            mask_box(image, x, y, width, height)
        return
    assert {(int(v), int(u)) for v, u in np.argwhere(mask_box(image, x, y, width, height).values[0])} == inside
    round_ = {(int(v), int(u)) for v, u in np.argwhere(mask_box(image, x, y, width, height, "ellipse").values[0])}
    middle = x + width / 2, y + height / 2
    expected = {
        (v, u)
        for v, u in inside
        if ((u + 0.5 - middle[0]) / width) ** 2 + ((v + 0.5 - middle[1]) / height) ** 2 <= 0.25 + 1e-12
    }
    assert round_ == expected


def test_an_ellipse_has_the_area_of_one() -> None:
    area = mask_box(flat(200, 300, 0.0), 20, 30, 240, 120, "ellipse").values.sum()
    assert area == pytest.approx(math.pi * 120 * 60, rel=0.01)


@settings(deadline=None)
@given(a=masks(np.array([0, 1], np.float32)), data=st.data())
def test_hard_masks_combine_as_sets_do(a: Floats, data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 2**32 - 1))
    b = np.random.default_rng(seed).integers(0, 2, a.shape).astype(np.float32)
    first, second = Mask(a), Mask(b)
    p, q = a == 1, b == 1
    assert ((combine_masks(first, second, "add").values == 1) == (p | q)).all()
    assert ((combine_masks(first, second, "subtract").values == 1) == (p & ~q)).all()
    assert ((combine_masks(first, second, "intersect").values == 1) == (p & q)).all()
    assert ((combine_masks(first, second, "difference").values == 1) == (p ^ q)).all()


def test_masks_that_do_not_go_together_are_refused() -> None:
    three, two, one = (Mask(np.zeros((n, 4, 4), np.float32)) for n in (3, 2, 1))
    assert combine_masks(one, three).batch == 3
    with pytest.raises(NodeError, match="first has 3, second has 2"):
        combine_masks(three, two)
    with pytest.raises(NodeError, match="these are 4 x 4 and 5 x 4 pixels"):
        combine_masks(one, Mask(np.zeros((1, 4, 5), np.float32)))


@settings(deadline=None)
@given(values=masks())
def test_a_mask_survives_being_a_picture(values: Floats) -> None:
    assert (image_to_mask.fn(mask_to_image.fn(Mask(values))).values == values).all()


def test_greys_of_any_value_keep_it_as_a_mask() -> None:
    values = np.random.default_rng(0).random((1, 64, 64), np.float32)
    assert (image_to_mask.fn(mask_to_image.fn(Mask(values))).values == values).all()


def test_a_picture_links_into_a_mask_and_a_mask_into_a_picture(tmp_path: Path) -> None:
    Pillow.fromarray(noise(6, 5).to_bytes()[0]).save(tmp_path / "in.png")
    registry = Registry(Pack.of("", load_image, mask, save_image, coercions))
    with Engine(registry, folders=Folders(tmp_path, tmp_path / "out")) as engine:
        document = {
            "nodes": {
                "load": {"type": "LoadImage@1", "inputs": {"file": "in.png"}},
                "mask": {"type": "Mask@1", "inputs": {"mask": {"$from": "load.image"}, "threshold": 0.5}},
                "save": {"type": "SaveImage@1", "inputs": {"image": {"$from": "mask.mask"}}},
            },
            "outputs": {"mask": {"$from": "mask.mask"}},
        }
        result = engine.run(engine.read(document))
    expected = (noise(6, 5).pixels[0] * np.array([0.2126, 0.7152, 0.0722])[:, None, None]).sum(axis=0) >= 0.5
    assert (result["mask"].values[0] == expected).all()
    with Pillow.open(result.files[0]) as written:
        assert (np.asarray(written)[:, :, 0] == expected * 255).all()
