"""Solvers against closed forms: the flow of a Gaussian is known exactly, see `gaussian`."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace

import pytest
import torch
from diffusers import DPMSolverSinglestepScheduler, SASolverScheduler
from torch import Tensor

from diffusion.gaussian import TABLE, Gaussian, even
from nodegraph_diffusion.diffusion.denoiser import Denoise
from nodegraph_diffusion.diffusion.noise import Draw
from nodegraph_diffusion.diffusion.schedules import Point, Schedule
from nodegraph_diffusion.diffusion.solvers import SOLVERS, Noise, State
from nodegraph_diffusion.diffusion.solvers.dpm import fast_levels

OWN_LEVELS = ("dpm_fast", "dpm_adaptive")
DETERMINISTIC = [name for name, solver in SOLVERS.items() if not solver.needs_noise and name not in OWN_LEVELS]
WITHOUT_NOISE = ("seeds_2", "seeds_3", "sa_solver", "sa_solver_pece")
"""What adds noise, and has an order of convergence when it does not."""
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
    "ipndm_v": 4,
    "euler_cfg_pp": 1,
    "gradient_estimation_cfg_pp": 1,
    "dpmpp_2m_cfg_pp": 2,
    "res_multistep_cfg_pp": 2,
    "seeds_2": 2,
    "seeds_3": 3,
    "sa_solver": 4,
    "sa_solver_pece": 4,
    "uni_pc": 4,
    "uni_pc_bh2": 4,
}


def silent(step: int, sigma: float, target: float, /) -> Tensor:
    raise AssertionError("a deterministic solver asked for noise")


def error(name: str, steps: int) -> float:
    """How far a solver is from the exact flow after `steps` of `2 * steps` steps (so that a lower order in the last
    ones does not show), when its first steps, where it has too little history, are right."""
    gaussian, exact_steps = Gaussian(), 4
    solver = SOLVERS[name].set(eta=0) if name in WITHOUT_NOISE else SOLVERS[name]
    schedule = even(2 * steps, bottom=1e-3)
    if name == "ipndm":  # its weights are those of even steps
        sigmas = tuple(10 - 9.9 * i / steps for i in range(steps + 1))
        schedule = Schedule((*sigmas, 0.05), (*sigmas, 0.05), 10, TABLE)
    start = gaussian.mean + gaussian.spread(10) * torch.linspace(-3, 3, 101, dtype=torch.float64)
    state = State(0, start)
    while state.step < steps:
        state = solver.step(gaussian, schedule, state, silent)
        if state.step <= exact_steps:
            state = replace(state, x=gaussian.flow(start, 10, schedule.sigmas[state.step]))
    return float((state.x - gaussian.flow(start, 10, schedule.sigmas[steps])).abs().max())


@pytest.mark.parametrize("name", [*DETERMINISTIC, *WITHOUT_NOISE])
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
    if name in (
        "euler_ancestral",
        "ddpm",
        "euler_ancestral_cfg_pp",
    ):  # first order: too narrow, and half of that with twice the steps
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
    seen = picture.expand(2, *picture.shape) if SOLVERS[name].apart else picture
    while state.step < steps:
        state = SOLVERS[name].step(lambda x, point: seen.clone(), schedule, state, noise)
    if name == "dpm_adaptive" and steps > 1:  # ends at the last level above 0
        picture = picture + schedule.sigmas[-2] * draw.start()
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


@pytest.mark.parametrize("name", [name for name in SOLVERS if name != "dpm_adaptive"])
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


TWICE = ("heun", "dpm_2", "dpm_2_ancestral", "dpmpp_2s_ancestral", "dpmpp_2s_ancestral_cfg_pp", "dpmpp_sde", "seeds_2")
EVALUATIONS = dict.fromkeys(TWICE, 11) | {"heunpp2": 15, "seeds_3": 16, "sa_solver_pece": 11, "dpm_adaptive": 18}


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


def walk(name: str, denoise: Denoise, schedule: Schedule, start: Tensor, **settings: float) -> list[Tensor]:
    """The latent after each step, without noise."""
    solver = SOLVERS[name].set(**settings)
    states = [State(0, start)]
    while states[-1].step < len(schedule):
        states.append(solver.step(denoise, schedule, states[-1], silent))
    return [state.x for state in states]


CFGPP = [name for name, solver in SOLVERS.items() if solver.apart]


@pytest.mark.parametrize("name", CFGPP)
def test_cfg_pp_goes_from_the_guided_estimate_along_the_slope_of_the_negative(name: str) -> None:
    """Algorithm 2 of Chung et al. in this scale, for a network that always answers the same: then no method is of
    higher order than another. And where both answers are one, it is the solver without guidance of its own."""
    guided, negative, start = torch.tensor(0.8), torch.tensor(-0.4), torch.linspace(-9, 9, 7)
    schedule, silenced = zero_ended(5), {"eta": 0.0} if SOLVERS[name].needs_noise else {}
    found = walk(name, lambda x, point: torch.stack([guided + 0 * x, negative + 0 * x]), schedule, start, **silenced)
    expected = start
    for step, x in enumerate(found[1:] if name != "gradient_estimation_cfg_pp" else []):  # which extrapolates the slope
        expected = guided + schedule.sigmas[step + 1] / schedule.sigmas[step] * (expected - negative)
        torch.testing.assert_close(x, expected)
    for ours, theirs in zip(
        walk(name, Gaussian(), schedule, start, **silenced),
        walk(name.removesuffix("_cfg_pp"), Gaussian(), schedule, start, **silenced),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning", "ignore:.*dpmsolver:FutureWarning")
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_dpm_fast_is_the_single_step_solver_of_diffusers(steps: int) -> None:
    """Where its steps are of first and second order; in those of third, diffusers has another point between."""
    gaussian, start = Gaussian(), 10 * torch.linspace(-3, 3, 11, dtype=torch.float64)
    schedule = fast_levels(even(steps))
    assert len(schedule) == steps
    theirs = DPMSolverSinglestepScheduler(
        algorithm_type="dpmsolver",
        solver_order=3,
        prediction_type="sample",
        lower_order_final=True,
        final_sigmas_type="sigma_min",
    )
    theirs.set_timesteps(steps)
    theirs.sigmas = torch.tensor(schedule.sigmas, dtype=torch.float64)
    x = start / math.hypot(1, 10)
    for step, told in enumerate(theirs.timesteps):
        scale = math.hypot(1, schedule.sigmas[step])
        x = theirs.step(gaussian(x * scale, schedule.point(step)), told, x).prev_sample
    found = walk("dpm_fast", gaussian, schedule, start)[-1]
    torch.testing.assert_close(found, x * math.hypot(1, schedule.sigmas[-1]), rtol=1e-9, atol=1e-9)


def test_dpm_fast_is_of_third_order() -> None:
    def off(steps: int) -> float:
        gaussian, start = Gaussian(), torch.linspace(-30, 30, 101, dtype=torch.float64)
        schedule = fast_levels(even(steps))
        found = walk("dpm_fast", gaussian, schedule, start)[steps - 1]  # before the last one, which is of first order
        return float((found - gaussian.flow(start, 10, schedule.sigmas[steps - 1])).abs().max())

    assert len(fast_levels(even(60))) == 60
    assert math.log2(off(61) / off(121)) > 2.7
    assert off(121) < 0.05**3


def test_extended_reverse_time_solvers_of_first_order_are_those_that_they_extend() -> None:
    start, schedule, draw = torch.linspace(-30, 30, 11)[None, None, None], zero_ended(5), Draw(3, (1, 1, 1, 11))
    for power, name in ((1, "euler"), (2, "euler_ancestral")):
        extended = SOLVERS["er_sde"].set(power=power, stages=1)
        states = [State(0, start), State(0, start)]
        for _ in range(5):
            states = [
                solver.step(Gaussian(), schedule, state, draw.steps(SOLVERS["er_sde"], schedule))
                for solver, state in zip((extended, SOLVERS[name]), states, strict=True)
            ]
        torch.testing.assert_close(states[0].x, states[1].x)


def test_dpm_adaptive_keeps_to_its_tolerance_whatever_the_schedule() -> None:
    start, found = torch.linspace(-30, 30, 101, dtype=torch.float64), {}
    for tolerance in (0.05, 0.0005):
        for steps in (5, 40):
            gaussian, schedule = Gaussian(), even(steps)
            x = walk("dpm_adaptive", gaussian, schedule, start, rtol=tolerance, atol=tolerance / 10)[-1]
            off = float((x - gaussian.flow(start, 10, 0.1)).abs().max())
            found[tolerance, steps] = (off, gaussian.calls)
        assert found[tolerance, 5] == found[tolerance, 40]
    (coarse, few), (fine, many) = found[0.05, 5], found[0.0005, 5]
    assert fine < coarse / 4 < 0.05
    assert few < many < 400
    with pytest.raises(ValueError, match=r"finds no step.*higher rtol"):
        walk("dpm_adaptive", lambda x, point: x * math.nan, even(5), start)


def test_ipndm_for_uneven_steps_is_ipndm_on_even_ones() -> None:
    sigmas = tuple(10 - 0.9 * i for i in range(11))
    schedule = Schedule(sigmas, sigmas, 10, TABLE)
    start = torch.linspace(-30, 30, 11, dtype=torch.float64)
    ours, theirs = (walk(name, Gaussian(), schedule, start)[-1] for name in ("ipndm_v", "ipndm"))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
@pytest.mark.parametrize("tau", [0.0, 0.7])
def test_sa_solver_is_that_of_diffusers(tau: float) -> None:
    """Up to the last two steps, whose order diffusers lowers later."""
    gaussian, steps = Gaussian(), 10
    theirs = SASolverScheduler(
        predictor_order=3, corrector_order=4, prediction_type="sample", tau_func=lambda timestep: tau
    )
    theirs.set_timesteps(steps)
    sigmas = tuple(theirs.sigmas.double().tolist())
    theirs.sigmas = theirs.sigmas.double()
    schedule = Schedule(sigmas, tuple(theirs.timesteps.double().tolist()), sigmas[0], TABLE)
    stream, generator = torch.Generator().manual_seed(4), torch.Generator().manual_seed(4)
    drawn = [torch.randn(1, 11, dtype=torch.float64, generator=stream) for _ in range(steps)]
    solver = SOLVERS["sa_solver"].set(eta=tau, sde_start=-99, sde_end=99, simple_order_2=1)
    state = State(0, sigmas[0] * torch.linspace(-1, 1, 11, dtype=torch.float64)[None])
    x = state.x / math.hypot(1, sigmas[0])
    for step in range(steps - 2):
        torch.testing.assert_close(state.x, x * math.hypot(1, sigmas[step]), rtol=1e-6, atol=1e-6)
        seen = gaussian(x * math.hypot(1, sigmas[step]), schedule.point(step))
        x = theirs.step(seen, theirs.timesteps[step], x, generator=generator).prev_sample
        state = solver.step(gaussian, schedule, state, lambda step, sigma, target: drawn[step])


def test_names_and_papers_are_there() -> None:
    for name, solver in SOLVERS.items():
        assert name.isidentifier()
        assert solver.title
        assert solver.paper
        assert solver.step.__doc__ or name.startswith("uni")
