"""Noise levels and changes of the schedule as ComfyUI makes them, by its numbers and by closed forms."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from families import models
from nodegraph import NodeError
from nodegraph_diffusion.comfyui.levels import (
    AlignYourStepsScheduler,
    BasicScheduler,
    BetaSamplingScheduler,
    ExponentialScheduler,
    KarrasScheduler,
    PolyexponentialScheduler,
    SDTurboScheduler,
    SetFirstSigma,
    SplitSigmas,
    SplitSigmasDenoise,
)
from nodegraph_diffusion.comfyui.models import ModelSamplingDiscrete, ModelSamplingFlux, ModelSamplingSD3
from nodegraph_diffusion.diffusion.denoiser import GuidedDenoiser, Prompt
from nodegraph_diffusion.diffusion.schedules import Point, make_schedule, visiting
from nodegraph_diffusion.handles import Model
from nodegraph_diffusion.load_model import load_model
from nodegraph_diffusion.values import NoiseLevels

GOLDEN = json.loads((Path(__file__).parents[1] / "diffusion" / "comfyui_sigmas.json").read_text())
MODEL = load_model("demo").model
TABLE = MODEL.table(64, 10)
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def near(levels: NoiseLevels, expected: list[float], within: float = 1e-5) -> None:
    assert levels.values == pytest.approx(expected, rel=within, abs=1e-8)


@pytest.mark.parametrize("way", GOLDEN)
def test_schedules_are_those_that_it_printed(way: str) -> None:
    name, _, steps = way.partition("/")
    expected = GOLDEN[way]["sigmas"]
    near(BasicScheduler(MODEL, name, int(steps)), expected)  # type: ignore[arg-type]


def test_denoise_takes_the_end_of_a_longer_way() -> None:
    near(BasicScheduler(MODEL, "karras", 10, 0.5), GOLDEN["karras/20"]["sigmas"][10:])
    assert BasicScheduler(MODEL, "karras", 10, 0.0).values == ()
    assert len(BasicScheduler(MODEL, "simple", 2, 0.001).values) <= 3


def test_curves_between_two_ends() -> None:
    near(KarrasScheduler(10), GOLDEN["karras/10"]["sigmas"], 1e-4)
    near(ExponentialScheduler(10), GOLDEN["exponential/10"]["sigmas"], 1e-4)
    near(PolyexponentialScheduler(3, 100.0, 1.0, 2.0), [100.0, 100.0**0.25, 1.0, 0.0])
    near(BetaSamplingScheduler(MODEL, 10), GOLDEN["beta/10"]["sigmas"])
    with pytest.raises(NodeError, match="ends above 0"):
        ExponentialScheduler(10, sigma_min=0.0)


def test_turbo_models_take_the_first_of_ten_timesteps() -> None:
    near(SDTurboScheduler(MODEL, 1), [TABLE.sigmas[999], 0])
    near(SDTurboScheduler(MODEL, 3), [TABLE.sigmas[t] for t in (999, 899, 799)] + [0.0])
    near(SDTurboScheduler(MODEL, 2, 0.5), [TABLE.sigmas[t] for t in (499, 399)] + [0.0])
    assert SDTurboScheduler(MODEL, 1, 0.0).values == ()


def test_steps_that_were_fitted() -> None:
    fitted = AlignYourStepsScheduler("SD1", 10)
    near(fitted, [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0])
    assert AlignYourStepsScheduler("SD1", 10, 0.5).values == fitted.values[5:]
    more = AlignYourStepsScheduler("SDXL", 20).values
    assert len(more) == 21
    assert more[2] == pytest.approx(6.315)


def test_levels_are_cut_in_two() -> None:
    levels = NoiseLevels((4.0, 3.0, 2.0, 1.0, 0.0))
    assert [part.values for part in SplitSigmas(levels, 1)] == [(4.0, 3.0), (3.0, 2.0, 1.0, 0.0)]
    assert [part.values for part in SplitSigmasDenoise(levels, 0.5)] == [(4.0, 3.0, 2.0), (2.0, 1.0, 0.0)]
    assert [part.values for part in SplitSigmasDenoise(levels, 0.0)] == [(), (0.0,)]
    assert SetFirstSigma(levels, 9.0).values == (9.0, 3.0, 2.0, 1.0, 0.0)


def test_levels_that_a_model_cannot_visit() -> None:
    with pytest.raises(ValueError, match="must fall from step to step"):
        visiting((1.0, 2.0, 0.0), TABLE)
    schedule = visiting((3.0, 1.0), TABLE)
    assert (len(schedule), schedule.noise_scale) == (1, 3.0)


def test_zero_terminal_noise() -> None:
    model = ModelSamplingDiscrete(MODEL, "v_prediction", True)
    table = model.table(64, 10)
    assert model.prediction == "v_prediction"
    assert table.sigma_max == pytest.approx(math.sqrt(1 / 4.8973451890853435e-08 - 1), rel=1e-6)
    assert table.sigma_min == pytest.approx(TABLE.sigma_min, rel=1e-3)
    roots = 1 / np.sqrt(1 + TABLE.sigmas**2)  # Lin et al. 2023, algorithm 1
    moved = (roots - roots[-1]) * roots[0] / (roots[0] - roots[-1])
    assert table.sigmas[500] == pytest.approx(math.sqrt(1 / moved[500] ** 2 - 1), rel=1e-6)


def test_a_consistent_model_knows_fifty_timesteps() -> None:
    table = ModelSamplingDiscrete(MODEL, "lcm").table(64, 10)
    assert len(table.sigmas) == 50
    np.testing.assert_allclose(table.sigmas, TABLE.sigmas[19::20])
    schedule = make_schedule("sgm_uniform", 5, table)
    assert schedule.timesteps == (999, 799, 599, 419, 219)  # the nearest to 999, 803, 607, 411 and 215
    assert schedule.sigmas[1] == pytest.approx(math.exp(np.interp(803, [799, 819], np.log(TABLE.sigmas[[799, 819]]))))
    assert make_schedule("trailing", 4, table).timesteps == (999, 749, 499, 249)
    same = GuidedDenoiser(lambda x, time, prompt: x, Prompt(torch.zeros(1, 1, 1)), prediction="lcm")
    x = torch.full((1, 4, 2, 2), 2.0)
    at = 10 * 19.0
    x0 = x * (1 - 0.1 / math.hypot(1, 0.1))
    expected = x * 0.25 / (at**2 + 0.25) + x0 * at / math.sqrt(at**2 + 0.25)
    torch.testing.assert_close(same(x, Point(0.1, 19.0)), expected)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "flow"])
def test_contrast_is_brought_back_as_v_would_see_it(prediction: Literal["epsilon", "v_prediction", "flow"]) -> None:
    """The guided estimate in "v", scaled to the spread that the positive prompt's has, and back; half of it."""
    torch.manual_seed(0)
    x, outputs, sigma, cfg = torch.randn(1, 4, 6, 6), torch.randn(2, 4, 6, 6), 1.7, 5.0
    prompts = [Prompt(torch.full((1, 1, 1), float(n))) for n in (0, 1)]

    def network(x: torch.Tensor, time: torch.Tensor, prompt: Prompt) -> torch.Tensor:
        return torch.cat([outputs[int(n) : int(n) + 1] for n in prompt.tokens.flatten()])

    def guide(rescaled: float) -> torch.Tensor:
        made = GuidedDenoiser(network, prompts[1], prompts[0], prediction=prediction, cfg=cfg, rescaled=rescaled)
        return made(x, Point(sigma, 500.0))

    def estimate(which: int) -> torch.Tensor:
        return GuidedDenoiser(network, prompts[which], prediction=prediction)(x, Point(sigma, 500.0))

    seen, level = (x / (1 + sigma), sigma / (1 + sigma)) if prediction == "flow" else (x, sigma)
    alpha, noise = 1 / math.hypot(1, level), level / math.hypot(1, level)
    # v = alpha eps - noise x0 for z = alpha x0 + noise eps, the same picture on the scale that keeps variance
    v = [alpha * (seen - each) / level - noise * each for each in (estimate(0), estimate(1))]
    guided = v[0] + cfg * (v[1] - v[0])
    scaled = guided * (v[1].std() / guided.std())
    wanted = alpha * (alpha * seen) - noise * (0.5 * scaled + 0.5 * guided)
    torch.testing.assert_close(guide(0.5), wanted, atol=1e-4, rtol=1e-4)
    plain = alpha * (alpha * seen) - noise * guided
    torch.testing.assert_close(guide(0.0), plain, atol=1e-4, rtol=1e-4)


@pytest.fixture(scope="module")
def flow(module_folder: Path) -> Model:
    folder = module_folder / "flux"
    models.flux_dev().save_pretrained(folder)
    return load_model(str(folder)).model


def test_times_are_shifted(flow: Model) -> None:
    half = make_schedule("simple", 2, ModelSamplingSD3(flow, 3.0).table(64, 2))
    assert half.timesteps == pytest.approx([1000, 1000 * 3 * 0.5 / (1 + 2 * 0.5)])
    a_million = make_schedule("simple", 2, ModelSamplingFlux(flow).table(64, 2))
    usual = make_schedule("simple", 2, flow.table(64, 2))
    assert a_million.timesteps == pytest.approx(usual.timesteps)
    factor = math.exp(0.5)  # a picture of 256 x 256
    small = make_schedule("simple", 2, ModelSamplingFlux(flow, width=256, height=256).table(64, 2))
    assert small.timesteps[1] == pytest.approx(1000 * factor * 0.5 / (1 + (factor - 1) * 0.5))
    native = make_schedule("native", 2, ModelSamplingSD3(flow, 3.0).table(64, 2))
    assert native.timesteps == pytest.approx(half.timesteps)


def test_what_is_of_another_kind_is_refused(flow: Model) -> None:
    with pytest.raises(NodeError, match="is no flow model"):
        ModelSamplingSD3(MODEL)
    with pytest.raises(NodeError, match="is a flow model"):
        ModelSamplingDiscrete(flow)
