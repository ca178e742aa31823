"""Edges: where they are, how thin, and which are kept."""

from __future__ import annotations

import numpy as np
import pytest

from nodegraph import NodeError
from nodegraph_diffusion.canny import canny
from nodegraph_diffusion.values import Image


def grey(values: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> Image:
    return Image(np.repeat(values[None, None], 3, axis=1).astype(np.float32))


def square() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    values = np.zeros((20, 20), np.float32)
    values[5:15, 5:15] = 1
    return values


def test_a_square_has_an_outline_of_one_pixel() -> None:
    found = canny(grey(square())).pixels
    assert found.shape == (1, 3, 20, 20)
    assert set(np.unique(found)) == {0.0, 1.0}
    outline = found[0, 0] > 0
    assert (outline[8:12].sum(1) == 2).all()
    assert (outline[:, 8:12].sum(0) == 2).all()
    assert not outline[7:13, 7:13].any()


def test_thresholds_are_of_the_absolute_sobel_sum() -> None:
    """A straight step of height h has a sum of 4 h."""
    for height, seen in ((0.26, True), (0.24, False)):
        values = np.zeros((20, 20), np.float32)
        values[:, 10:] = height
        assert canny(grey(values), 0.2, 1.0).pixels.any() == seen


def test_a_weak_edge_stays_where_a_strong_one_goes_on_in_it() -> None:
    """An edge that grows weaker on its way down, and one as weak that stands alone."""
    values = np.zeros((40, 40), np.float32)
    values[:, :10] = np.linspace(0.4, 0.1, 40)[:, None]
    values[:, 30:] = 0.12
    found = canny(grey(values), 0.4, 1.2).pixels[0, 0]
    assert (found[:38, 8:12].sum(1) == 1).all()
    assert not found[:, 25:].any()


def test_the_colour_that_changes_most_counts() -> None:
    """Red against blue of the same brightness."""
    pixels = np.zeros((1, 3, 20, 20), np.float32)
    pixels[:, 0, :, :10] = 1
    pixels[:, 2, :, 10:] = 1
    assert (canny(Image(pixels)).pixels[0, 0].sum(1) == 1).all()


def test_each_picture_of_a_batch_is_by_itself() -> None:
    both = Image(np.concatenate([grey(square()).pixels, grey(np.zeros((20, 20), np.float32)).pixels]))
    found = canny(both).pixels
    assert np.array_equal(found[:1], canny(grey(square())).pixels)
    assert not found[1].any()


def test_low_above_high_is_refused() -> None:
    with pytest.raises(NodeError, match=r"low is 0\.9 and high 0\.8"):
        canny(grey(square()), 0.9, 0.8)
