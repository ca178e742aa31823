from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from diffusion import tiny
from diffusion.gaussian import even
from nodegraph_diffusion.diffusion.denoiser import GuidedDenoiser, Middle, Prediction, Prompt
from nodegraph_diffusion.diffusion.sampling import Blend
from nodegraph_diffusion.diffusion.schedules import Point
from nodegraph_diffusion.diffusion.views import View, Views

POINT = Point(2.0, 600)


class Recorder:
    """Answers with what it is told to and keeps what it was asked."""

    dtype = torch.float32

    def __init__(self, answer: Any = None) -> None:
        self.calls: list[tuple[Tensor, Tensor, Tensor]] = []
        self.answer = answer

    def __call__(self, x: Tensor, time: Tensor, *, encoder_hidden_states: Tensor, return_dict: bool) -> tuple[Tensor]:
        assert not return_dict
        self.calls.append((x, time, encoder_hidden_states))
        return (x[:, :4] if self.answer is None else self.answer(x, encoder_hidden_states),)


@pytest.mark.parametrize("sigma", [0.03, 1.0, 14.6, 4096.0])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_a_perfect_network_gives_the_clean_latent(prediction: Prediction, sigma: float) -> None:
    clean, noise = tiny.noise(1, 2).double(), tiny.noise(2, 2).double()
    alpha = 1 / math.hypot(1, sigma)
    answer = {"epsilon": noise, "v_prediction": alpha * noise - sigma * alpha * clean, "sample": clean}[prediction]
    denoise = tiny.denoiser(Recorder(lambda x, tokens: answer), tiny.tokens(1), prediction=prediction)
    torch.testing.assert_close(denoise(clean + sigma * noise, Point(sigma, 5)), clean)


def test_the_network_sees_unit_variance_and_the_timestep() -> None:
    unet = Recorder()
    tiny.denoiser(unet, tiny.tokens(1))(3 * torch.ones(2, 4, 8, 8), Point(2.0, 321.5))
    x, time, tokens = unet.calls[0]
    torch.testing.assert_close(x, torch.full((2, 4, 8, 8), 3 / math.sqrt(5)))
    assert time == 321.5
    assert torch.equal(tokens, tiny.tokens(1).expand(2, -1, -1))


def test_guidance_is_one_call_and_none_at_one() -> None:
    x = tiny.noise(1, 2)
    for cfg, negative, rows in ((1.0, tiny.tokens(2), 2), (5.0, None, 2), (5.0, tiny.tokens(2), 4)):
        unet = Recorder()
        tiny.denoiser(unet, tiny.tokens(1), negative, cfg=cfg)(x, POINT)
        assert [len(call[0]) for call in unet.calls] == [rows]


def test_guidance_goes_from_the_negative_through_the_positive() -> None:
    unet = Recorder(lambda x, tokens: tokens.mean(dim=(1, 2))[:, None, None, None].expand(-1, 4, 8, 8))
    low, high = torch.full((1, 7, 16), 1.0), torch.full((1, 7, 16), 2.0)
    denoise = tiny.denoiser(unet, high, low, cfg=3.0, prediction="sample")
    torch.testing.assert_close(denoise(tiny.noise(1), POINT), torch.full((1, 4, 8, 8), 4.0))


@pytest.mark.parametrize("lengths", [(7, 7), (14, 7), (7, 21), (4, 6)])
def test_prompts_of_different_length_are_as_if_called_apart(lengths: tuple[int, int]) -> None:
    positive, negative = tiny.tokens(1, length=lengths[0]), tiny.tokens(2, length=lengths[1])
    x, unet = tiny.noise(3), tiny.unet()
    together = tiny.denoiser(unet, positive, negative, cfg=4.0)(x, POINT)
    plus, minus = tiny.denoiser(unet, positive)(x, POINT), tiny.denoiser(unet, negative)(x, POINT)
    torch.testing.assert_close(together, minus + 4 * (plus - minus), atol=2e-4, rtol=1e-4)


def test_each_picture_may_have_its_own_prompt() -> None:
    x, prompts, unet = tiny.noise(1, 3), tiny.tokens(5, batch=3), tiny.unet()
    together = tiny.denoiser(unet, prompts, tiny.tokens(2), cfg=4.0)(x, POINT)
    for i in range(3):
        alone = tiny.denoiser(unet, prompts[i : i + 1], tiny.tokens(2), cfg=4.0)(x[i : i + 1], POINT)
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-4, rtol=1e-4)


def test_the_hole_is_appended_to_both_halves_unscaled() -> None:
    unet = Recorder()
    hole = torch.cat([torch.ones(1, 1, 8, 8), tiny.noise(4)], dim=1)
    tiny.denoiser(unet, tiny.tokens(1), tiny.tokens(2), cfg=2.0, hole=hole)(tiny.noise(1, 2), POINT)
    assert torch.equal(unet.calls[0][0][:, 4:], hole.expand(4, -1, -1, -1))


def test_rescale_keeps_the_spread_of_the_positive() -> None:
    x, unet = tiny.noise(1, 2), tiny.unet()

    def output(**settings: Any) -> Tensor:
        return tiny.denoiser(unet, tiny.tokens(1), prediction="sample", **settings)(x, POINT)

    plain = output()
    guided = output(negative=tiny.tokens(2), cfg=9.0, rescale=1.0)
    torch.testing.assert_close(guided.std(dim=(1, 2, 3)), plain.std(dim=(1, 2, 3)))


def test_half_precision_stays_inside_the_network() -> None:
    unet = Recorder(lambda x, tokens: x[:, :4])
    unet.dtype = torch.bfloat16
    x = tiny.noise(1)
    result = tiny.denoiser(unet, tiny.tokens(1))(x, POINT)
    assert unet.calls[0][0].dtype == unet.calls[0][2].dtype == torch.bfloat16
    assert result.dtype == torch.float32


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(ValueError, match=r"v_prediction, sample, flow, direct, lcm, got 'flux'"):
        tiny.denoiser(Recorder(), tiny.tokens(1), prediction="flux")
    with pytest.raises(ValueError, match=r"same width, got \[16, 32\]"):
        tiny.denoiser(Recorder(), tiny.tokens(1), torch.zeros(1, 7, 32), cfg=2.0)
    with pytest.raises(ValueError, match=r"batch of 3 needs a prompt for all \(1\) or for each \(3\), got 2"):
        tiny.denoiser(Recorder(), tiny.tokens(1, batch=2))(tiny.noise(1, 3), POINT)


def test_answers_asked_apart() -> None:
    """The guided estimate and that for the negative prompt, also where a cfg of 1 asks no negative otherwise, through a
    mask and through tiles."""
    low, high = (Prompt(torch.full((1, 7, 16), value)) for value in (1.0, 2.0))

    def network(x: Tensor, time: Tensor, prompt: Prompt) -> Tensor:
        return prompt.tokens.mean(dim=(1, 2))[:, None, None, None].expand(-1, 4, 8, 8)

    def asked(negative: Prompt | None, cfg: float) -> GuidedDenoiser:
        return GuidedDenoiser(network, low, negative, cfg=cfg, prediction="sample", apart=True)

    at = replace(POINT, apart=True)
    for negative, cfg, expected in ((high, 1.0, (1.0, 2.0)), (high, 3.0, (-1.0, 2.0)), (None, 3.0, (1.0, 1.0))):
        answer = asked(negative, cfg)(tiny.noise(1), at)
        torch.testing.assert_close(answer, torch.tensor(expected)[:, None, None, None, None].expand(2, 1, 4, 8, 8))
    denoise, x = asked(high, 3.0), tiny.noise(1)
    view = View(denoise, (0, 8), (0, 8), torch.ones(8, 8))
    torch.testing.assert_close(Views([view, view], (8, 8))(x, at), denoise(x, at))
    known, schedule = tiny.noise(2), even(2)
    half = Blend(denoise, torch.full((1, 1, 8, 8), 0.5), known, tiny.noise(3), None, schedule)
    guided, against = half(x, at)
    torch.testing.assert_close(guided, known / 2 - 0.5)
    torch.testing.assert_close(against, torch.full_like(x, 2.0))


def test_a_third_prompt_and_estimates_held_to_their_length() -> None:
    """Formulas of InstructPix2Pix and of ComfyUI's guidance and norm, on a network that gives back its prompt."""
    torch.manual_seed(0)
    x = torch.randn(1, 2, 2, 2)
    negative, middle, positive = (Prompt(torch.full((1, 1, 2), value)) for value in (0.5, -1.0, 2.0))

    def network(x: Tensor, time: Tensor, prompt: Prompt) -> Tensor:
        return x * prompt.tokens[:, 0, :, None, None]

    def asked(**how: Any) -> Tensor:
        made = GuidedDenoiser(network, positive, negative, prediction="sample", cfg=3.0, **how)
        return made(x, Point(1.0, 0.0))

    seen = x / 2**0.5
    regular, nested = (asked(middle=Middle([middle], 1.5, each)) for each in (False, True))
    torch.testing.assert_close(regular, seen * (0.5 + 1.5 * (-1 - 0.5) + 3 * (2 + 1)))
    torch.testing.assert_close(nested, seen * (0.5 + 1.5 * (-1 + 3 * (2 + 1) - 0.5)))
    torch.testing.assert_close(asked(held=0.9), seen * 2 * 0.9)  # 5 times as long is brought back to twice
    alone = GuidedDenoiser(network, positive, prediction="sample", held=0.9)
    torch.testing.assert_close(alone(x, Point(1.0, 0.0)), seen * 2 * 0.9)
