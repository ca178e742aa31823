from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodegraph import NodeError
from nodegraph_diffusion.mask_from_picture import mask_difference, mask_flood, mask_luminance
from nodegraph_diffusion.values import Image
from samples import flat, noise

PLAN = """
    ..##
    .#..
    ##.#
"""
"""Two dark areas that touch the other dark pixels at corners only."""


def drawn(plan: str) -> Image:
    rows = [[0.1 if c == "#" else 0.9 for c in line] for line in plan.split()]
    return Image(np.repeat(np.array(rows, np.float32)[None, None], 3, axis=1))


def test_a_flood_stays_where_the_colour_is_joined() -> None:
    made = mask_flood(drawn(PLAN), x=0, y=2).values[0]
    assert made.tolist() == [[0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0]]
    made = mask_flood(drawn(PLAN), x=0, y=2, diagonal=True).values[0]
    assert made.tolist() == [[0, 0, 1, 1], [0, 1, 0, 0], [1, 1, 0, 0]]
    made = mask_flood(drawn(PLAN), x=1, y=0, tolerance=1).values[0]
    assert made.all()


def by_hand(like: list[list[bool]], x: int, y: int) -> set[tuple[int, int]]:
    reached, todo = set(), [(y, x)]
    while todo:
        v, u = todo.pop()
        if (v, u) in reached or not (0 <= v < len(like) and 0 <= u < len(like[0]) and like[v][u]):
            continue
        reached.add((v, u))
        todo += [(v + 1, u), (v - 1, u), (v, u + 1), (v, u - 1)]
    return reached


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), x=st.integers(0, 8), y=st.integers(0, 6), tolerance=st.sampled_from([0, 0.3, 0.6]))
def test_a_flood_reaches_what_a_walk_reaches(seed: int, x: int, y: int, tolerance: float) -> None:
    levels = np.random.default_rng(seed).integers(0, 3, (7, 9)) / np.float32(4)
    picture = Image(np.repeat(levels[None, None].astype(np.float32), 3, axis=1))
    like = (abs(levels - levels[y, x]) <= tolerance).tolist()
    made = mask_flood(picture, x, y, tolerance).values[0]
    assert set(zip(*(axis.tolist() for axis in np.nonzero(made)), strict=True)) == by_hand(like, x, y)


def test_each_picture_of_a_batch_is_flooded_by_its_own_colour() -> None:
    batch = Image(np.concatenate([drawn(PLAN).pixels, 1 - drawn(PLAN).pixels]))
    one, two = mask_flood(batch, x=0, y=2).values
    assert (one == two).all()


def test_a_point_outside_is_refused() -> None:
    with pytest.raises(NodeError, match="the point 4, 0 lies outside of the picture, which is 4 x 3") as caught:
        mask_flood(drawn(PLAN), x=4)
    assert caught.value.port == "x"


def test_luminance_selects_a_band_with_soft_ends() -> None:
    ramp = Image(np.broadcast_to(np.linspace(0, 1, 11, dtype=np.float32), (1, 3, 2, 11)))
    assert mask_luminance(ramp, 0.35, 0.65).values[0, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0]
    soft = mask_luminance(ramp, 0.4, 0.6, soft=0.2).values[0, 0]
    np.testing.assert_allclose(soft, [0, 0, 0, 0.5, 1, 1, 1, 0.5, 0, 0, 0], atol=1e-6)
    with pytest.raises(NodeError, match=r"low is 0.7 and high 0.6; exchange them"):
        mask_luminance(ramp, 0.7, 0.6)


def test_a_difference_selects_what_changed_and_nothing_else() -> None:
    before = noise(12, 16, batch=2)
    pixels = before.pixels.copy()
    pixels[1, 2, 5, 7] = 1 - pixels[1, 2, 5, 7].round()
    made = mask_difference(before, Image(pixels), threshold=0.4).values
    assert np.argwhere(made).tolist() == [[1, 5, 7]]
    assert mask_difference(before, Image(pixels), threshold=0.4, feather=4).values.sum() > 5
    assert not mask_difference(before, before, threshold=0).values.any()
    with pytest.raises(NodeError, match="16 x 12 and 4 x 4 pixels; resize one"):
        mask_difference(before, flat(4, 4, 0.5))
