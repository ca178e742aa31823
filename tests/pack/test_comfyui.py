"""The nodes that do as ComfyUI's, by their numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

import nodegraph_diffusion.comfyui
from nodegraph import NodeError
from nodegraph.interop.classes import known_classes
from nodegraph.interop.parts import ALONE, MODEL
from nodegraph_diffusion.comfyui import pack
from nodegraph_diffusion.comfyui.latents import (
    LatentBlend,
    LatentComposite,
    LatentFlip,
    LatentRotate,
    LatentUpscale,
    LatentUpscaleBy,
    RepeatLatentBatch,
    _cropped,
)
from nodegraph_diffusion.comfyui.masks import FeatherMask, GrowMask, ImageToMask, MaskComposite, MaskToImage
from nodegraph_diffusion.comfyui.pictures import (
    Canny,
    EmptyImage,
    ImageBlend,
    ImageBlur,
    ImageCompositeMasked,
    ImageFlip,
    ImagePadForOutpaint,
    ImageRotate,
    ImageScale,
    ImageScaleToMaxDimension,
    ImageScaleToTotalPixels,
    ImageSharpen,
)
from nodegraph_diffusion.values import Image, Latent, Mask
from samples import flat, noise

LATENT = Latent(64, 48, 1, np.random.default_rng(2).standard_normal((1, 4, 12, 16)).astype(np.float32))


@pytest.mark.parametrize("name", [node.title for node in pack.nodes])
def test_names_order_and_defaults_are_theirs(name: str) -> None:
    node = next(n for n in nodegraph_diffusion.comfyui.pack.nodes if n.title == name)
    theirs = known_classes()[name]
    assert set(node.inputs) == set(theirs.inputs) | ({MODEL} if name in ALONE else set())
    assert len(node.outputs) == len(theirs.outputs)
    assert node.name == name.replace("_", "")
    for port in theirs.inputs.values():
        if port.has_default:
            assert node.inputs[port.name].default == port.default


@pytest.mark.parametrize("method", ["nearest-exact", "bilinear", "area", "bicubic"])
def test_pictures_are_scaled_as_torch_does(method: str) -> None:
    image = noise(30, 50)
    made = ImageScale(image, method, 20, 20, "center")  # type: ignore[arg-type]
    cut = torch.from_numpy(image.pixels[:, :, :, 10:40].copy())
    expected = functional.interpolate(cut, (20, 20), mode=method).numpy()
    assert np.allclose(made.pixels, expected)


def test_sizes_that_follow() -> None:
    image = noise(30, 50)
    assert ImageScale(image, "area", 0, 60).pixels.shape == (1, 3, 60, 100)
    assert ImageScale(image, "area", 0, 0) is image
    assert ImageScaleToMaxDimension(image, "lanczos", 100).pixels.shape == (1, 3, 60, 100)
    total = ImageScaleToTotalPixels(image, "bilinear", 0.01)
    assert (total.width, total.height) == (132, 79)


def test_latents_turn_between_their_cells() -> None:
    """Between two cells of equal length and at a right angle stands their middle, of that length too."""
    cells = np.zeros((1, 2, 1, 2), np.float32)
    cells[0, 0, 0, 0], cells[0, 1, 0, 1] = 2, 4
    made = LatentUpscaleBy(Latent(16, 8, 1, cells), "bislerp", 2.0).samples
    assert made is not None
    assert made.shape == (1, 2, 2, 4)
    np.testing.assert_allclose(made[0, :, 0], made[0, :, 1])
    np.testing.assert_allclose(made[0, :, 0, [0, 3]], [[2, 0], [0, 4]], atol=1e-6)
    for column, part in ((1, 0.25), (2, 0.75)):
        angle = part * np.pi / 2
        expected = np.array([np.cos(angle), np.sin(angle)]) * (2 * (1 - part) + 4 * part)
        np.testing.assert_allclose(made[0, :, 0, column], expected, rtol=1e-6)
    alike = LatentUpscaleBy(Latent(16, 8, 1, np.full((1, 2, 1, 2), 3.0)), "bislerp", 2.0).samples
    assert alike is not None
    np.testing.assert_allclose(alike, 3)


def test_edges_are_lines_where_it_is_steep_enough() -> None:
    """Upright edges are as steep as Sobel says: four times the difference of the smoothed columns on both sides."""
    step = np.zeros((1, 3, 12, 16), np.float32)
    step[..., 8:], step[..., 7] = 0.2, 0.1  # one column is steeper than both beside it
    weights = np.exp(-0.5 * np.arange(-2, 3) ** 2)
    smooth = np.convolve(step[0, 0, 0], weights / weights.sum(), mode="same")
    steepest = 4 * (smooth[8] - smooth[6])
    for high, found in ((steepest - 0.01, True), (steepest + 0.01, False)):
        assert Canny(Image(step), 0.1, high).pixels.any() == found
    turned = np.zeros((1, 3, 16, 16), np.float32)
    turned[..., 6:] = 1
    turned[0, :, :, 5] = 0.5  # so that one column is steeper than both beside it
    lines = Canny(Image(turned)).pixels
    assert (lines[0, :, 2:-2].sum(axis=2) == 1).all()
    assert lines[0, 0, 8, 5] == 1
    np.testing.assert_array_equal(lines.swapaxes(2, 3), Canny(Image(turned.swapaxes(2, 3).copy())).pixels)


def test_pictures_are_blurred_and_sharpened_by_a_bell() -> None:
    dot = np.full((1, 3, 7, 9), 0.25, np.float32)
    dot[:, :, 3, 4] = 0.75
    bell = np.exp(-0.5 * (np.array([-1, -0.5, 0, 0.5, 1]) / 0.7) ** 2)
    bell /= bell.sum()
    expected = np.full((7, 9), 0.25)
    expected[1:6, 2:7] += 0.5 * np.outer(bell, bell)
    made = ImageBlur(Image(dot), 2, 0.7).pixels
    np.testing.assert_allclose(made[0, 1], expected, atol=1e-6)
    sharp = ImageSharpen(Image(dot), 2, 0.7, 0.05).pixels
    np.testing.assert_allclose(sharp[0, 2], dot[0, 2] + 0.5 * (dot[0, 2] - expected), atol=1e-6)
    edge = ImageBlur(
        Image(np.linspace(0, 1, 5, dtype=np.float32).reshape(1, 1, 1, 5).repeat(3, 1).repeat(5, 2)), 1
    ).pixels
    small = np.exp(-0.5)
    assert edge[0, 0, 2, 0] == pytest.approx(
        2 * 0.25 * small / (1 + 2 * small)
    )  # mirrored: both neighbours are the same


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("normal", 0.8),
        ("multiply", 0.16),
        ("screen", 0.84),
        ("overlay", 0.32),
        ("soft_light", 0.3488),
        ("difference", 0),
    ],
)
def test_pictures_are_blended(mode: Any, expected: float) -> None:
    one, other = flat(4, 6, 0.2), flat(4, 6, 0.8)
    made = ImageBlend(one, other, 1.0, mode).pixels
    np.testing.assert_allclose(made, expected, atol=1e-6)
    np.testing.assert_allclose(ImageBlend(one, flat(8, 12, 0.8), 0.0, mode).pixels, 0.2)


def test_a_picture_is_laid_over_another() -> None:
    below, above = flat(6, 8, 0.0), flat(3, 3, 1.0)
    half = Mask(np.full((1, 3, 3), 0.5, np.float32))
    made = ImageCompositeMasked(below, above, 6, 4, False, half).pixels[0, 0]
    expected = np.zeros((6, 8))
    expected[4:, 6:] = 0.5
    np.testing.assert_array_equal(made, expected)
    assert ImageCompositeMasked(below, above, 0, 0, True).pixels.min() == 1
    assert MaskToImage(half).pixels.shape == (1, 3, 3, 3)


def test_latents_are_mixed_mirrored_and_turned() -> None:
    values = LATENT.samples
    assert values is not None
    other = Latent(64, 48, 1, np.zeros_like(values))
    mixed = LatentBlend(LATENT, other, 0.25).samples
    assert mixed is not None
    np.testing.assert_allclose(mixed, values / 4, rtol=1e-6)
    assert np.array_equal(LatentFlip(LATENT).samples, values[:, :, ::-1])  # type: ignore[arg-type]
    assert np.array_equal(LatentFlip(LATENT, "y-axis: horizontally").samples, values[..., ::-1])  # type: ignore[arg-type]
    turned = LatentRotate(LATENT, "90 degrees")
    assert (turned.width, turned.height) == (48, 64)
    assert turned.samples is not None
    assert np.array_equal(turned.samples[0, :, 0, -1], values[0, :, 0, 0])
    with pytest.raises(NodeError, match="this one is empty"):
        LatentFlip(Latent(64, 64))


def test_padding_is_grey_and_the_mask_fades_with_the_square() -> None:
    made = ImagePadForOutpaint(noise(40, 40), top=8, feathering=10)
    assert np.all(made.image.pixels[:, :, :8] == 0.5)
    assert np.all(made.mask.values[0, :8] == 1)
    assert np.allclose(made.mask.values[0, 8:18, 5], (np.arange(10, 0, -1) / 10) ** 2)
    assert not made.mask.values[0, 18:].any()
    assert not ImagePadForOutpaint(noise(20, 40), top=8, feathering=10).mask.values[0, 8:].any()


def test_pictures_turn_clockwise_and_flip() -> None:
    image = noise(3, 5)
    turned = ImageRotate(image, "90 degrees").pixels
    assert np.array_equal(turned[0, :, 0, -1], image.pixels[0, :, 0, 0])
    assert np.array_equal(turned[0, :, 0, 0], image.pixels[0, :, -1, 0])
    assert np.array_equal(ImageFlip(image, "x-axis: vertically").pixels[:, :, 0], image.pixels[:, :, -1])
    assert np.array_equal(ImageFlip(image, "y-axis: horizontally").pixels[:, :, :, 0], image.pixels[:, :, :, -1])


def test_colours_are_one_number() -> None:
    made = EmptyImage(2, 2, 3, 0x3F789E)
    assert made.to_bytes().reshape(-1, 3).tolist() == [[0x3F, 0x78, 0x9E]] * 12
    assert np.array_equal(ImageToMask(made, "green").values, made.pixels[:, 1])


def test_masks_grow_in_four_or_eight_directions_and_shrink() -> None:
    point = np.zeros((1, 9, 9), np.float32)
    point[0, 4, 4] = 1
    tapered, square = GrowMask(Mask(point), 2), GrowMask(Mask(point), 2, False)
    assert (tapered.values.sum(), square.values.sum()) == (13, 25)
    assert np.array_equal(GrowMask(square, -2, False).values, point)


def test_masks_fade_at_their_edges() -> None:
    made = FeatherMask(Mask(np.ones((1, 8, 8), np.float32)), left=4, bottom=2).values[0]
    assert np.allclose(made[0], [0.25, 0.5, 0.75, 1, 1, 1, 1, 1])
    assert np.allclose(made[:, 7], [1, 1, 1, 1, 1, 1, 1, 0.5])


@pytest.mark.parametrize(
    ("operation", "expected"),
    [("multiply", 0.12), ("add", 1.0), ("subtract", 0.0), ("and", 0.0), ("or", 1.0), ("xor", 1.0)],
)
def test_masks_combine_where_they_meet(operation: str, expected: float) -> None:
    below, above = Mask(np.full((1, 4, 4), 0.2, np.float32)), Mask(np.full((1, 4, 4), 0.6, np.float32))
    strong = Mask(np.full((1, 4, 4), 0.9, np.float32))
    made = MaskComposite(below, strong if operation == "add" else above, 1, 2, operation)  # type: ignore[arg-type]
    assert np.allclose(made.values[0, 2:, 1:], expected)
    assert np.allclose(made.values[0, :2], 0.2)


def test_latents_are_scaled_by_pixels_or_a_factor() -> None:
    assert LATENT.samples is not None
    made = LatentUpscale(LATENT, "bilinear", 128, 64)
    assert (made.width, made.height) == (128, 64)
    expected = functional.interpolate(torch.from_numpy(LATENT.samples.copy()), (16, 32), mode="bilinear")
    assert made.samples is not None
    assert np.allclose(made.samples, expected.numpy())
    twice = LatentUpscaleBy(LATENT, "nearest-exact", 2.0)
    assert twice.samples is not None
    assert np.array_equal(twice.samples, LATENT.samples.repeat(2, 2).repeat(2, 3))
    empty = LatentUpscale(Latent(64, 64), "area", 96, 0)
    assert (empty.width, empty.height, empty.samples) == (96, 96, None)


def test_latents_fade_into_each_other_but_not_at_the_edge() -> None:
    below = Latent(64, 64, 1, np.zeros((1, 4, 16, 16), np.float32))
    above = Latent(32, 32, 1, np.ones((1, 4, 8, 8), np.float32))
    made = LatentComposite(below, above, x=0, y=32, feather=8).samples
    assert made is not None
    assert np.allclose(made[0, 0, 8:, 0], [0.5, 1, 1, 1, 1, 1, 1, 1])
    assert np.allclose(made[0, 0, 12, :9], [1, 1, 1, 1, 1, 1, 1, 0.5, 0])
    with pytest.raises(NodeError, match="wholly outside"):
        LatentComposite(below, above, x=64)


def test_latents_repeat_with_their_masks() -> None:
    two = Latent(8, 8, 2, np.arange(2 * 4 * 4, dtype=np.float32).reshape(2, 4, 2, 2), np.ones((2, 8, 8), np.float32))
    made = RepeatLatentBatch(two, 2)
    assert made.batch == 4
    assert made.samples is not None
    assert made.mask is not None
    assert np.array_equal(made.samples[2:], two.samples)  # type: ignore[arg-type]
    assert len(made.mask) == 4


def test_a_picture_is_cut_to_multiples_of_eight() -> None:
    image, mask = _cropped(noise(21, 35), np.zeros((1, 21, 35), np.float32))
    assert image.pixels.shape == (1, 3, 16, 32)
    assert mask.shape == (1, 16, 32)
