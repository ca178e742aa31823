"""Pictures as ComfyUI puts them beside each other and sizes them."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from nodegraph_diffusion.comfyui import pictures
from nodegraph_diffusion.values import Image


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
        made = pictures.FluxKontextImageScale(plain(width, height, 0.5))
        assert (made.width, made.height) == expected
