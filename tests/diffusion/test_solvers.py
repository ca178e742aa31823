"""Solvers against closed forms: the flow of a Gaussian is known exactly, see `gaussian`."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from diffusion.gaussian import TABLE, Gaussian, even
from nodegraph_diffusion.diffusion.noise import Draw
from nodegraph_diffusion.diffusion.schedules import Point, Schedule
from nodegraph_diffusion.diffusion.solvers import SOLVERS, Noise, State

DETERMINISTIC = [name for name, solver in SOLVERS.items() if not solver.needs_noise]
NOISY = [name for name, solver in SOLVERS.items() if solver.needs_noise]
ORDER = {
    "euler": 1,
    "ddim": 1,
    "heunpp2": 1,
    "gradient_estimation": 1,
    "heun": 2,
    "dpm_2": 2,
    "dpmpp_2m": 2,
    "res_multistep": 2,
    "deis": 3,
    "unipc": 3,
    "lms": 4,
    "ipndm": 4,
    "uni_pc": 4,
    "uni_pc_bh2": 4,
}


def silent(step: int, sigma: float, target: float, /) -> Tensor:
    raise AssertionError("a deterministic solver asked for noise")


def error(name: str, steps: int) -> float:
    """How far a solver is from the exact flow after `steps` of `2 * steps` steps (so that a lower order in the last
    ones does not show), when its first steps, where it has too little history, are right."""
    gaussian, exact_steps = Gaussian(), 4
    schedule = even(2 * steps, bottom=1e-3)
    if name == "ipndm":  # its weights are those of even steps
        sigmas = tuple(10 - 9.9 * i / steps for i in range(steps + 1))
        schedule = Schedule((*sigmas, 0.05), (*sigmas, 0.05), 10, TABLE)
    start = gaussian.mean + gaussian.spread(10) * torch.linspace(-3, 3, 101, dtype=torch.float64)
    state = State(0, start)
    while state.step < steps:
        state = SOLVERS[name].step(gaussian, schedule, state, silent)
        if state.step <= exact_steps:
            state = replace(state, x=gaussian.flow(start, 10, schedule.sigmas[state.step]))
    return float((state.x - gaussian.flow(start, 10, schedule.sigmas[steps])).abs().max())


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_order_of_convergence(name: str) -> None:
    steps = 400 if name == "ipndm" else 200
    coarse, fine = error(name, steps), error(name, 2 * steps)
    assert math.log2(coarse / fine) > ORDER[name] - 0.3
    assert fine < 0.05 ** ORDER[name]


@pytest.mark.parametrize("name", [name for name in NOISY if name != "lcm"])
def test_noisy_solvers_arrive_at_the_exact_distribution(name: str) -> None:
    gaussian = Gaussian()

    def bias(steps: int) -> tuple[float, float]:
        draw, schedule = Draw(3, (1, 1, 200, 200)), even(steps)
        state = State(0, gaussian.mean + gaussian.spread(10) * draw.start())
        noise = draw.steps(SOLVERS[name], schedule)
        while state.step < steps:
            state = SOLVERS[name].step(gaussian, schedule, state, noise)
        return float(state.x.mean()) - gaussian.mean, float(state.x.std()) / gaussian.spread(0.1) - 1

    mean, deviation = bias(40)
    assert abs(mean) < 0.02
    if name in ("euler_ancestral", "ddpm"):  # first order: too narrow, and half of that with twice the steps
        assert deviation / bias(80)[1] == pytest.approx(2, abs=0.4)
    else:
        assert abs(deviation) < 0.015


def test_lcm_noises_its_estimate_anew() -> None:
    gaussian, schedule, draw = Gaussian(), even(3), Draw(1, (1, 4, 8, 8))
    noise = draw.steps(SOLVERS["lcm"], schedule)
    state = SOLVERS["lcm"].step(gaussian, schedule, State(0, draw.start() * 10), noise)
    expected = gaussian(draw.start() * 10, schedule.point(0)) + schedule.sigmas[1] * noise(0, 0, 0)
    torch.testing.assert_close(state.x, expected)


def zero_ended(steps: int) -> Schedule:
    schedule = even(steps)
    return replace(schedule, sigmas=(*schedule.sigmas[:-1], 0.0))


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_a_known_picture_is_reached_whatever_the_noise(name: str, steps: int) -> None:
    """A denoiser that always sees the same picture: the last step must end exactly there."""
    picture = torch.linspace(-2, 2, 64).reshape(1, 1, 8, 8)
    draw, schedule = Draw(0, tuple(picture.shape)), zero_ended(steps)
    state = State(0, picture + 10 * draw.start())
    noise = draw.steps(SOLVERS[name], schedule)
    while state.step < steps:
        state = SOLVERS[name].step(lambda x, point: picture.clone(), schedule, state, noise)
    torch.testing.assert_close(state.x, picture, atol=0.005 if name.startswith("uni_pc") else 1e-4, rtol=0)


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("stop", range(1, 7))
def test_a_saved_state_goes_on_to_the_same_bits(name: str, stop: int) -> None:
    draw, schedule, solver = Draw(9, (2, 4, 8, 8)), zero_ended(7), SOLVERS[name]
    state = State(0, draw.start() * schedule.noise_scale)

    def run(state: State, until: int, noise: Noise) -> State:
        while state.step < until:
            state = solver.step(Gaussian(), schedule, state, noise)
        return state

    whole = run(state, 7, draw.steps(solver, schedule))
    half = pickle.loads(pickle.dumps(run(state, stop, draw.steps(solver, schedule))))
    assert torch.equal(run(half, 7, draw.steps(solver, schedule)).x, whole.x)


@pytest.mark.parametrize("name", SOLVERS)
def test_a_step_leaves_the_state_before_it_untouched(name: str) -> None:
    draw, schedule = Draw(9, (1, 4, 8, 8)), zero_ended(6)
    noise, states = draw.steps(SOLVERS[name], schedule), [State(0, draw.start() * 10)]
    copies = []
    while states[-1].step < 6:
        copies.append(pickle.dumps(tensors(states[-1])))
        states.append(SOLVERS[name].step(Gaussian(), schedule, states[-1], noise))
    for state, copy in zip(states, copies, strict=False):
        assert all(torch.equal(a, b) for a, b in zip(tensors(state), pickle.loads(copy), strict=True))


def tensors(state: State) -> list[Tensor]:
    return [state.x, *([] if state.x0 is None else [state.x0]), *state.history]


@pytest.mark.parametrize("name", SOLVERS)
def test_a_picture_does_not_depend_on_its_batch(name: str) -> None:
    schedule, solver = zero_ended(6), SOLVERS[name]

    def run(draw: Draw) -> Tensor:
        state, noise = State(0, draw.start() * 10), draw.steps(solver, schedule)
        while state.step < 6:
            state = solver.step(Gaussian(), schedule, state, noise)
        return state.x

    batch = run(Draw(20, (3, 4, 8, 8)))
    for index in range(3):
        assert torch.equal(batch[index : index + 1], run(Draw(20 + index, (1, 4, 8, 8))))


EVALUATIONS = {"heun": 11, "dpm_2": 11, "dpm_2_ancestral": 11, "dpmpp_2s_ancestral": 11, "dpmpp_sde": 11, "heunpp2": 15}


@pytest.mark.parametrize("name", SOLVERS)
def test_evaluations_per_run(name: str) -> None:
    """No solver asks more often than its method needs, and none at a level of 0."""
    gaussian, schedule, draw = Gaussian(), zero_ended(6), Draw(0, (1, 1, 4, 4))

    def denoise(x: Tensor, point: Point, /) -> Tensor:
        assert point.sigma > 0
        return gaussian(x, point)

    state, noise = State(0, draw.start()), draw.steps(SOLVERS[name], schedule)
    while state.step < 6:
        state = SOLVERS[name].step(denoise, schedule, state, noise)
    assert gaussian.calls == EVALUATIONS.get(name, 6)


@pytest.mark.parametrize("name", SOLVERS)
def test_a_run_may_stop_above_zero(name: str) -> None:
    gaussian, draw = Gaussian(), Draw(0, (1, 1, 40, 40))
    schedule = even(30).part(0, 20)
    state = State(0, gaussian.mean + gaussian.spread(10) * draw.start())
    noise = draw.steps(SOLVERS[name], schedule)
    while state.step < len(schedule):
        state = SOLVERS[name].step(gaussian, schedule, state, noise)
    if name != "lcm":
        assert float(state.x.std()) == pytest.approx(gaussian.spread(schedule.sigmas[-1]), rel=0.12)


def test_names_and_papers_are_there() -> None:
    for name, solver in SOLVERS.items():
        assert name.isidentifier()
        assert solver.title
        assert solver.paper
        assert solver.step.__doc__ or name.startswith("uni")
