"""Where memory ran out: the same picture, from smaller calls, and it is said."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nodegraph.calling import out_of_memory
from nodegraph.standalone import Standalone
from nodegraph_diffusion.checkpoint.memory import TILE
from nodegraph_diffusion.checkpoint.spaces import space
from nodegraph_diffusion.decode import decode
from nodegraph_diffusion.empty_latent import empty_latent
from nodegraph_diffusion.encode_image import encode_image
from nodegraph_diffusion.encode_prompt import encode_prompt
from nodegraph_diffusion.load_model import load_model
from nodegraph_diffusion.sample import sample
from nodegraph_diffusion.values import Image
from samples import natural

MODEL, TEXT_ENCODER, VAE = load_model("demo")


class Sizes:
    """The largest tensors that convolutions are given: pictures at once, and cells or pixels of each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batch = self.area = 0
        plain = nn.Conv2d.forward

        def forward(module: Any, x: Any) -> Any:
            self.batch, self.area = max(self.batch, len(x)), max(self.area, x.shape[-1] * x.shape[-2])
            return plain(module, x)

        monkeypatch.setattr(nn.Conv2d, "forward", forward)


def tight(what: str) -> Standalone:
    return Standalone(what, tight=True)


def test_what_pytorch_says_on_a_cpu_is_known() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**15)
    assert out_of_memory(caught.value)
    assert not out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_sampling_asks_about_one_thing_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    prompt, negative = (encode_prompt(TEXT_ENCODER, text) for text in ("a cat", ""))
    asked: Any = (MODEL, prompt, empty_latent(64, 64, 3), negative)
    how: Any = {"seed": 3, "steps": 3, "cfg": 4.0}
    wide = Sizes(monkeypatch)
    usual = sample(*asked, **how).latent.samples
    assert wide.batch == 6
    narrow = Sizes(monkeypatch)
    with pytest.warns(UserWarning, match="sample: asks about one prompt and one picture at a time"):
        found = sample.fn(tight("sample"), *asked, **how).latent.samples
    assert narrow.batch == 1
    assert usual is not None
    assert found is not None
    np.testing.assert_allclose(found, usual, atol=1e-3)


def test_pictures_are_encoded_and_decoded_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    side = space(VAE.checkpoint.autoencoder).cell * (TILE + 32)
    picture = Image(natural(64, side, 3)[None])
    wide = Sizes(monkeypatch)
    latent = encode_image(VAE, picture)
    usual = decode(VAE, latent)
    narrow = Sizes(monkeypatch)
    with pytest.warns(UserWarning, match="encode: works in tiles"):
        again = encode_image.fn(tight("encode"), VAE, picture)
    with pytest.warns(UserWarning, match="decode: works in tiles"):
        found = decode.fn(tight("decode"), VAE, latent)
    assert narrow.area < wide.area
    assert again.samples is not None
    assert latent.samples is not None
    assert np.abs(again.samples - latent.samples).mean() < 0.1
    assert np.abs(found.pixels - usual.pixels).mean() < 0.03
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(decode.fn(tight("decode"), VAE, latent, "never").pixels, usual.pixels)
