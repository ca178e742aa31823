from __future__ import annotations

import pickle
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from diffusion import tiny
from diffusion.gaussian import TABLE, Gaussian
from nodegraph_diffusion.diffusion.noise import Draw
from nodegraph_diffusion.diffusion.sampling import Sampled, sample
from nodegraph_diffusion.diffusion.schedules import Point
from nodegraph_diffusion.diffusion.solvers import SOLVERS, State

SHAPE = (2, 4, 8, 8)
PICTURE = tiny.noise(3, 2)
STEPS = 8


def run(
    name: str = "euler", *, latent: Tensor = PICTURE, steps: int = STEPS, denoise: Any = None, **settings: Any
) -> Sampled:
    solver = SOLVERS[name]
    schedule = solver.schedule("karras", steps, TABLE)
    draw = settings.pop("draw", Draw(11, SHAPE))
    return sample(denoise or Gaussian(), solver, schedule, latent, draw, **settings)


def test_a_whole_run_starts_from_noise_alone() -> None:
    assert torch.equal(run().latent, run(latent=torch.zeros(SHAPE)).latent)
    assert not torch.equal(run(keep=True).latent, run().latent)


@given(strength=st.floats(0, 1), start=st.integers(0, STEPS), end=st.integers(0, 2 * STEPS))
def test_which_steps_are_run(strength: float, start: int, end: int) -> None:
    sigmas = SOLVERS["euler"].schedule("karras", STEPS, TABLE).sigmas
    asked: list[float] = []
    told: list[tuple[int, int]] = []

    def denoise(x: Tensor, point: Point, /) -> Tensor:
        asked.append(point.sigma)
        return x

    result = run(
        denoise=denoise,
        strength=strength,
        start_step=start,
        end_step=end,
        on_step=lambda done, total, state: told.append((done, total)),
    )
    first, last = max(start, STEPS - int(STEPS * strength)), min(end, STEPS)
    assert asked == list(sigmas[first:last])
    assert told == [(i + 1, len(asked)) for i in range(len(asked))]
    if not asked:
        assert torch.equal(result.latent, PICTURE)
        assert result.sigma == 0
    else:
        assert result.sigma == sigmas[last]


def test_less_strength_stays_closer_to_the_picture() -> None:
    """The flow of a Gaussian shrinks what was noised: the less noise, the less of the picture is lost."""
    distance = [float((run(strength=s).latent - PICTURE).std()) for s in (0.25, 0.5, 0.75, 1)]
    assert distance == sorted(distance)


@pytest.mark.parametrize("name", ["euler", "heun", "dpm_2", "ddim"])
def test_two_passes_are_one(name: str) -> None:
    first = run(name, end_step=3)
    assert first.sigma > 0
    second = run(name, latent=first.latent, sigma=first.sigma, start_step=3, draw=Draw(99, SHAPE))
    assert second.sigma == 0
    assert torch.equal(second.latent, run(name).latent)


def test_a_second_pass_goes_on_from_the_noise_it_is_given() -> None:
    """Another schedule's level: the step starts there, and the exact flow is met as well as before."""
    gaussian = Gaussian()
    schedule = SOLVERS["heun"].schedule("exponential", 40, TABLE)
    sigma = (schedule.sigmas[20] * schedule.sigmas[21]) ** 0.5
    x = gaussian.mean + gaussian.spread(sigma) * tiny.noise(1, 2)
    result = sample(gaussian, SOLVERS["heun"], schedule, x, Draw(0, SHAPE), start_step=20, sigma=sigma)
    torch.testing.assert_close(result.latent, gaussian.flow(x, sigma, 0), atol=5e-3, rtol=0)


def test_a_second_pass_says_where_to_start() -> None:
    with pytest.raises(ValueError, match=r"sigma 1, but step 0 starts at 14\.61; start at step 4"):
        run(sigma=1.0)


MASK = torch.zeros(1, 1, 8, 8)
MASK[..., 2:6, 1:5] = 1
SOFT = MASK.clone()
SOFT[..., 2:6, 1] = 0.5


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("settings", [{}, {"strength": 0.5}, {"keep": True}])
def test_what_the_mask_keeps_is_kept_to_the_bit(name: str, settings: dict[str, Any]) -> None:
    result = run(name, mask=SOFT, **settings).latent
    kept = (SOFT == 0).expand(SHAPE)
    assert torch.equal(result[kept], PICTURE[kept])
    assert not (result == PICTURE)[~kept].any()


def test_the_network_sees_the_known_picture_with_its_own_noise() -> None:
    seen: list[tuple[Point, Tensor]] = []

    def denoise(x: Tensor, point: Point, /) -> Tensor:
        seen.append((point, x))
        return torch.full_like(x, 5)

    result = run("heun", denoise=denoise, mask=SOFT).latent
    noise, kept = Draw(11, SHAPE).start(), (SOFT == 0).expand(SHAPE)
    for point, x in seen[1:]:
        torch.testing.assert_close(x[kept], (PICTURE + point.sigma * noise)[kept])
    half = (SOFT == 0.5).expand(SHAPE)
    torch.testing.assert_close(result[half], (PICTURE / 2 + 2.5)[half])  # the mask mixes once, not again at the end


def test_a_mask_of_ones_or_none_changes_nothing() -> None:
    torch.testing.assert_close(run(mask=torch.ones(1, 1, 8, 8)).latent, run().latent)
    assert torch.equal(run(mask=torch.zeros(1, 1, 8, 8)).latent, PICTURE)


def test_a_masked_first_pass_keeps_the_picture_under_its_noise() -> None:
    result = run(mask=MASK, end_step=4)
    kept = (MASK == 0).expand(SHAPE)
    expected = PICTURE + result.sigma * Draw(11, SHAPE).start()
    torch.testing.assert_close(result.latent[kept], expected[kept])
    with pytest.raises(ValueError, match="a masked latent must be clean"):
        run(latent=result.latent, sigma=result.sigma, start_step=4, mask=MASK)


def test_what_a_step_reports() -> None:
    states: list[State] = []
    result = run("dpmpp_2m", on_step=lambda done, total, state: states.append(state))
    assert [state.step for state in states] == list(range(1, STEPS + 1))
    assert torch.equal(states[-1].x, result.latent)
    assert all(state.x0 is not None for state in states)


def test_what_a_step_raises_ends_the_run() -> None:
    class Stop(BaseException):
        pass

    calls = Gaussian()

    def stop(done: int, total: int, state: State) -> None:
        if done == 3:
            raise Stop

    with pytest.raises(Stop):
        run(denoise=calls, on_step=stop)
    assert calls.calls == 3


@pytest.mark.parametrize("name", ["euler_ancestral", "dpmpp_2m", "dpmpp_3m_sde", "unipc", "lms", "heun"])
@pytest.mark.parametrize("masked", [False, True])
def test_a_run_taken_up_after_any_step_gives_the_same_bits(name: str, masked: bool) -> None:
    denoise = tiny.denoiser(tiny.unet(), tiny.tokens(1), tiny.tokens(2), cfg=4.0)
    settings: dict[str, Any] = {"denoise": denoise, "steps": 5, "mask": SOFT if masked else None}
    saved: list[bytes] = []
    whole = run(name, **settings, on_step=lambda done, total, state: saved.append(pickle.dumps(state)))
    resumed = run(name, **settings, resume=pickle.loads(saved[2]))
    assert torch.equal(resumed.latent, whole.latent)


@pytest.mark.parametrize("name", ["euler", "dpmpp_2m_sde"])
def test_a_picture_does_not_depend_on_its_batch(name: str) -> None:
    """To rounding: convolutions of another batch size may sum in another order."""
    denoise = tiny.denoiser(tiny.unet(), tiny.tokens(1), tiny.tokens(2), cfg=4.0)
    batch = run(name, denoise=denoise, steps=4, strength=0.75).latent
    for index in range(2):
        part = slice(index, index + 1)
        draw = Draw(11 + index, (1, *SHAPE[1:]))
        alone = run(name, denoise=denoise, steps=4, strength=0.75, latent=PICTURE[part], draw=draw).latent
        torch.testing.assert_close(batch[part], alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"strength": 1.5}, "strength needs 0 to 1, got 1.5"), ({"start_step": -1}, "got -1 and None")],
)
def test_out_of_range(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(**settings)
