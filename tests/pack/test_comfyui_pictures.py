"""Pictures as ComfyUI puts them beside each other and sizes them."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from nodegraph_diffusion.comfyui import pictures
from nodegraph_diffusion.comfyui.compositing import Mode, PorterDuffImageComposite
from nodegraph_diffusion.comfyui.filters import ImageQuantize
from nodegraph_diffusion.comfyui.resizing import FluxKontextImageScale
from nodegraph_diffusion.values import Image, Mask


def plain(width: int, height: int, value: float) -> Image:
    return Image(np.full((1, 3, height, width), value, np.float32))


@pytest.mark.parametrize(
    ("direction", "size", "first"),
    [("right", (10, 4), 0.25), ("left", (10, 4), 0.75), ("down", (4, 16), 0.25), ("up", (4, 16), 0.75)],
)
def test_a_picture_is_put_beside_another(
    direction: Literal["right", "down", "left", "up"], size: tuple[int, int], first: float
) -> None:
    made = pictures.ImageStitch(plain(4, 4, 0.25), direction=direction, image2=plain(2, 4, 0.75), spacing_width=4)
    assert (made.width, made.height) == size
    assert made.pixels[0, 0, 0, 0] == pytest.approx(first, abs=0.01)
    assert (made.pixels[0, 0] == 1).sum() == 4 * 4  # white between


def test_the_smaller_of_two_pictures_is_set_in_black() -> None:
    made = pictures.ImageStitch(plain(4, 6, 0.5), match_image_size=False, image2=plain(2, 2, 1.0))
    assert (made.width, made.height) == (6, 6)
    assert made.pixels[0, 0, :, 5].tolist() == [0, 0, 1, 1, 0, 0]
    assert pictures.ImageStitch(plain(4, 6, 0.5)).pixels.shape == (1, 3, 6, 4)


def test_a_picture_is_brought_to_a_size_of_kontext() -> None:
    for width, height, expected in ((64, 64, (1024, 1024)), (160, 90, (1392, 752)), (90, 160, (752, 1392))):
        made = FluxKontextImageScale(plain(width, height, 0.5))
        assert (made.width, made.height) == expected


@pytest.mark.parametrize(
    ("mode", "colour", "opaque"),
    [
        ("SRC", 0.8, 0.5), ("DST", 0.2, 0.25), ("CLEAR", 0, 0), ("SRC_IN", 0.8, 0.125), ("DST_OUT", 0.2, 0.125),
        ("SRC_OVER", (0.4 + 0.5 * 0.05) / 0.625, 0.625), ("DST_OVER", (0.05 + 0.75 * 0.4) / 0.625, 0.625),
        ("SRC_ATOP", (0.25 * 0.4 + 0.5 * 0.05) / 0.25, 0.25), ("XOR", (0.75 * 0.4 + 0.5 * 0.05) / 0.5, 0.5),
        ("ADD", 0.45 / 0.75, 0.75), ("SCREEN", (0.45 - 0.02) / 0.625, 0.625), ("MULTIPLY", 0.02 / 0.125, 0.125),
        ("DARKEN", (0.325 + 0.05) / 0.625, 0.625), ("LIGHTEN", 1, 0.625),
        ("OVERLAY", 0.04 / 0.625, 0.625),
    ],
)  # fmt: skip
def test_pictures_are_composed_by_the_rules_of_porter_and_duff(mode: Mode, colour: float, opaque: float) -> None:
    """A half opaque 0.8 over a quarter opaque 0.2 of another size, written out by hand."""
    masks = (Mask(np.full((1, 4, 4), value, np.float32)) for value in (0.5, 0.75))
    above, below = masks
    made = PorterDuffImageComposite(plain(4, 4, 0.8), above, plain(8, 8, 0.2), below, mode)
    np.testing.assert_allclose(made.image.pixels, np.full((1, 3, 4, 4), colour), atol=1e-6)
    np.testing.assert_allclose(made.mask.values, np.full((1, 4, 4), 1 - opaque), atol=1e-6)


@pytest.mark.parametrize("dither", ["none", "floyd-steinberg", "bayer-4"])
def test_few_colours_stand_for_all_by_their_mean(dither: Literal["none", "floyd-steinberg", "bayer-4"]) -> None:
    ramp = np.broadcast_to(np.linspace(0, 1, 64, dtype=np.float32), (1, 3, 64, 64))
    made = ImageQuantize(Image(ramp.copy()), 4, dither).pixels[0]
    assert len(np.unique(made.reshape(3, -1), axis=1)[0]) <= 4
    off = np.abs(made.reshape(3, 8, 8, 8, 8).mean((2, 4)) - ramp[0].reshape(3, 8, 8, 8, 8).mean((2, 4)))
    inner = off[:, :, 1:-1].max()  # the ends of the ramp lie outside of the palette
    assert inner > 0.06 if dither == "none" else inner < 0.06
