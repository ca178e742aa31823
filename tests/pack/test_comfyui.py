"""The nodes that do as ComfyUI's, by their numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

import nodegraph_diffusion.comfyui
from nodegraph import NodeError
from nodegraph.interop.classes import known_classes
from nodegraph.interop.names import twin_type
from nodegraph.interop.parts import BESIDE
from nodegraph_diffusion.comfyui import pack
from nodegraph_diffusion.comfyui.arithmetic import (
    LatentAdd,
    LatentCompositeMasked,
    LatentCrop,
    LatentInterpolate,
    LatentMultiply,
    LatentSubtract,
)
from nodegraph_diffusion.comfyui.batches import (
    LatentBatch,
    LatentBatchSeedBehavior,
    LatentFromBatch,
    RebatchLatents,
    RepeatLatentBatch,
)
from nodegraph_diffusion.comfyui.compositing import ImageBlend, ImageCompositeMasked
from nodegraph_diffusion.comfyui.encoding import VAEEncode, VAEEncodeTiled
from nodegraph_diffusion.comfyui.filters import Canny, ImageBlur, ImageSharpen, Morphology
from nodegraph_diffusion.comfyui.latents import (
    LatentBlend,
    LatentComposite,
    LatentFlip,
    LatentRotate,
    LatentUpscale,
    LatentUpscaleBy,
)
from nodegraph_diffusion.comfyui.masks import FeatherMask, GrowMask, ImageToMask, MaskComposite, MaskToImage
from nodegraph_diffusion.comfyui.pictures import (
    EmptyImage,
    ImageFlip,
    ImageFromBatch,
    ImagePadForOutpaint,
    ImageRotate,
    RebatchImages,
)
from nodegraph_diffusion.comfyui.resizing import (
    ImageScale,
    ImageScaleToMaxDimension,
    ImageScaleToTotalPixels,
    ResizeAndPadImage,
)
from nodegraph_diffusion.comfyui.texts import (
    CaseConverter,
    StringCompare,
    StringConcatenate,
    StringContains,
    StringSubstring,
    StringTrim,
)
from nodegraph_diffusion.diffusion.noise import Draw
from nodegraph_diffusion.encode_image import encode_image
from nodegraph_diffusion.load_model import load_model
from nodegraph_diffusion.values import Image, Latent, Mask
from samples import flat, noise

LATENT = Latent(64, 48, 1, np.random.default_rng(2).standard_normal((1, 4, 12, 16)).astype(np.float32))


@pytest.mark.parametrize("name", [node.title for node in pack.nodes])
def test_names_order_and_defaults_are_theirs(name: str) -> None:
    node = next(n for n in nodegraph_diffusion.comfyui.pack.nodes if n.title == name)
    theirs = known_classes()[name]
    assert set(node.inputs) - {BESIDE.get(name)} == set(theirs.inputs)
    assert len(node.outputs) == len(theirs.outputs)
    assert f"comfyui/{node.name}" == twin_type(name)
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
    """On the right and below the first of the steps lies on the other side, as it does there."""
    made = FeatherMask(Mask(np.ones((1, 8, 8), np.float32)), left=4, bottom=2).values[0]
    assert np.allclose(made[1], [0.25, 0.5, 0.75, 1, 1, 1, 1, 1])
    assert np.allclose(made[:, 7], [0.5, 1, 1, 1, 1, 1, 1, 1])
    right = FeatherMask(Mask(np.ones((1, 1, 8), np.float32)), right=4).values[0, 0]
    assert np.allclose(right, [0.25, 1, 1, 1, 1, 1, 0.75, 0.5])


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


def test_a_picture_is_cut_to_whole_cells_in_its_middle() -> None:
    image, vae = noise(21, 35), load_model("demo").vae
    made = VAEEncode(image, vae)
    assert (made.width, made.height, made_of(made).shape) == (32, 16, (1, 12, 2, 4))
    middle = encode_image(vae, Image(image.pixels[:, :, 2:18, 1:33]))
    np.testing.assert_allclose(made_of(made), made_of(middle), atol=1e-5)
    np.testing.assert_array_equal(made_of(VAEEncodeTiled(image, vae)), made_of(made))


def test_latents_are_added_mixed_and_cut() -> None:
    values = np.random.default_rng(3).standard_normal((3, 4, 12, 16)).astype(np.float32)
    batch = Latent(128, 96, 3, values)
    one = replace(batch, batch=1, samples=values[:1])
    np.testing.assert_array_equal(made_of(LatentAdd(one, one)), made_of(LatentMultiply(one, 2.0)))
    assert not made_of(LatentSubtract(one, one)).any()
    right = np.zeros((1, 2, 8, 8), np.float32)
    across, up = right.copy(), right.copy()
    across[:, 0], up[:, 1] = 2, 4
    mixed = made_of(LatentInterpolate(Latent(64, 64, 1, across), Latent(64, 64, 1, up), 0.5))
    np.testing.assert_allclose(mixed, np.full_like(mixed, 3 / 2**0.5), rtol=1e-6)
    assert made_of(LatentBatch(one, batch)).shape == (4, 4, 12, 16)
    cut = LatentCrop(one, 64, 40, 24, 16)
    np.testing.assert_array_equal(made_of(cut), values[:1, :, 2:7, 3:11])
    assert (cut.width, cut.height) == (64, 40)
    half = Mask(np.full((1, 5, 8), 0.5, np.float32))
    laid = made_of(LatentCompositeMasked(one, cut, 64, 56, mask=half))
    expected = values[:1].copy()
    expected[:, :, 7:12, 8:16] = (values[:1, :, 2:7, 3:11] + expected[:, :, 7:12, 8:16]) / 2
    np.testing.assert_allclose(laid, expected, rtol=1e-6, atol=1e-7)


def made_of(latent: Latent) -> np.ndarray[Any, Any]:
    assert latent.samples is not None
    return latent.samples


def test_latents_of_a_batch_keep_their_noise() -> None:
    taken = LatentFromBatch(Latent(64, 64, 4, None), 2, 5)
    assert (taken.batch, taken.places) == (2, (2, 3))
    assert LatentFromBatch(taken, 1).places == (3,)
    assert RepeatLatentBatch(taken, 2).places == (2, 3, 4, 5)
    parts = RebatchLatents(Latent(64, 64, 5, None), 2)
    assert [(part.batch, part.places) for part in parts] == [(2, (0, 1)), (2, (2, 3)), (1, (4,))]
    filled = replace(taken, samples=np.zeros((2, 4, 8, 8), np.float32))
    assert LatentBatch(filled, replace(filled, places=None)).places == (2, 3, 0, 1)
    assert LatentBatchSeedBehavior(taken).places == (2, 2)
    assert LatentBatchSeedBehavior(taken, "random").places is None
    whole = Draw(9, (4, 4, 8, 8), whole_batch=True).start()
    torch.testing.assert_close(Draw(9, (3, 4, 8, 8), True, (2, 3, 2)).start(), whole[[2, 3, 2]])
    torch.testing.assert_close(Draw(9, (2, 4, 8, 8), False, (2, 3)).start(), Draw(11, (2, 4, 8, 8)).start())


def test_pictures_are_taken_out_of_batches() -> None:
    batch = Image((np.arange(5)[:, None, None, None].repeat(3, axis=1) / 5).astype(np.float32))
    assert ImageFromBatch(batch, 3, 4).pixels[:, 0, 0, 0].tolist() == pytest.approx([0.6, 0.8])
    assert ImageFromBatch(batch, 9).batch == 1
    assert [part.batch for part in RebatchImages(batch, 2)] == [2, 2, 1]


def test_pictures_are_padded_and_grown() -> None:
    tall = ResizeAndPadImage(flat(40, 20, 0.25), 40, 40)
    assert (tall.pixels[..., 10:30] == 0.25).all()
    assert (tall.pixels[..., :10] == 1).all()
    dot = np.zeros((1, 3, 9, 9), np.float32)
    dot[..., 4, 4] = 1
    assert Morphology(Image(dot), "dilate").pixels.sum() == 27
    assert Morphology(Image(dot), "top_hat").pixels.sum() == 3
    assert not Morphology(Image(dot), "open").pixels.any()


def test_texts_are_changed() -> None:
    assert StringConcatenate("a", "b", ", ") == "a, b"
    assert StringSubstring("a red fox", 2, -4) == "red"
    assert StringTrim(" fox ", "Left") == "fox "
    assert StringContains("A red fox", "RED", case_sensitive=False)
    assert not StringCompare("fox", "Fox", "Equal")
    assert CaseConverter("a red fox", "Title Case") == "A Red Fox"
