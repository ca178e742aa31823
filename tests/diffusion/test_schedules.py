from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from nodegraph_diffusion.diffusion.schedules import LEVELS, SCHEDULES, SPACINGS, NoiseTable, make_schedule
from nodegraph_diffusion.diffusion.solvers import SOLVERS

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TABLE = NoiseTable.from_config({})
GOLDEN = json.loads(Path(__file__).with_name("comfyui_sigmas.json").read_text())
"""Made by ComfyUI 0.3.64 on SD 1.5's table: {"schedule/steps": {"sigmas", "timesteps"}}."""


@pytest.mark.parametrize("key", GOLDEN)
def test_sigmas_and_timesteps_are_those_that_comfyui_users_know(key: str) -> None:
    name, steps = key.split("/")
    schedule = make_schedule(name, int(steps), TABLE)
    np.testing.assert_allclose(schedule.sigmas, GOLDEN[key]["sigmas"], rtol=2e-6)
    assert list(schedule.timesteps) == GOLDEN[key]["timesteps"]


def test_every_level_schedule_has_golden_values() -> None:
    assert {key.split("/")[0] for key in GOLDEN} == set(LEVELS)


def test_noise_at_the_top_keeps_the_networks_unit_variance() -> None:
    assert make_schedule("normal", 20, TABLE).noise_scale == pytest.approx(14.64881, abs=1e-5)
    below = make_schedule("ddim_uniform", 4, TABLE)
    assert below.noise_scale == below.sigmas[0] < 5


def test_some_solvers_leave_out_the_level_before_zero() -> None:
    whole = make_schedule("karras", 21, TABLE)
    short = SOLVERS["dpm_2"].schedule("karras", 20, TABLE)
    assert short.sigmas == (*whole.sigmas[:-2], 0.0)
    assert short.timesteps == whole.timesteps[:-1]
    assert SOLVERS["dpm_2"].schedule("linspace", 20, TABLE).sigmas == make_schedule("linspace", 20, TABLE).sigmas


@pytest.mark.parametrize(
    ("config", "theirs"),
    [
        ({"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02}, diffusers.DDPMScheduler),
        ({"beta_schedule": "squaredcos_cap_v2"}, diffusers.DDPMScheduler),
        ({"beta_schedule": "scaled_linear", "beta_start": 0.001, "beta_end": 0.01}, diffusers.DDPMScheduler),
        ({"trained_betas": [0.01, 0.02, 0.3], "num_train_timesteps": 3}, diffusers.DDPMScheduler),
        ({"beta_schedule": "scaled_linear", "rescale_betas_zero_snr": True}, diffusers.EulerDiscreteScheduler),
    ],
)
def test_tables_are_those_of_diffusers(config: dict[str, Any], theirs: Any) -> None:
    made = theirs(**config)
    products = made.alphas_cumprod.double().numpy()
    ours = NoiseTable.from_config(made.config).sigmas
    np.testing.assert_allclose(1 / (1 + ours**2), products, rtol=1e-4, atol=1e-8)


def test_an_unknown_table_says_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"'squaredcos_cap_v2', got 'sigmoid'"):
        NoiseTable.from_config({"beta_schedule": "sigmoid"})


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("steps", [2, 3, 7, 27, 50])
@pytest.mark.parametrize(
    ("solver", "theirs"),
    [
        ("euler", diffusers.EulerDiscreteScheduler),
        ("ddim", diffusers.DDIMScheduler),
        ("dpmpp_2m", diffusers.DPMSolverMultistepScheduler),
    ],
)
def test_spacings_are_those_of_diffusers(solver: str, theirs: Any, steps: int, spacing: str) -> None:
    config = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1}
    made = theirs(**config, timestep_spacing=spacing)
    made.set_timesteps(steps)
    schedule = SOLVERS[solver].schedule(spacing, steps, NoiseTable.from_config(made.config))
    np.testing.assert_allclose(schedule.timesteps, made.timesteps.numpy(), atol=1e-4)
    if solver != "ddim":
        np.testing.assert_allclose(schedule.sigmas, made.sigmas.numpy(), rtol=2e-5)  # their tables are float32
    # Schedulers in the variance-preserving scale start from unit noise: sqrt(1 + sigma^2) in ours.
    unit = 1 if solver == "euler" else math.hypot(1, schedule.sigmas[0])
    assert schedule.noise_scale == pytest.approx(float(made.init_noise_sigma) * unit, rel=1e-5)


@given(
    name=st.sampled_from(SCHEDULES),
    steps=st.integers(1, 1000),
    solver=st.sampled_from(sorted(SOLVERS)),
    zero=st.booleans(),
)
@example("linspace", 1000, "deis", False)
@example("leading", 1000, "dpmpp_2m", True)
@example("ddim_uniform", 1000, "dpm_2", False)
def test_every_schedule_descends_to_zero(name: str, steps: int, solver: str, zero: bool) -> None:
    table = NoiseTable.from_config({"rescale_betas_zero_snr": zero})
    schedule = SOLVERS[solver].schedule(name, steps, table)
    sigmas = np.array(schedule.sigmas)
    assert sigmas[-1] == 0
    assert (np.diff(sigmas) < 0).all()
    assert sigmas[0] <= table.sigma_max * (1 + 1e-6)
    assert len(schedule.timesteps) == len(schedule) <= 2 * steps
    assert all(0 <= t <= 999 for t in schedule.timesteps)
    assert (np.diff(schedule.timesteps) <= 0).all()


@given(st.floats(0.03, 14.6))
def test_timesteps_between_invert_the_table(sigma: float) -> None:
    fractional = TABLE.timestep_of(sigma, fractional=True)
    assert float(TABLE.sigma_at(torch.tensor([fractional]))[0]) == pytest.approx(sigma, rel=1e-4)
    assert abs(TABLE.timestep_of(sigma) - fractional) <= 0.5 + 1e-3


@pytest.mark.parametrize(("steps", "message"), [(0, "got 0"), (-1, "got -1"), (1001, "1 to 1000 steps")])
def test_steps_out_of_range(steps: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_schedule("normal", steps, TABLE)


def test_an_unknown_schedule_says_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"'karas'; there are normal, karras"):
        make_schedule("karas", 4, TABLE)


def test_a_half_finished_latent_starts_its_step_where_it_is() -> None:
    schedule = make_schedule("karras", 10, TABLE)
    assert schedule.continuing(4, schedule.sigmas[4] * (1 + 1e-8)) is schedule
    moved = schedule.continuing(4, 2.5)
    assert moved.sigmas == (*schedule.sigmas[:4], 2.5, *schedule.sigmas[5:])
    assert moved.timesteps[4] == TABLE.timestep_of(2.5)
    with pytest.raises(ValueError, match=r"sigma 2\.5, but step 0 starts at 14\.61; start at step 3 "):
        schedule.continuing(0, 2.5)
