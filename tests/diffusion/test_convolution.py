"""Convolutions that multiply less."""

import pytest
import torch
from torch import nn

from nodegraph_diffusion.diffusion import convolution
from nodegraph_diffusion.diffusion.convolution import MANY, Wide, multiply_less
from nodegraph_diffusion.load_model import load_model


def wide(given: int, made: int, bias: bool = True) -> Wide:
    layer = nn.Sequential(nn.Conv2d(given, made, 3, padding=1, bias=bias))
    multiply_less(layer)
    assert isinstance(layer[0], Wide)
    return layer[0].requires_grad_(False)


@pytest.mark.parametrize(
    ("batch", "height", "width"), [(2, 32, 32), (1, 47, 49), (1, 2, 1025), (3, 1025, 1), (40, 9, 7)]
)
@pytest.mark.parametrize("pieces", [1, 5])
def test_results_are_exact_to_single_precision(
    monkeypatch: pytest.MonkeyPatch, batch: int, height: int, width: int, pieces: int
) -> None:
    monkeypatch.setattr(convolution, "WIDE", 16)
    layer, x = wide(16, 24, bias=pieces == 1), torch.randn(batch, 16, height, width)
    monkeypatch.setattr(convolution, "TILES", 36 * 4 * x.numel() // 16 // pieces)
    monkeypatch.setattr(convolution, "KERNELS", 36 * 4 * layer.weight.numel() // 9 // pieces)
    exact = nn.functional.conv2d(x.double(), layer.weight.double(), None, padding=1)
    exact = exact if layer.bias is None else exact + layer.bias.double()[:, None, None]
    own = nn.Conv2d.forward(layer, x)
    made = layer(x)
    assert made.shape == own.shape
    assert made.is_contiguous()
    assert not made.equal(own)  # it was computed in the other way
    assert (made - exact).square().mean().sqrt() < 3e-6 * exact.std()
    assert (made - exact).abs().max() < 3e-5


def test_what_it_is_not_made_for_is_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "WIDE", 16)
    layer = wide(16, 24)
    few = torch.randn(1, 16, 8, MANY // 8 - 1)
    assert layer(few).equal(nn.Conv2d.forward(layer, few))
    many = torch.randn(1, 16, 8, MANY // 8)
    assert layer.bfloat16()(many.bfloat16()).dtype == torch.bfloat16
    layer = wide(16, 24)
    layer(many.requires_grad_()).sum().backward()
    assert many.grad is not None
    others = nn.ModuleList([
        nn.Conv2d(8, 16, 3, padding=1),
        nn.Conv2d(16, 16, 3, padding=1, stride=2),
        nn.Conv2d(16, 16, 3, padding=1, padding_mode="circular"),
        nn.Conv2d(16, 16, 3, padding=1, groups=2),
        nn.Conv2d(16, 16, 3),
        nn.Conv2d(16, 16, 1),
    ])  # fmt: skip
    multiply_less(others)
    assert not any(isinstance(layer, Wide) for layer in others)


def test_models_on_a_cpu_are_run_so() -> None:
    model, _, _ = load_model("demo", device="cpu", dtype="float32")
    network = model.denoiser.load(lambda done, total: None)
    assert any(isinstance(layer, Wide) for layer in network.modules())
