from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodegraph import NodeError
from nodegraph_diffusion.params import Filter
from nodegraph_diffusion.resize import resize
from nodegraph_diffusion.values import Image
from samples import flat, noise

Mode = Literal["fill", "fit", "pad", "stretch"]
FILTERS: tuple[Filter, ...] = get_args(Filter)
side = st.integers(1, 40)


@settings(deadline=None)
@given(own=st.tuples(side, side), asked=st.tuples(side, side), mode=st.sampled_from(get_args(Mode)),
       filter=st.sampled_from(FILTERS))  # fmt: skip
def test_every_mode_gives_its_size_and_keeps_a_flat_picture_flat(
    own: tuple[int, int], asked: tuple[int, int], mode: Mode, filter: Filter
) -> None:
    image = flat(own[1], own[0], 0.25, 0.75)
    made = resize(image, asked[0], asked[1], mode=mode, filter=filter, background="#ff0000")
    size = (made.width, made.height)
    inner = made.pixels
    if mode == "fit":
        assert size[0] <= asked[0]
        assert size[1] <= asked[1]
        assert size[0] == asked[0] or size[1] == asked[1]
        scale = min(asked[0] / own[0], asked[1] / own[1])
        assert abs(size[0] - own[0] * scale) <= 1
        assert abs(size[1] - own[1] * scale) <= 1
    else:
        assert size == asked
    if mode == "pad":
        grey = made.pixels[:, 0] == made.pixels[:, 1]
        inner = made.pixels.transpose(1, 0, 2, 3)[:, grey]
        assert (made.pixels.transpose(1, 0, 2, 3)[:, ~grey] == np.array([1, 0, 0])[:, None]).all()
        assert np.unique(inner.round(4)).tolist() == [0.25, 0.75]
    else:
        np.testing.assert_allclose(inner[0], 0.25, atol=1e-5)
        np.testing.assert_allclose(inner[1], 0.75, atol=1e-5)


@settings(deadline=None)
@given(own=st.tuples(side, side), one=side)
def test_one_side_follows_from_the_other(own: tuple[int, int], one: int) -> None:
    image = flat(own[1], own[0], 0.5)
    wide, high = resize(image, width=one), resize(image, height=one)
    assert (wide.width, high.height) == (one, one)
    assert wide.height == max(1, round(own[1] * one / own[0]))
    assert high.width == max(1, round(own[0] * one / own[1]))


@pytest.mark.parametrize("filter", FILTERS)
def test_the_own_size_changes_nothing(filter: Filter) -> None:
    image = noise(7, 5, batch=2)
    np.testing.assert_allclose(resize(image, filter=filter).pixels, image.pixels, atol=1e-6)


def test_area_is_the_mean_and_nearest_repeats() -> None:
    image = noise(12, 18, batch=2)
    means = image.pixels.reshape(2, 3, 4, 3, 6, 3).mean(axis=(3, 5))
    np.testing.assert_allclose(resize(image, factor=1 / 3, filter="area").pixels, means, atol=1e-6)
    repeated = image.pixels.repeat(3, axis=2).repeat(3, axis=3)
    assert (resize(image, factor=3, filter="nearest").pixels == repeated).all()


@pytest.mark.parametrize("filter", ["lanczos", "bicubic", "bilinear"])
def test_steps_finer_than_a_byte_survive(filter: Filter) -> None:
    ramp = np.broadcast_to(np.linspace(0.5, 0.502, 64, dtype=np.float32), (1, 3, 8, 64))
    middle = resize(Image(ramp), factor=2, filter=filter).pixels[0, 0, 8, 16:-16]
    expected = 0.5 + 0.002 * ((np.arange(128) + 0.5) / 2 - 0.5) / 63
    np.testing.assert_allclose(middle, expected[16:-16], atol=2e-6)
    assert len(np.unique(middle)) > 90


@pytest.mark.parametrize("filter", FILTERS)
def test_overshoot_is_cut_off_and_nothing_aliases(filter: Filter) -> None:
    stripes = np.zeros((1, 3, 64, 64), np.float32)
    stripes[..., ::2] = 1
    step = np.zeros((1, 3, 8, 8), np.float32)
    step[..., 4:] = 1
    sharp = resize(Image(step), factor=4, filter=filter).pixels
    assert (sharp.min(), sharp.max()) == (0, 1)
    made = resize(Image(stripes), 32, 21, mode="stretch", filter=filter).pixels
    if filter != "nearest":
        np.testing.assert_allclose(made[..., 4:-4], 0.5, atol=0.06)


def test_filling_cuts_both_sides_alike() -> None:
    image = noise(8, 20)
    made = resize(image, 8, 8, mode="fill", filter="area")
    np.testing.assert_allclose(made.pixels, image.pixels[:, :, :, 6:14], atol=1e-6)
    halves = resize(image, 9, 8, mode="fill", filter="bilinear")  # 5.5 pixels off each side
    mirrored = resize(Image(image.pixels[..., ::-1]), 9, 8, mode="fill", filter="bilinear")
    np.testing.assert_allclose(halves.pixels, mirrored.pixels[..., ::-1], atol=1e-6)


def test_padding_centres_the_picture() -> None:
    image = noise(4, 8)
    made = resize(image, 8, 9, mode="pad", filter="nearest", background="#0080ff").pixels[0]
    assert (made[:, 2:6] == image.pixels[0]).all()
    border = np.concatenate([made[:, :2], made[:, 6:]], axis=1)
    np.testing.assert_allclose(border, np.broadcast_to(np.array([0, 128 / 255, 1])[:, None, None], border.shape))


def test_what_cannot_be_made_is_refused() -> None:
    image = noise(8, 8)
    with pytest.raises(NodeError, match="a width and a height or a factor, and 2 is given beside") as caught:
        resize(image, width=4, factor=2)
    assert caught.value.port == "factor"
    with pytest.raises(NodeError, match="would be 0 x 0 pixels"):
        resize(image, factor=0.01)
    with pytest.raises(NodeError, match="16,384 x 16,384 pixels would be too large"):
        resize(image, 16384, 16384)
