from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodegraph import NodeError
from nodegraph_diffusion.crop import crop, pad
from nodegraph_diffusion.values import Image
from samples import noise

border = st.integers(0, 20)


@settings(deadline=None)
@given(x=st.integers(0, 12), y=st.integers(0, 12), width=st.integers(0, 12), height=st.integers(0, 12))
def test_a_rectangle_within_is_cut_out_and_any_other_refused(x: int, y: int, width: int, height: int) -> None:
    image = noise(7, 9, batch=2)
    right, bottom = x + (width or 9 - x), y + (height or 7 - y)
    if x < 9 and y < 7 and right <= 9 and bottom <= 7:
        assert (crop(image, x, y, width, height).pixels == image.pixels[:, :, y:bottom, x:right]).all()
    else:
        with pytest.raises(NodeError, match="does not lie within the picture, which is 9 x 7 pixels"):
            crop(image, x, y, width, height)


@settings(deadline=None)
@given(left=border, top=border, right=border, bottom=border, fill=st.sampled_from(["edge", "mirror", "colour"]))
def test_cropping_undoes_padding(left: int, top: int, right: int, bottom: int, fill: str) -> None:
    image = noise(5, 4, batch=2)
    made = pad(image, left, top, right, bottom, fill)  # type: ignore[arg-type]
    assert (crop(made.image, left, top, 4, 5).pixels == image.pixels).all()
    selected = made.mask.values[0] == 1
    assert not selected[top : top + 5, left : left + 4].any()
    assert selected.sum() == (5 + top + bottom) * (4 + left + right) - 20
    assert made.mask.values.shape == (1, made.image.height, made.image.width)


def test_what_a_border_shows() -> None:
    row = np.broadcast_to(np.array([0.1, 0.2, 0.3], np.float32), (1, 3, 1, 3))
    assert pad(Image(row), left=2, right=1).image.pixels[0, 0, 0].tolist() == row[0, 0, 0, [0, 0, 0, 1, 2, 2]].tolist()
    mirrored = pad(Image(row), left=2, right=1, fill="mirror").image.pixels[0, 0, 0]
    assert mirrored.tolist() == row[0, 0, 0, [2, 1, 0, 1, 2, 1]].tolist()
    coloured = pad(Image(row), top=1, fill="colour", colour="#ff8000").image.pixels[0, :, 0, 0]
    np.testing.assert_allclose(coloured, [1, 128 / 255, 0])


def test_a_feathered_border_reaches_into_the_picture() -> None:
    soft = pad(noise(60, 60), right=20, feather=16).mask.values[0]
    assert (soft[:, 60:] == 1).all()
    row = soft[30]
    assert (np.diff(row) >= 0).all()
    assert 0.3 < row[51] < 0.7
    assert (row[:42] == 0).all()


def test_too_large_a_picture_is_refused() -> None:
    with pytest.raises(NodeError, match="would be too large"):
        pad(noise(8, 8), left=16384, top=16384)
