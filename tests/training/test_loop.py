"""A killed run goes on as if nothing had been: the weights are those of a run that was never killed, bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from nodegraph_diffusion.training import run as running
from nodegraph_diffusion.training.autoencoder import AutoencoderStage
from nodegraph_diffusion.training.decoder import DecoderStage
from nodegraph_diffusion.training.denoiser import DenoiserStage, LatentSet, fresh, tokenize
from nodegraph_diffusion.training.judge import JudgeStage
from nodegraph_diffusion.training.loop import Stage, rate, train
from nodegraph_diffusion.training.scenes import Split
from nodegraph_diffusion.training.tokenizer import make_tokenizer
from training import toys


def make(name: str) -> Stage:
    scenes, recipe = toys.scenes(), toys.RECIPE
    if name == "autoencoder":
        return AutoencoderStage(recipe.autoencoder, scenes, toys.SEED)
    if name == "decoder":
        return DecoderStage(
            recipe.autoencoder, AutoencoderStage(recipe.autoencoder, scenes, 0).model, scenes, toys.SEED
        )
    if name == "judge":
        return JudgeStage(recipe.judge, scenes, toys.SEED)
    tokenizer = make_tokenizer(scenes.sentences(), recipe.denoiser.tokens)
    latents = torch.randn(24, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    ids = tokenize(tokenizer, [scenes.caption(Split.DENOISER, i) for i in range(24)])
    start = fresh(recipe.denoiser, tokenizer, 8, 4, toys.SEED)
    return DenoiserStage(
        recipe.denoiser, tokenizer, start, LatentSet(latents, ids), LatentSet(latents[:8], ids[:8]), toys.SEED
    )


class KilledError(Exception):
    pass


class Mortal:
    """A stage whose process dies in the middle of step `at`, its weights already touched."""

    def __init__(self, stage: Stage, at: int) -> None:
        self.name, self.steps, self.learner, self.measure = stage.name, stage.steps, stage.learner, stage.measure
        self.stage, self.at = stage, at

    def step(self, index: int) -> float:
        loss = self.stage.step(index)
        if index == self.at:
            raise KilledError
        return loss


def weights(path: Path) -> dict[str, Any]:
    learner: dict[str, Any] = torch.load(path, weights_only=True)["learner"]
    return learner


@pytest.mark.parametrize("name", ["autoencoder", "decoder", "judge", "denoiser"])
def test_a_resumed_stage_ends_with_the_same_weights(name: str, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train(make(name), whole, list[str]().append)
    with pytest.raises(KilledError):
        train(Mortal(make(name), at=2), cut, list[str]().append, save_seconds=0)
    lines: list[str] = []
    train(make(name), cut, lines.append)
    assert lines[0] == f"{name}: goes on at step 2 of {make(name).steps}"
    one, other = (weights(folder / f"{name}.checkpoint") for folder in (whole, cut))
    assert_same(one, other)


def assert_same(one: Any, other: Any) -> None:
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list):
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        assert one == other


def test_the_log_has_steps_time_loss_and_figures(tmp_path: Path) -> None:
    train(make("autoencoder"), tmp_path, list[str]().append, log_steps=4)
    lines = [json.loads(line) for line in (tmp_path / "autoencoder.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, 6]
    assert all(line.keys() == {"step", "seconds", "cpu", "loss", "psnr"} for line in lines)


def test_the_rate_rises_stays_and_falls_to_nothing() -> None:
    factors = [rate(step, 1000, 0.5) for step in range(1000)]
    assert factors[0] == pytest.approx(1 / 30)
    assert set(factors[30:500]) == {1.0}
    assert factors[750] == pytest.approx(0.5)
    assert 0 < factors[-1] < 0.003


def test_latents_are_made_of_a_finished_autoencoder_only(tmp_path: Path) -> None:
    stage = make("autoencoder")
    with pytest.raises(KilledError):
        train(Mortal(stage, at=3), tmp_path, list[str]().append, save_seconds=0)
    with pytest.raises(RuntimeError, match="finish it first"):
        toys.run(tmp_path).train_denoiser()
    with pytest.raises(RuntimeError, match="train the stage 'autoencoder' first"):
        running.Run(tmp_path / "new", toys.RECIPE, toys.scenes(), list[str]().append).train_denoiser()


def test_a_long_stage_says_where_it_is(tmp_path: Path) -> None:
    lines: list[str] = []
    stage = make("judge")
    train(stage, tmp_path, lines.append, say_seconds=0)
    assert lines[:-1] == [f"judge: step {done} of {stage.steps}" for done in range(1, stage.steps)]
