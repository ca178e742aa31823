"""Text to image, end to end, in every family: our document's picture is that of diffusers' pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from families import models
from families.parity import NEGATIVE, PROMPT, close, document, engine, noise, run, theirs
from nodegraph import Engine
from nodegraph_diffusion.families.flows import packed

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@dataclass(frozen=True)
class Case:
    """How a family's pipeline is called.

    Args:
        start: What stands for the noise that our sampler draws.
        settings: Of the pipeline.
        ours: Of our `Sample`, where it is not what the pipeline is told.
    """

    shape: tuple[int, ...]
    start: Callable[[Tensor], Tensor] = lambda noise: noise
    settings: Mapping[str, Any] = field(default_factory=dict)
    ours: Mapping[str, Any] = field(default_factory=dict)
    negative: bool = True


CFG = {"guidance_scale": 5.0, "negative_prompt": NEGATIVE}
SIXTEEN = (1, 16, 8, 8)
CASES = {
    "sdxl": Case((1, 4, 8, 8), settings=CFG),
    "sd3": Case(SIXTEEN, settings=CFG),
    "flux_dev": Case(SIXTEEN, packed, {"guidance_scale": 2.0}, {"guidance": 2.0}, negative=False),
    "flux_schnell": Case(SIXTEEN, packed, {"true_cfg_scale": 5.0, "negative_prompt": NEGATIVE}),
    "flux2_klein": Case((1, 128, 4, 4), settings={"guidance_scale": 1.0}, negative=False, ours={"cfg": 1.0}),
    "qwen_image": Case(SIXTEEN, packed, {"true_cfg_scale": 5.0, "negative_prompt": NEGATIVE}),
    "z_image": Case(SIXTEEN, settings=CFG, ours={"cfg": 6.0}),  # its pipeline counts from the positive
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    base: Path = tmp_path_factory.mktemp("models")
    for name in CASES:
        models.FAMILIES[name]().save_pretrained(base / name)
    with engine(base) as found:
        yield found


@pytest.mark.parametrize("name", CASES)
def test_text_to_image(name: str, made: Engine) -> None:
    case = CASES[name]
    expected = theirs(
        models.FAMILIES[name](),
        prompt=PROMPT,
        height=64,
        width=64,
        num_inference_steps=4,
        latents=case.start(noise(*case.shape)),
        **case.settings,
    )
    close(run(made, document(name, negative=case.negative, **case.ours)), expected)
