from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodegraph import NodeError
from nodegraph_diffusion.batch import join_images, pick_image
from nodegraph_diffusion.grid import grid
from nodegraph_diffusion.values import Image
from samples import flat, noise


@settings(deadline=None)
@given(counts=st.lists(st.integers(1, 3), min_size=1, max_size=4))
def test_what_is_joined_can_be_picked(counts: list[int]) -> None:
    parts = [noise(3, 4, batch=n, seed=i) for i, n in enumerate(counts)]
    joined = join_images(parts)
    flattened = [pixels for part in parts for pixels in part.pixels]
    assert joined.batch == len(flattened)
    for i, pixels in enumerate(flattened):
        assert (pick_image(joined, i).pixels == pixels).all()
        assert (pick_image(joined, i - len(flattened)).pixels == pixels).all()


def test_what_makes_no_batch_is_refused() -> None:
    with pytest.raises(NodeError, match="these are 4 x 3, 5 x 3 pixels; resize them"):
        join_images([noise(3, 5), noise(3, 4)])
    with pytest.raises(NodeError, match="at least one"):
        join_images([])
    for index in (2, -3):
        with pytest.raises(NodeError, match=f"the batch has 2, so there is no picture {index}"):
            pick_image(noise(3, 4, batch=2), index)


@settings(deadline=None)
@given(count=st.integers(1, 9), columns=st.integers(0, 10), gap=st.integers(0, 3))
def test_every_picture_of_a_grid_lies_in_its_cell(count: int, columns: int, gap: int) -> None:
    batch = noise(4, 5, batch=count)
    sheet = grid([Image(batch.pixels[:1]), Image(batch.pixels[1:])] if count > 1 else [batch], columns, gap, "#102030")
    across = min(columns, count) if columns else int(np.ceil(np.sqrt(count)))
    down = -(-count // across)
    assert (sheet.width, sheet.height) == (across * (5 + gap) + gap, down * (4 + gap) + gap)
    covered = np.zeros((sheet.height, sheet.width), bool)
    for i, pixels in enumerate(batch.pixels):
        top, left = gap + i // across * (4 + gap), gap + i % across * (5 + gap)
        assert (sheet.pixels[0, :, top : top + 4, left : left + 5] == pixels).all()
        covered[top : top + 4, left : left + 5] = True
    paper = sheet.to_bytes()[0][~covered]
    assert (paper == [0x10, 0x20, 0x30]).all()


def test_smaller_pictures_lie_in_the_middle_of_their_cells() -> None:
    sheet = grid([flat(6, 6, 0.0), flat(2, 4, 0.0)], columns=2, gap=0, background="#ffffff").pixels[0, 0]
    assert np.argwhere(sheet[:, 6:] == 0).tolist() == [[y, x] for y in (2, 3) for x in (1, 2, 3, 4)]


def test_labels_are_written_below_their_pictures_in_ink_that_shows() -> None:
    white = grid([flat(60, 90, 0.5, 0.5)], 2, 4, "#ffffff", "seed 7\n").pixels[0]
    black = grid([flat(60, 90, 0.5, 0.5)], 2, 4, "#000000", "seed 7\n").pixels[0]
    bare = grid([flat(60, 90, 0.5, 0.5)], 2, 4, "#ffffff").pixels[0]
    assert white.shape[1] > bare.shape[1]
    assert (white[:, :64] == bare[:, :64]).all()
    first, second = white[:, 64:-4, 4:94], white[:, 64:-4, 98:188]
    assert first.min() < 0.2
    assert second.min() == 1
    np.testing.assert_allclose(black[:, 64:-4, 4:94], 1 - first, atol=1e-6)
    long = grid([flat(60, 90, 0.5)], 1, 4, "#ffffff", "漢字 and far more than the width of it has room for").pixels[0]
    assert (long[:, 64:-4, :4] == 1).all()
    assert (long[:, 64:-4, 94:] == 1).all()


def test_what_makes_no_grid_is_refused() -> None:
    with pytest.raises(NodeError, match="at least one picture"):
        grid([])
    with pytest.raises(NodeError, match="has 3 lines for 2 pictures"):
        grid([noise(4, 4, batch=2)], labels="a\nb\nc")
