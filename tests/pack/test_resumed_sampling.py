"""Sampling that was interrupted goes on from its last step, to the same bits."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import link, step
from nodegraph import Cancelled, Engine
from nodegraph.events import Event, Progress

STEPS = 6


def document(sampler: str, keep_steps: bool) -> dict[str, Any]:
    return {
        "nodes": {
            "model": step("LoadModel@1", source="demo"),
            "prompt": step("EncodePrompt@1", text_encoder=link("model.text_encoder"), text="a cat"),
            "empty": step("EmptyLatent@1", width=64, height=64, batch=2),
            "sample": step(
                "Sample@1", model=link("model.model"), positive=link("prompt.conditioning"),
                latent=link("empty.latent"), seed=3, steps=STEPS, sampler=sampler, keep_steps=keep_steps,
            ),
        },
        "outputs": {"latent": link("sample.latent"), "steps": link("sample.steps")},
    }  # fmt: skip


@pytest.fixture
def whole() -> Iterator[Engine]:
    """An engine whose runs nobody interrupts."""
    with Engine() as made:
        yield made


def remembering(sampler: str) -> dict[str, Any]:
    """A document whose guidance remembers the steps before."""
    made = document(sampler, keep_steps=False)
    nodes = made["nodes"]
    nodes["negative"] = step("EncodePrompt@1", text_encoder=link("model.text_encoder"), text="blurry")
    nodes["guidance"] = step("ApplyGuidance@1", model=link("model.model"), kind="projected", momentum=-0.5)
    nodes["sample"]["inputs"] |= {"model": link("guidance.model"), "negative": link("negative.conditioning")}
    return made


def sampled(events: list[Event]) -> list[int]:
    return [e.step for e in events if isinstance(e, Progress) and e.node == "sample" and not e.what]


@pytest.mark.parametrize(
    ("sampler", "keep_steps"),
    [("dpmpp_2m", True), ("dpmpp_3m_sde", False), ("euler_ancestral", False), ("unipc", False), ("lms", False)],
)
def test_it_ends_in_the_same_bits(whole: Engine, tmp_path: Path, sampler: str, keep_steps: bool) -> None:
    interrupted(whole, tmp_path, document(sampler, keep_steps))


def test_guidance_remembers_across_the_interruption(whole: Engine, tmp_path: Path) -> None:
    made = remembering("euler")
    interrupted(whole, tmp_path, made)
    forgetful = copy.deepcopy(made)
    forgetful["nodes"]["guidance"]["inputs"]["momentum"] = 0.0
    one, other = (whole.run(whole.read(each))["latent"].samples for each in (made, forgetful))
    assert np.abs(one - other).max() > 0.01, "momentum changes nothing"


def interrupted(whole: Engine, tmp_path: Path, made: dict[str, Any]) -> None:
    with Engine(cache=tmp_path, checkpoint=0.0) as first:
        workflow = first.read(made)
        run = first.start(workflow)
        for event in run:
            if isinstance(event, Progress) and event.node == "sample" and not event.what and event.step == 2:
                run.cancel()
        with pytest.raises(Cancelled):
            run.outputs()
    events: list[Event] = []
    with Engine(cache=tmp_path, checkpoint=0.0) as second:
        resumed = second.run(workflow, on_event=events.append)
    assert sampled(events)[0] >= 3
    assert sampled(events)[-1] == STEPS
    undisturbed = whole.run(workflow)
    assert np.array_equal(resumed["latent"].samples, undisturbed["latent"].samples)
    assert np.array_equal(resumed["steps"].samples, undisturbed["steps"].samples)
