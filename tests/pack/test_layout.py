from __future__ import annotations

import numpy as np
import pytest

from nodegraph import NodeError
from nodegraph_diffusion.encode_prompt import encode_prompt
from nodegraph_diffusion.handles import TextEncoder
from nodegraph_diffusion.latent_channels import latent_channels
from nodegraph_diffusion.layout import layout, layout_area
from nodegraph_diffusion.load_model import load_model
from nodegraph_diffusion.values import Latent, Mask


@pytest.fixture(scope="module")
def text_encoder() -> TextEncoder:
    return load_model("demo")[1]


def test_a_line_is_a_box(text_encoder: TextEncoder) -> None:
    made = layout(
        text_encoder, "a black background", "0 0 0.5 1: a cat: red\n\n  .5 0.25 0.5 0.5 2.5 :a dog\n", until=0.2
    )
    assert (made.background.tokens == encode_prompt(text_encoder, "a black background").tokens).all()
    one, two = made.areas
    assert (one.x, one.y, one.width, one.height, one.weight, one.mask) == (0, 0, 0.5, 1, 1, None)
    assert (one.prompt.tokens == encode_prompt(text_encoder, "a cat: red").tokens).all()
    assert (two.x, two.y, two.width, two.height, two.weight) == (0.5, 0.25, 0.5, 0.5, 2.5)
    assert made.until == 0.2
    assert layout(text_encoder).areas == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a cat", "line 2 is 'a cat', but a box is `left top width height: prompt`"),
        ("0 0 1: a cat", "line 2 is"),
        ("-0.1 0 1 1: a cat", "line 2 is"),
        ("0.6 0 0.5 1: a cat", "the box in line 2 reaches from 0.6, 0 to 1.1, 1"),
        ("0 0 0 1: a cat", "a box lies within 0 and 1 and has a width and a height"),
        ("0 0 1 1 0: a cat", "the weight in line 2 is 0; give one above 0"),
    ],
)
def test_a_line_that_is_no_box_is_said(text_encoder: TextEncoder, line: str, message: str) -> None:
    with pytest.raises(NodeError) as caught:
        layout(text_encoder, "", f"0 0 1 1: fine\n{line}")
    assert message in str(caught.value)
    assert caught.value.port == "boxes"


def test_an_area_has_the_shape_of_its_mask(text_encoder: TextEncoder) -> None:
    values = np.zeros((1, 8, 16), np.float32)
    values[0, 2:6, 4:8] = 0.5
    values[0, 3, 4] = 1
    made = layout_area(layout(text_encoder), encode_prompt(text_encoder, "a cat"), Mask(values), weight=2)
    (area,) = made.areas
    assert (area.x, area.y, area.width, area.height, area.weight) == (0.25, 0.25, 0.25, 0.5, 2)
    assert area.mask is not None
    assert area.mask.values.tolist() == [values[0, 2:6, 4:8].tolist()]
    with pytest.raises(NodeError, match="the mask selects nothing"):
        layout_area(made, area.prompt, Mask(np.zeros((1, 4, 4), np.float32)))


def test_channels_of_a_latent_are_grey_pictures() -> None:
    samples = np.stack([np.full((2, 3), level, np.float32) for level in (-3.0, 0.0, 1.5, 9.0)])[None].repeat(2, axis=0)
    made = latent_channels(Latent(24, 16, 2, samples), enlarge=4).pixels
    assert made.shape == (8, 3, 8, 12)
    assert [float(picture.mean()) for picture in made[:4]] == pytest.approx([0, 0.5, 0.75, 1])
    samples[0, 0, 1, 2] = 3
    made = latent_channels(Latent(24, 16, 2, samples), enlarge=4).pixels
    assert (made[0, 0] == 1).sum() == 16
    assert (made[0, :, 4:, 8:] == 1).all()
    with pytest.raises(NodeError, match="an empty latent has no channels yet"):
        latent_channels(Latent(8, 8))
