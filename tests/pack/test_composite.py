from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodegraph import NodeError
from nodegraph_diffusion.composite import composite
from nodegraph_diffusion.values import Image, Mask
from samples import noise


@settings(deadline=None)
@given(x=st.integers(-8, 10), y=st.integers(-8, 10), seed=st.integers(0, 99))
def test_every_pixel_is_mixed_by_the_mask_and_exact_at_both_ends(x: int, y: int, seed: int) -> None:
    base, over = noise(6, 8, seed=seed), noise(5, 4, seed=seed + 1)
    values = np.random.default_rng(seed).choice(np.array([0, 0.5, 1], np.float32), (1, 5, 4))
    if x <= -4 or x >= 8 or y <= -5 or y >= 6:
        with pytest.raises(NodeError, match="wholly outside of the base, which is 8 x 6"):
            composite(base, over, Mask(values), x, y)
        return
    before = base.pixels.copy()
    made = composite(base, over, Mask(values), x, y).pixels
    for v, u in np.ndindex(6, 8):
        below, inside = base.pixels[0, :, v, u], 0 <= v - y < 5 and 0 <= u - x < 4
        amount = values[0, v - y, u - x] if inside else 0
        if amount == 0:
            assert (made[0, :, v, u] == below).all()
        elif amount == 1:
            assert (made[0, :, v, u] == over.pixels[0, :, v - y, u - x]).all()
        else:
            np.testing.assert_allclose(made[0, :, v, u], (below + over.pixels[0, :, v - y, u - x]) / 2, atol=1e-6)
    assert (base.pixels == before).all()


def test_without_a_mask_all_of_it_shows() -> None:
    base, over = noise(6, 8), noise(3, 3, seed=1)
    made = composite(base, over, x=2, y=1).pixels
    assert (made[:, :, 1:4, 2:5] == over.pixels).all()
    rest = np.ones((6, 8), bool)
    rest[1:4, 2:5] = False
    assert (made[..., rest] == base.pixels[..., rest]).all()


def test_one_goes_with_every_one_of_a_batch() -> None:
    base, three = noise(4, 4), noise(4, 4, batch=3, seed=1)
    half = Mask(np.full((1, 4, 4), 0.25, np.float32))
    for made in (composite(base, three, half), composite(three, base, half)):
        assert made.batch == 3
    for i in range(3):
        expected = composite(base, Image(three.pixels[i : i + 1]), half).pixels
        assert (composite(base, three, half).pixels[i] == expected[0]).all()
    with pytest.raises(NodeError, match="base has 3, over has 2"):
        composite(three, noise(4, 4, batch=2))


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(NodeError, match="which is 4 x 4, and the mask is 8 x 6; resize one") as caught:
        composite(noise(6, 8), noise(4, 4), Mask(np.ones((1, 6, 8), np.float32)))
    assert caught.value.port == "mask"
