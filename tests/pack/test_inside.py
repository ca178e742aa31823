"""What shows the insides of sampling: steps, attention maps; and a latent in another size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from nodegraph import Folders, NodeError
from nodegraph.standalone import Standalone
from nodegraph_diffusion.attention_maps import attention_maps
from nodegraph_diffusion.decode import decode
from nodegraph_diffusion.empty_latent import empty_latent
from nodegraph_diffusion.encode_prompt import encode_prompt
from nodegraph_diffusion.load_model import load_model
from nodegraph_diffusion.resize_latent import resize_latent
from nodegraph_diffusion.sample import Sampled, sample
from nodegraph_diffusion.save_steps import save_steps
from nodegraph_diffusion.values import Image, Latent

TEXT = "a dog on the left and an apple on the right on a yellow background"


def sampled(batch: int = 1, **more: Any) -> Sampled:
    model, text_encoder, _ = load_model("demo")
    return sample(model, encode_prompt(text_encoder, TEXT), empty_latent(64, 64, batch), cfg=1.0, steps=4, **more)


def test_what_is_kept_of_steps_goes_from_noise_to_the_picture() -> None:
    made = sampled(keep_steps=True)
    assert made.latent.samples is not None
    assert made.steps.samples is not None
    assert made.noisy.samples is not None
    assert (made.steps.batch, made.noisy.batch) == (4, 4)
    final = made.latent.samples[0]
    np.testing.assert_allclose(made.steps.samples[-1], final, atol=1e-5)
    np.testing.assert_allclose(made.noisy.samples[-1], final / max(1, final.std(ddof=1)), atol=1e-5)
    assert all(0.3 < noisy.std() < 1.3 for noisy in made.noisy.samples)
    closeness = [np.corrcoef(noisy.ravel(), final.ravel())[0, 1] for noisy in made.noisy.samples]
    assert closeness == sorted(closeness)
    plain = sampled()
    assert plain.noisy.samples is not None
    assert np.array_equal(plain.noisy.samples, made.latent.samples)


@pytest.mark.parametrize(
    ("batch", "noisy", "size"), [(1, True, (2 * 130, 132)), (1, False, (132, 132)), (2, True, (262, 262))]
)
def test_steps_become_an_animation(tmp_path: Path, batch: int, noisy: bool, size: tuple[int, int]) -> None:
    made, context = sampled(batch, keep_steps=True), Standalone("save", Folders(output=tmp_path))
    vae = load_model("demo")[2]
    save_steps.fn(context, vae, made.steps, made.noisy if noisy else None, batch, 2, format="apng")
    with Pillow.open(tmp_path / "steps_00001.png") as picture:
        assert getattr(picture, "n_frames", 1) == 4
        assert abs(picture.width - size[0]) <= 2
        assert abs(picture.height - size[1]) <= 2
        picture.seek(3)
        last = np.asarray(picture.convert("RGB")).astype(int)
    expected = decode(vae, made.latent)
    corner = last[last.shape[0] - 130 : last.shape[0] - 2, last.shape[1] - 130 : last.shape[1] - 2]
    shrunk = corner.reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
    assert abs(shrunk - expected.to_bytes()[-1]).mean() < 6


def test_steps_of_another_batch_are_refused() -> None:
    made, vae = sampled(keep_steps=True), load_model("demo")[2]
    with pytest.raises(NodeError, match="holds 4 pictures, which are no steps of a batch of 3") as caught:
        save_steps(vae, made.steps, batch=3)
    assert caught.value.port == "steps"
    with pytest.raises(NodeError, match="holds 1 pictures") as caught:
        save_steps(vae, made.steps, made.latent)
    assert caught.value.port == "noisy"


def test_a_word_acts_where_its_thing_is() -> None:
    model, text_encoder, vae = load_model("demo")
    negative = encode_prompt(text_encoder, "")
    made = sample(model, encode_prompt(text_encoder, TEXT), empty_latent(128, 128), negative, seed=1, steps=12, cfg=4.0)
    image = decode(vae, made.latent)
    overlays, steps, words = attention_maps(model, text_encoder, image, made.latent, TEXT, words="dog apple", looks=3)
    assert words == "dog\napple"
    assert (overlays.batch, steps.batch) == (2, 6)
    assert (steps.width, steps.height) == (128, 128)
    warm = overlays.pixels[:, 0] - overlays.pixels[:, 2]  # the glow is yellow, the rest is grey
    left, right = warm[..., :64].mean(axis=(1, 2)), warm[..., 64:].mean(axis=(1, 2))
    assert left[0] > 2 * right[0]
    assert right[1] > 2 * left[1]
    again = attention_maps(model, text_encoder, image, made.latent, TEXT, looks=3)
    assert again.words.split() == TEXT.split()
    assert np.array_equal(again.overlays.pixels[TEXT.split().index("dog")], overlays.pixels[0])


def test_words_that_are_not_there_are_named() -> None:
    model, text_encoder, _ = load_model("demo")
    image, latent = Image(np.zeros((1, 3, 64, 64), np.float32)), sampled().latent
    with pytest.raises(NodeError, match="the prompt has no word 'cat'; its words are: a, dog") as caught:
        attention_maps(model, text_encoder, image, latent, "a dog", words="dog cat")
    assert caught.value.port == "words"
    with pytest.raises(NodeError, match="the prompt has no words to show"):
        attention_maps(model, text_encoder, image, latent, "")
    with pytest.raises(NodeError, match="an empty latent holds no picture yet"):
        attention_maps(model, text_encoder, image, empty_latent(64, 64), "a dog")


def test_recording_leaves_the_model_as_it_was() -> None:
    before = sampled().latent.samples
    model, text_encoder, _ = load_model("demo")
    attention_maps(model, text_encoder, Image(np.zeros((1, 3, 64, 64), np.float32)), sampled().latent, "a dog", looks=1)
    after = sampled().latent.samples
    assert before is not None
    assert after is not None
    assert np.array_equal(before, after)


@pytest.mark.parametrize(("width", "height", "factor"), [(64, 64, 2.0), (50, 70, 1.5), (64, 32, 0.5)])
def test_a_latent_of_another_size_is_that_of_the_larger_picture(width: int, height: int, factor: float) -> None:
    cells = (-(-height // 8), -(-width // 8))
    ramp = np.broadcast_to(np.linspace(-1, 1, cells[1], dtype=np.float32), (1, 4, *cells))
    made = resize_latent(Latent(width, height, 1, ramp), factor)
    assert (made.width, made.height) == (round(width * factor), round(height * factor))
    assert made.samples is not None
    assert made.samples.shape[2:] == (-(-made.height // 8), -(-made.width // 8))
    assert (np.diff(made.samples[0, 0, 0]) > 0).all()
    hard = resize_latent(Latent(width, height, 1, ramp), factor, "nearest").samples
    assert hard is not None
    assert set(np.unique(hard)) <= set(np.unique(ramp))


def test_an_empty_latent_only_gets_another_size_and_noise_is_not_blurred() -> None:
    made = resize_latent(empty_latent(64, 48, 3), 2.0)
    assert (made.width, made.height, made.batch, made.samples) == (128, 96, 3, None)
    samples = np.zeros((1, 4, 8, 8), np.float32)
    with pytest.raises(NodeError, match="the latent still holds noise, which would be blurred"):
        resize_latent(Latent(32, 32, 1, samples, sigma=2.0))
