"""Pictures to latents and back: as the diffusers pipelines do it, at any size, in bounded memory."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionInpaintPipeline
from diffusers.image_processor import VaeImageProcessor
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import retrieve_latents
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from diffusion import layouts
from nodegraph_diffusion.checkpoint import open_model
from nodegraph_diffusion.checkpoint.memory import TILE
from nodegraph_diffusion.diffusion.loading import load_vae
from nodegraph_diffusion.diffusion.pictures import decode, encode, encode_hidden, is_large


@pytest.fixture(scope="module")
def parts() -> layouts.Parts:
    return layouts.build("sd15", 9)


@pytest.fixture(scope="module")
def vae(parts: layouts.Parts) -> AutoencoderKL:
    return parts.vae.requires_grad_(False)


@pytest.fixture(scope="module")
def demo() -> AutoencoderKL:
    return load_vae(open_model("demo"), torch.float32, torch.device("cpu"))


def noise(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def scene(size: int) -> Tensor:
    """Discs on a plain ground, much like what the demo model's autoencoder was trained on."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    disc = (x % 64 - 32) ** 2 + (y % 64 - 32) ** 2 < 20**2
    colour = torch.stack([torch.full_like(x / 1, 0.9), x // 64 * 64 / size, torch.full_like(x / 1, 0.15)])
    return torch.where(disc, colour, torch.tensor([0.3, 0.55, 0.85])[:, None, None])[None]


def psnr(a: Tensor, b: Tensor) -> float:
    return -10 * math.log10(float(((a - b) ** 2).mean()))


# -- as diffusers does ------------------------------------------------------------------------------------------------


def test_the_mean_of_the_posterior(vae: AutoencoderKL) -> None:
    pixels = noise(2, 3, 32, 48)
    found = encode(vae, pixels)
    for index in range(2):
        expected = vae.encode(pixels[index : index + 1] * 2 - 1).latent_dist.mode() * 0.18215
        assert torch.equal(found[index : index + 1], expected)
    assert found.shape == (2, 4, 4, 6)


def test_a_draw_from_the_posterior_is_the_pipelines(vae: AutoencoderKL) -> None:
    pixels = noise(1, 3, 32, 32)
    expected = retrieve_latents(vae.encode(pixels * 2 - 1), torch.Generator().manual_seed(3)) * 0.18215
    found = encode(vae, pixels, [torch.Generator().manual_seed(3)])
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found, encode(vae, pixels))


def test_the_hidden_picture_is_the_inpainting_pipelines(parts: layouts.Parts, vae: AutoencoderKL) -> None:
    scheduler = DDIMScheduler(steps_offset=1, clip_sample=False)
    tokenizer: Any = None
    pipeline = StableDiffusionInpaintPipeline(
        vae, parts.text_encoder, tokenizer, parts.unet, scheduler, None, None, requires_safety_checker=False
    )
    pixels, mask = noise(1, 3, 32, 32), noise(1, 32, 32)
    mask[0, 0, :2] = torch.tensor([0.5, 0.4999])
    hard = pipeline.mask_processor.preprocess(mask[:, None])
    hidden = pipeline.image_processor.preprocess(pixels) * (hard < 0.5)
    with torch.no_grad():
        _, expected = pipeline.prepare_mask_latents(
            hard, hidden, 1, 32, 32, torch.float32, "cpu", torch.Generator().manual_seed(3), False
        )
    found = encode_hidden(vae, pixels, mask, [torch.Generator().manual_seed(3)])
    torch.testing.assert_close(found, expected)


def test_a_decoded_picture_is_the_pipelines(vae: AutoencoderKL) -> None:
    latents = torch.randn(2, 4, 4, 6, generator=torch.Generator().manual_seed(1))
    found = decode(vae, latents, 48, 32)
    for index in range(2):
        sample = vae.decode(latents[index : index + 1] / 0.18215).sample
        expected = VaeImageProcessor().postprocess(sample, output_type="pt")
        assert torch.equal(found[index : index + 1], expected)
    assert found.min() == 0 or found.max() == 1, "nothing was clamped"


# -- sizes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(33, 47), (8, 1), (40, 32), (63, 65)])
def test_any_size_is_padded_with_its_border(width: int, height: int, vae: AutoencoderKL) -> None:
    pixels = noise(1, 3, height, width)
    whole = np.pad(pixels.numpy(), ((0, 0), (0, 0), (0, -height % 8), (0, -width % 8)), mode="edge")
    latents = encode(vae, pixels)
    assert torch.equal(latents, encode(vae, torch.from_numpy(whole)))
    full = decode(vae, latents, whole.shape[3], whole.shape[2])
    assert torch.equal(decode(vae, latents, width, height), full[..., :height, :width])


def test_the_demo_model_gives_its_pictures_back(demo: AutoencoderKL) -> None:
    picture = scene(128)
    latents = encode(demo, picture)
    assert latents.shape == (1, 12, 16, 16)
    assert 0.5 < latents.std() < 2, "the scaling factor makes latents about unit spread"
    assert psnr(decode(demo, latents, 128, 128), picture) > 20
    odd = picture[..., :122, :100]
    assert psnr(decode(demo, encode(demo, odd), 100, 122), odd) > 20


def test_a_picture_does_not_depend_on_its_batch(vae: AutoencoderKL) -> None:
    pixels = noise(3, 3, 24, 24)
    latents = encode(vae, pixels)
    assert torch.equal(latents[1:2], encode(vae, pixels[1:2]))
    assert torch.equal(decode(vae, latents, 24, 24)[1:2], decode(vae, latents[1:2], 24, 24))


def test_latents_of_another_model_are_refused(vae: AutoencoderKL) -> None:
    with pytest.raises(ValueError, match=r"decodes latents of 4 channels, got 16. Use the VAE of the same model"):
        decode(vae, torch.zeros(1, 16, 4, 4), 32, 32)
    with pytest.raises(ValueError, match="a latent of 4 x 4 gives at most 32 x 32 pixels, 64 x 32 were asked for"):
        decode(vae, torch.zeros(1, 4, 4, 4), 64, 32)


def test_inputs_are_left_as_they_are(vae: AutoencoderKL) -> None:
    pixels, mask, latents = noise(1, 3, 32, 32), noise(1, 32, 32), noise(1, 4, 4, 4)
    copies = [x.clone() for x in (pixels, mask, latents)]
    encode(vae, pixels)
    encode_hidden(vae, pixels, mask)
    decode(vae, latents, 32, 32)
    assert all(map(torch.equal, (pixels, mask, latents), copies))


# -- tiles ------------------------------------------------------------------------------------------------------------


class Local:
    """An autoencoder whose pixels depend on one latent pixel alone: tiling must not change anything."""

    dtype, device = torch.float32, torch.device("cpu")

    def __init__(self, width: int = 1) -> None:
        self.config = {"block_out_channels": [width, width], "latent_channels": 3, "scaling_factor": 0.5}
        self.largest = 0

    def encode(self, x: Tensor) -> Any:
        self.largest = max(self.largest, x.shape[-1], x.shape[-2])
        mean = functional.avg_pool2d(x, 2)
        return SimpleNamespace(latent_dist=SimpleNamespace(parameters=torch.cat([mean, mean], dim=1)))

    def decode(self, x: Tensor) -> Any:
        self.largest = max(self.largest, x.shape[-1], x.shape[-2])
        return SimpleNamespace(sample=functional.interpolate(x, scale_factor=2))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300))
def test_tiles_cover_every_pixel_once(width: int, height: int) -> None:
    local: Any = Local()
    pixels = noise(1, 3, height, width)
    latents = encode(local, pixels, tiled=True)
    torch.testing.assert_close(latents, encode(local, pixels, tiled=False))
    assert local.largest <= 2 * max(TILE, *latents.shape[-2:])
    small: Any = Local()
    torch.testing.assert_close(
        decode(small, latents, width, height, tiled=True), decode(small, latents, width, height, tiled=False)
    )
    tiles: Any = Local()
    decode(tiles, latents, width, height, tiled=True)
    assert tiles.largest <= TILE


def test_tiles_agree_with_the_whole(demo: AutoencoderKL) -> None:
    picture = scene(640)
    latents = encode(demo, picture, tiled=False)
    assert psnr(encode(demo, picture, tiled=True) / 6, latents / 6) > 38
    one, many = decode(demo, latents, 640, 640, tiled=False), decode(demo, latents, 640, 640, tiled=True)
    assert not torch.equal(one, many)
    assert psnr(many, one) > 38
    assert psnr(many, picture) > psnr(one, picture) - 0.5
    # No seam: what tiling changes it changes slowly, from column to column by less than two of 255 levels.
    assert (many - one).mean(dim=(0, 1, 2)).diff().abs().max() < 2 / 255


def test_large_pictures_go_in_tiles_by_themselves(demo: AutoencoderKL) -> None:
    full: Any = SimpleNamespace(config={"block_out_channels": [128, 256, 512, 512]})
    assert not is_large(full, 1024, 1024)
    assert is_large(full, 1536, 1024)
    assert not is_large(demo, 1536, 1536)
    local: Any = Local(width=100_000)
    decode(local, noise(1, 3, 100, 100), 200, 200)
    assert local.largest == TILE


def test_progress_counts_tiles() -> None:
    seen: list[tuple[int, int]] = []
    local: Any = Local()
    decode(local, noise(2, 3, 100, 60), 120, 200, tiled=True, report=lambda *at: seen.append(at))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    seen.clear()
    encode(local, noise(3, 3, 20, 20), report=lambda *at: seen.append(at))
    assert seen == [(1, 3), (2, 3), (3, 3)]


# -- half precision ---------------------------------------------------------------------------------------------------


def test_a_vae_that_overflows_is_run_in_float32() -> None:
    vae = layouts.build("sd15").vae.requires_grad_(False)
    latents = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(1))
    vae.decoder.conv_in.weight.data *= 2e5  # the norms take it back, but float16 ends at 65,504
    vae.decoder.conv_in.bias.data *= 2e5
    for block in vae.decoder.mid_block.resnets:
        block.conv2.weight.data *= 2e5
        block.conv2.bias.data *= 2e5
    wide = decode(vae, latents, 32, 32)
    half = vae.to(torch.bfloat16).to(torch.float16)
    assert not half.decode((latents / 0.18215).half()).sample.isfinite().all()
    found = decode(half, latents, 32, 32)
    assert found.isfinite().all()
    assert half.dtype == torch.float16
    assert psnr(found, wide) > 20
