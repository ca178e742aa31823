from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from diffusion.gaussian import even
from nodegraph_diffusion.diffusion.noise import BrownianNoise, Draw, FreshNoise
from nodegraph_diffusion.diffusion.solvers import SOLVERS

SHAPE = (3, 4, 8, 8)


def test_a_batch_of_one_starts_as_in_comfyui() -> None:
    expected = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(7))
    assert torch.equal(Draw(7, (1, 4, 8, 8)).start(), expected)
    assert torch.equal(Draw(7, (1, 4, 8, 8), whole_batch=True).start(), expected)


def test_a_whole_batch_comes_from_one_generator() -> None:
    expected = torch.randn(SHAPE, generator=torch.Generator().manual_seed(7))
    assert torch.equal(Draw(7, SHAPE, whole_batch=True).start(), expected)


@given(seed=st.integers(0, 2**53 - 1), index=st.integers(0, 2), step=st.integers(0, 5))
def test_a_picture_has_the_noise_it_has_alone(seed: int, index: int, step: int) -> None:
    batch, alone = Draw(seed, SHAPE), Draw(seed + index, (1, *SHAPE[1:]))
    assert torch.equal(batch.start()[index], alone.start()[0])
    assert torch.equal(FreshNoise(batch)(step, 0, 0)[index], FreshNoise(alone)(step, 0, 0)[0])


def test_fresh_noise_is_the_stream_after_the_seed_and_may_be_asked_in_any_order() -> None:
    stream = torch.Generator().manual_seed(8)
    expected = [torch.randn(1, 4, 8, 8, generator=stream) for _ in range(5)]
    noise = FreshNoise(Draw(7, (1, 4, 8, 8)))
    for step in (0, 1, 4, 2, 2, 3):
        assert torch.equal(noise(step, 0, 0), expected[step])


def test_brownian_noise_may_be_asked_in_any_order_and_is_the_same_for_part_of_a_batch() -> None:
    sigmas = even(6).sigmas
    steps = list(pairwise(sigmas))
    first = BrownianNoise(Draw(7, SHAPE), sigmas[-1], sigmas[0])
    forward = [first(i, *step) for i, step in enumerate(steps)]
    again, alone = (
        BrownianNoise(Draw(7, SHAPE), sigmas[-1], sigmas[0]),
        BrownianNoise(Draw(9, (1, 4, 8, 8)), sigmas[-1], sigmas[0]),
    )
    for i in (5, 1, 3):
        assert torch.equal(again(i, *steps[i]), forward[i])
        assert torch.equal(alone(i, *steps[i])[0], forward[i][2])


def test_brownian_halves_make_a_whole() -> None:
    noise = BrownianNoise(Draw(1, (1, 4, 32, 32)), 0.1, 10.0)
    whole, one, two = noise(0, 8.0, 2.0), noise(0, 8.0, 5.0), noise(0, 5.0, 2.0)
    torch.testing.assert_close(whole * math.sqrt(6), one * math.sqrt(3) + two * math.sqrt(3), atol=1e-5, rtol=1e-5)
    correlation = float((one * two).mean())
    assert abs(correlation) < 0.06  # 3.8 deviations of 4,096 products


@pytest.mark.parametrize("kind", ["fresh", "brownian"])
def test_step_noise_is_unit_normal(kind: str) -> None:
    schedule = even(8)
    solver = SOLVERS["euler_ancestral" if kind == "fresh" else "dpmpp_sde"]
    noise = Draw(2, (4, 4, 32, 32)).steps(solver, schedule)
    values = torch.cat([noise(i, *schedule.sigmas[i : i + 2]) for i in range(8)])
    assert float(values.mean()) == pytest.approx(0, abs=0.012)
    assert float(values.std()) == pytest.approx(1, abs=0.009)
    assert float((values**4).mean()) == pytest.approx(3, abs=0.12)


@pytest.mark.parametrize("top", [14.614641229333639, 14.614641, 4096.0])
def test_the_top_of_a_schedule_is_on_the_path(top: float) -> None:
    """Its rounding inside torchsde must not put it outside, which warns."""
    noise = BrownianNoise(Draw(0, (1, 4, 8, 8)), 0.0291671581, top)
    assert noise(0, top, top / 2).isfinite().all()
    assert noise(0, 0.05, 0.0291671581).isfinite().all()


def test_the_largest_seed_wraps() -> None:
    batch = Draw(2**64 - 1, (2, 4, 8, 8))
    assert torch.equal(batch.start()[1], Draw(0, (1, 4, 8, 8)).start()[0])
