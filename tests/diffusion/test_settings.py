"""Solvers with settings of their own, and flow models walked as ComfyUI does, against formulas written out here."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor

from nodegraph_diffusion.diffusion.flow import FlowTable
from nodegraph_diffusion.diffusion.noise import Draw
from nodegraph_diffusion.diffusion.sampling import sample
from nodegraph_diffusion.diffusion.schedules import NoiseTable, Point, visiting
from nodegraph_diffusion.diffusion.solvers import SOLVERS

SHAPE = (1, 4, 6, 6)
LEVELS = (9.0, 5.0, 2.0, 0.7, 0.0)
TIMES = (1.0, 0.8, 0.45, 0.2, 0.0)
Noise = Callable[[int, float, float], Tensor]


def seen(x: Tensor, sigma: float) -> Tensor:
    """A denoiser that is not linear."""
    return torch.tanh(x / math.hypot(1, sigma)) + 0.1


def walked(name: str, **settings: float) -> Tensor:
    draw = Draw(5, SHAPE)
    schedule = visiting(LEVELS, NoiseTable.from_config({}))
    solver = SOLVERS[name].set(**settings)
    return sample(lambda x, point: seen(x, point.sigma), solver, schedule, torch.zeros(SHAPE), draw).latent


def noise_of(name: str) -> tuple[Tensor, Noise]:
    draw = Draw(5, SHAPE)
    schedule = visiting(LEVELS, NoiseTable.from_config({}))
    return draw.start() * schedule.noise_scale, draw.steps(SOLVERS[name], schedule)


def between(sigma: float, target: float, eta: float) -> tuple[float, float]:
    up = min(target, eta * math.sqrt(target**2 * (sigma**2 - target**2) / sigma**2))
    return math.sqrt(target**2 - up**2), up


def euler_ancestral(eta: float, s_noise: float) -> Tensor:
    x, noise = noise_of("euler_ancestral")
    for step, (sigma, target) in enumerate(itertools.pairwise(LEVELS)):
        down, up = between(sigma, target, eta)
        x = x + (x - seen(x, sigma)) / sigma * (down - sigma)
        if target:
            x = x + noise(step, sigma, target) * s_noise * up
    return x


def dpmpp_sde(eta: float, s_noise: float, r: float) -> Tensor:
    x, noise = noise_of("dpmpp_sde")
    for step, (sigma, target) in enumerate(itertools.pairwise(LEVELS)):
        x0 = seen(x, sigma)
        if not target:
            return x0
        middle = math.exp(math.log(sigma) + r * math.log(target / sigma))
        down, up = between(sigma, middle, eta)
        half = down / sigma * x + (1 - down / sigma) * x0 + noise(step, sigma, middle) * s_noise * up
        share = 1 / (2 * r)
        mixed = (1 - share) * x0 + share * seen(half, middle)
        down, up = between(sigma, target, eta)
        x = down / sigma * x + (1 - down / sigma) * mixed + noise(step, sigma, target) * s_noise * up
    return x


def dpmpp_2m_sde(eta: float, s_noise: float) -> Tensor:
    x, noise = noise_of("dpmpp_2m_sde")
    before: tuple[Tensor, float] | None = None
    for step, (sigma, target) in enumerate(itertools.pairwise(LEVELS)):
        x0 = seen(x, sigma)
        if not target:
            return x0
        h = math.log(sigma / target)
        gain = -math.expm1(-h * (1 + eta))
        x = target / sigma * math.exp(-h * eta) * x + gain * x0
        if before is not None:
            x = x + 0.5 * gain * (h / before[1]) * (x0 - before[0])
        x = x + noise(step, sigma, target) * target * math.sqrt(-math.expm1(-2 * h * eta)) * s_noise
        before = x0, h
    return x


def test_settings_are_what_their_formulas_say() -> None:
    for name, formula, given in (
        ("euler_ancestral", euler_ancestral, {"eta": 0.6, "s_noise": 1.1}),
        ("dpmpp_sde", dpmpp_sde, {"eta": 0.6, "s_noise": 1.1, "r": 0.3}),
        ("dpmpp_2m_sde", dpmpp_2m_sde, {"eta": 0.6, "s_noise": 1.1}),
    ):
        torch.testing.assert_close(walked(name, **given), formula(**given), atol=1e-4, rtol=1e-4)
        assert (walked(name, **given) - walked(name)).abs().max() > 0.01
    for name in ("dpmpp_2s_ancestral", "dpm_2_ancestral", "dpmpp_3m_sde"):  # without noise nothing depends on it
        torch.testing.assert_close(walked(name, eta=0), walked(name, eta=0, s_noise=3))
    assert (walked("lms", order=1) - walked("euler")).abs().max() < 1e-5
    with pytest.raises(ValueError, match="Heun has no setting 'eta', nor others"):
        SOLVERS["heun"].set(eta=1)


def flowing(name: str, in_time: bool = True, settings: Mapping[str, float] = {}) -> Tensor:
    schedule = visiting(TIMES, FlowTable({}))
    draw, solver = Draw(5, SHAPE), SOLVERS[name].set(**settings)

    def asked(x: Tensor, point: Point) -> Tensor:
        return in_flow(x / (1 + point.sigma), point.timestep / 1000)

    return sample(asked, solver, schedule, torch.zeros(SHAPE), draw, in_time=in_time, keep=True).latent


def in_flow(x: Tensor, time: float) -> Tensor:
    return torch.tanh(1.5 * x) * (1 - 0.5 * time) + 0.1


def heun() -> Tensor:
    x = Draw(5, SHAPE).start()
    for time, target in itertools.pairwise(TIMES):
        slope = (x - in_flow(x, time)) / time
        there = x + slope * (target - time)
        if target:
            slope = (slope + (there - in_flow(there, target)) / target) / 2
            there = x + slope * (target - time)
        x = there
    return x


def dpmpp_2m() -> Tensor:
    x = Draw(5, SHAPE).start()
    before: tuple[Tensor, float] | None = None
    for time, target in itertools.pairwise(TIMES):
        x0 = ahead = in_flow(x, time)
        if not target:
            return x0
        h = math.log(time / target)
        if before is not None:
            ahead = x0 + (x0 - before[0]) * h / (2 * before[1])
        x, before = target / time * x - math.expm1(-h) * ahead, (x0, h)
    return x


def test_flow_models_are_walked_in_their_time() -> None:
    for name, formula in (("heun", heun), ("dpmpp_2m", dpmpp_2m)):
        torch.testing.assert_close(flowing(name), formula(), atol=1e-5, rtol=1e-5)
        assert (flowing(name, in_time=False) - formula()).abs().max() > 1e-3
    torch.testing.assert_close(flowing("euler"), flowing("euler", in_time=False), atol=1e-5, rtol=1e-5)


def test_ancestral_steps_of_flow_models_go_down_in_time() -> None:
    """The latent of a flow model is (1 - t) x0 + t noise: what went down too far is brought up with fresh noise."""
    eta = 0.7
    draw = Draw(5, SHAPE)
    noise = draw.steps(SOLVERS["euler_ancestral"], visiting(TIMES, FlowTable({})))
    x = draw.start()
    for step, (time, target) in enumerate(itertools.pairwise(TIMES)):
        x0 = in_flow(x, time)
        if not target:
            x = x0
            break
        down = target * (1 + (target / time - 1) * eta)
        x = down / time * x + (1 - down / time) * x0
        share = (1 - target) / (1 - down)
        x = share * x + noise(step, time, target) * math.sqrt(target**2 - down**2 * share**2)
    made = flowing("euler_ancestral", in_time=False, settings={"eta": eta, "in_time": True})
    torch.testing.assert_close(made, x, atol=1e-5, rtol=1e-5)
