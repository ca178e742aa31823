"""Prompts together, for a part of the picture, for a part of the steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from families import models
from families.parity import PROMPT, close, document, engine, run
from harness import link, step
from nodegraph import Engine, NodeError
from nodegraph_diffusion import prompt_nodes as nodes
from nodegraph_diffusion.diffusion.prompts import Phase, phases
from nodegraph_diffusion.values import Conditioning, Mask

NAMES = ("sdxl", "flux_dev")
OTHER = "a green meadow"


@pytest.fixture(scope="module")
def made(module_folder: Path) -> Iterator[Engine]:
    for name in NAMES:
        models.FAMILIES[name]().save_pretrained(module_folder / name)
    with engine(module_folder) as found:
        yield found


def prompted(name: str, more: dict[str, Any], positive: str, **settings: Any) -> dict[str, Any]:
    """The document with a second prompt and further nodes; `positive` says which is asked."""
    made = document(name, negative=name == "sdxl", **settings) | more
    made["other"] = step("EncodePrompt@1", text_encoder=link("model.text_encoder"), text=OTHER)
    made["sample"]["inputs"]["positive"] = link(positive)
    return made


def alone(engine: Engine, name: str, positive: str, **settings: Any) -> np.ndarray[Any, Any]:
    return run(engine, prompted(name, {}, positive, **settings))


BOTH = step("CombinePrompts@1", prompts=[link("one.conditioning"), link("two.conditioning")])


@pytest.mark.parametrize("name", NAMES)
def test_one_after_the_other_is_two_runs(name: str, made: Engine) -> None:
    """Two prompts, each on one half of the steps, are two Samples, the second going on from the first."""
    parts = {
        "one": step("RestrictToSteps@1", prompt=link("prompt.conditioning"), end=0.5),
        "two": step("RestrictToSteps@1", prompt=link("other.conditioning"), start=0.5),
        "both": BOTH,
    }
    found = run(made, prompted(name, parts, "both.conditioning"))
    halves = prompted(name, {}, "prompt.conditioning", end_step=2)
    second = {**halves["sample"]["inputs"], "positive": link("other.conditioning"), "latent": link("sample.latent")}
    halves["second"] = step("Sample@1", **second | {"start_step": 2, "end_step": 1000})
    halves["decode"]["inputs"]["latent"] = link("second.latent")
    close(found, run(made, halves), 1e-4)
    scheduled = document(name, negative=name == "sdxl")
    scheduled["prompt"]["inputs"]["text"] = f"[{PROMPT}:{OTHER}:0.5]"
    close(run(made, scheduled), found, 1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_layout_in_every_family(name: str, made: Engine) -> None:
    """Boxes that cover everything with the picture's own prompt are the picture; with another prompt they are not."""
    plain = run(made, document(name, negative=name == "sdxl"))

    def laid(text: str) -> np.ndarray[Any, Any]:
        boxes = step("Layout@1", text_encoder=link("model.text_encoder"), background=PROMPT, boxes=f"0 0 1 1: {text}")
        return run(made, prompted(name, {"boxes": boxes}, "boxes.layout"))

    close(laid(PROMPT), plain, 1e-4)
    assert np.abs(laid(OTHER) - plain).max() > 0.005


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_that_is_everywhere_and_one_that_is_nowhere(name: str, made: Engine) -> None:
    parts = {
        "one": step("RestrictToBox@1", prompt=link("prompt.conditioning"), x=0.0, y=0.0, width=1.0, height=1.0),
        "two": step("RestrictToBox@1", prompt=link("other.conditioning"), weight=0.0, width=1.0),
        "both": BOTH,
    }
    close(run(made, prompted(name, parts, "both.conditioning")), alone(made, name, "prompt.conditioning"), 1e-4)


def test_each_prompt_has_its_own_half(made: Engine) -> None:
    """With one step the left half is what the first prompt alone gives, the right half that of the second."""
    parts = {
        "one": step("RestrictToBox@1", prompt=link("prompt.conditioning"), width=0.5),
        "two": step("RestrictToBox@1", prompt=link("other.conditioning"), x=0.5, width=0.5),
        "both": BOTH,
    }
    document_ = prompted("sdxl", parts, "both.conditioning", steps=1)
    del document_["sample"]["inputs"]["negative"]
    latent = made.run(made.read({"nodes": document_}), targets=["sample"])["sample.latent"].samples
    for half, positive in ((slice(0, 4), "prompt.conditioning"), (slice(4, 8), "other.conditioning")):
        single = prompted("sdxl", {}, positive, steps=1)
        del single["sample"]["inputs"]["negative"]
        expected = made.run(made.read({"nodes": single}), targets=["sample"])["sample.latent"].samples
        assert np.abs(latent[..., half] - expected[..., half]).max() < 1e-4


def test_combined_prompts_are_the_average_of_the_answers(made: Engine) -> None:
    samples = []
    for positive in ("prompt.conditioning", "other.conditioning"):
        single = prompted("sdxl", {}, positive, steps=1)
        samples.append(made.run(made.read({"nodes": single}), targets=["sample"])["sample.latent"].samples)
    boxes = {
        "one": step("RestrictToBox@1", prompt=link("prompt.conditioning"), width=1.0, weight=3.0),
        "two": step("RestrictToBox@1", prompt=link("other.conditioning"), width=1.0, weight=1.0),
        "both": BOTH,
    }
    both = prompted("sdxl", boxes, "both.conditioning", steps=1)
    found = made.run(made.read({"nodes": both}), targets=["sample"])["sample.latent"].samples
    assert np.abs(found - (0.75 * samples[0] + 0.25 * samples[1])).max() < 1e-3


def conditioning(seed: int, length: int = 5, width: int = 4, pooled: bool = True) -> Conditioning:
    rng = np.random.default_rng(seed)
    tokens = rng.random((1, length, width), np.float32)
    return Conditioning(tokens, rng.random((1, 3), np.float32) if pooled else None)


def test_mixing_and_concatenating() -> None:
    one, other = conditioning(1), conditioning(2, length=3)
    assert np.array_equal(nodes.average_prompts(one, other, 0.0).tokens, one.tokens)
    whole = nodes.average_prompts(one, other, 1.0)
    assert np.allclose(whole.tokens[:, :3], other.tokens)
    assert not whole.tokens[:, 3:].any()
    assert whole.pooled is not None
    assert other.pooled is not None
    assert np.allclose(whole.pooled, other.pooled)
    joined = nodes.concatenate_prompts([one, other])
    assert np.array_equal(joined.tokens, np.concatenate([one.tokens, other.tokens], axis=1))
    assert np.array_equal(joined.pooled, one.pooled)  # type: ignore[arg-type]
    zero = nodes.zero_prompt(one)
    assert not zero.tokens.any()
    assert zero.pooled is not None
    assert not zero.pooled.any()


def test_restrictions_hold_for_what_was_combined() -> None:
    both = nodes.combine_prompts([conditioning(1), nodes.restrict_to_steps(conditioning(2), 0.5, 1.0)])
    late = nodes.restrict_to_steps(both, 0.0, 0.5)
    assert [(p.start, p.end) for p in late.parts] == [(0.0, 0.5), (0.5, 0.75)]
    masked = nodes.restrict_to_mask(both, Mask(np.ones((1, 4, 4), np.float32)), 2.0)
    assert [(p.weight, p.mask is not None) for p in masked.parts] == [(2.0, True)] * 2
    sized = nodes.describe_size(both, 1, 2, 3, 4, 5, 6, 7.0)
    assert [p.sizes.tolist() for p in sized.parts if p.sizes is not None] == [[[2, 1, 4, 3, 6, 5]]] * 2


def test_what_does_not_go_together() -> None:
    one, wide = conditioning(1), conditioning(2, width=8)
    wrong: list[tuple[Callable[[], Conditioning], str]] = [
        (lambda: nodes.combine_prompts([]), "needs at least one prompt"),
        (lambda: nodes.average_prompts(one, wide), "these are 4 and 8 wide"),
        (lambda: nodes.average_prompts(nodes.combine_prompts([one, one]), one), "mix before combining"),
        (lambda: nodes.concatenate_prompts([one, wide]), "these are 4, 8 wide"),
        (lambda: nodes.restrict_to_steps(one, 0.5, 0.5), "has no steps"),
        (lambda: nodes.restrict_to_mask(one, Mask(np.ones((2, 4, 4), np.float32))), "a batch of 2 is given"),
    ]
    for call, words in wrong:
        with pytest.raises(NodeError, match=words):
            call()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a cat", [("a cat", 0, 1)]),
        ("a [cat:dog:0.4]", [("a cat", 0, 0.4), ("a dog", 0.4, 1)]),
        ("a [cat::.5] here", [("a cat here", 0, 0.5), ("a  here", 0.5, 1)]),
        ("a [big:0.25] [cat:dog:0.5]", [("a  cat", 0, 0.25), ("a big cat", 0.25, 0.5), ("a big dog", 0.5, 1)]),
        ("[a:b:0]", [("b", 0, 1)]),
        ("[a:b:1.0]", [("a", 0, 1)]),
        ("[a:b:1.3] [c]", [("[a:b:1.3] [c]", 0, 1)]),
        ("(a:1.3)", [("(a:1.3)", 0, 1)]),
    ],
)
def test_phases(text: str, expected: list[tuple[str, float, float]]) -> None:
    assert phases(text) == [Phase(*each) for each in expected]
