"""Sample in tiles and in the areas of a layout."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nodegraph import NodeError
from nodegraph.standalone import Standalone
from nodegraph_diffusion.decode import decode
from nodegraph_diffusion.empty_latent import empty_latent
from nodegraph_diffusion.encode_image import encode_image
from nodegraph_diffusion.encode_prompt import encode_prompt
from nodegraph_diffusion.layout import layout, layout_area
from nodegraph_diffusion.load_model import load_model
from nodegraph_diffusion.prompt_nodes import restrict_to_box
from nodegraph_diffusion.sample import sample
from nodegraph_diffusion.values import Image, Mask
from nodegraph_diffusion.windows import _span
from samples import natural

if TYPE_CHECKING:
    from nodegraph_diffusion.values import Floats, Latent

MODEL, TEXT_ENCODER, VAE = load_model("demo")


@dataclass(frozen=True, slots=True)
class Noted(Standalone):
    notes: dict[str, str] = field(default_factory=dict)

    def note(self, **facts: str) -> None:
        self.notes.update(facts)


def made(positive: Any, latent: Latent, **more: Any) -> Floats:
    found = sample(MODEL, positive, latent, cfg=1.0, **{"steps": 4, **more}).latent.samples
    assert found is not None
    return found


def test_a_picture_no_larger_than_a_tile_is_sampled_as_a_whole() -> None:
    prompt = encode_prompt(TEXT_ENCODER, "a cat")
    whole = made(prompt, empty_latent(128, 96))
    assert np.array_equal(made(prompt, empty_latent(128, 96), tile=128), whole)
    assert not np.array_equal(made(prompt, empty_latent(128, 96), tile=64), whole)


def test_in_tiles_a_picture_stays_itself_without_seams() -> None:
    prompt = encode_prompt(TEXT_ENCODER, "a cat on a blue background")
    picture = Image(natural(192, 320, 4)[None])
    start = encode_image(VAE, picture)
    samples = made(prompt, start, tile=128, strength=0.3, steps=10)
    assert start.samples is not None
    assert samples.shape == start.samples.shape
    assert np.corrcoef(samples.ravel(), start.samples.ravel())[0, 1] > 0.8
    whole = made(prompt, start, strength=0.3, steps=10)
    assert np.corrcoef(samples.ravel(), whole.ravel())[0, 1] > 0.9
    # A seam would be a column whose step is out of the ordinary where the whole's is not
    steps, ordinary = (np.abs(np.diff(s, axis=3)).mean(axis=(0, 1, 2)) for s in (samples, whole))
    assert (steps / ordinary).max() < 2


def colours(pixels: Floats) -> Floats:
    mean: Floats = pixels.mean(axis=(1, 2))
    return mean


def test_a_box_gets_its_prompt_and_the_rest_the_background() -> None:
    boxes = "0 0 0.5 1: a red background\n0.5 0 0.5 1: a green background"
    negative = encode_prompt(TEXT_ENCODER, "")
    asked = layout(TEXT_ENCODER, "a blue background", boxes)
    latent = sample(MODEL, asked, empty_latent(256, 128), negative, seed=3, steps=8, cfg=4.0).latent
    left, right = decode(VAE, latent).pixels[0, :, :, 8:112], decode(VAE, latent).pixels[0, :, :, 144:248]
    assert colours(left).argmax() == 0
    assert colours(right).argmax() == 1


def test_a_layout_without_areas_is_its_background() -> None:
    prompt = encode_prompt(TEXT_ENCODER, "a cat")
    empty = empty_latent(128, 128)
    assert np.array_equal(made(layout(TEXT_ENCODER, "a cat"), empty), made(prompt, empty))


def test_a_box_of_everything_with_the_same_prompt_changes_nothing() -> None:
    prompt = encode_prompt(TEXT_ENCODER, "a cat")
    one = layout(TEXT_ENCODER, "a cat", "0 0 1 1: a cat")
    np.testing.assert_allclose(made(one, empty_latent(128, 128)), made(prompt, empty_latent(128, 128)), atol=1e-4)


def test_an_area_acts_within_its_mask() -> None:
    values = np.zeros((1, 16, 16), np.float32)
    values[:, :, 8:] = 1
    plain = layout(TEXT_ENCODER, "a blue background")
    painted = layout_area(plain, encode_prompt(TEXT_ENCODER, "a red background"), Mask(values))
    before, after = (made(asked, empty_latent(128, 128), steps=1) for asked in (plain, painted))
    moved = np.abs(after - before).mean(axis=(0, 1, 2))
    assert moved[9:].min() > 10 * moved[:8].max()


@pytest.mark.parametrize(
    ("start", "length", "cells", "expected"),
    [
        (0, 0.5, 16, (0, 8)),
        (0.5, 0.5, 17, (8, 17)),
        (0.9, 0.01, 16, (14, 16)),
        (0.99, 0.01, 16, (14, 16)),
        (0, 1, 1, (0, 1)),
    ],
)
def test_areas_lie_on_the_grid(start: float, length: float, cells: int, expected: tuple[int, int]) -> None:
    assert _span(start, length, cells) == expected


def test_what_does_not_go_together_is_refused() -> None:
    asked = layout(TEXT_ENCODER, "a cat", "0 0 1 1: a cat")
    with pytest.raises(NodeError, match="a layout has windows of its own; set tile to 0") as caught:
        made(asked, empty_latent(256, 128), tile=128)
    assert caught.value.port == "tile"
    boxed = restrict_to_box(encode_prompt(TEXT_ENCODER, "a cat"))
    with pytest.raises(
        NodeError, match="a prompt for a part of the picture looks at the whole; set tile to 0"
    ) as caught:
        made(boxed, empty_latent(256, 128), tile=128)
    assert caught.value.port == "positive"
    assert made(boxed, empty_latent(128, 128), steps=1, tile=128).shape == (1, 12, 16, 16)


def test_the_receipt_tells_dtype_and_attention() -> None:
    context = Noted("sample")
    sample.fn(context, MODEL, encode_prompt(TEXT_ENCODER, "a cat"), empty_latent(128, 128), steps=1)
    assert context.notes == {"dtype": "float32", "attention": "AttnProcessor2_0"}
