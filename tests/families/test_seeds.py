"""One seed is one picture: alone, in a batch, in another order, in every family."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from families import models
from families.parity import SEED, document, engine
from harness import link, step
from nodegraph import Engine

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
NAMES = ("sd1", "sdxl", "sd3", "chroma", "flux_dev", "flux2_dev", "hidream", "qwen_image", "z_image")
NOISY = ("euler_ancestral", "dpmpp_2m_sde")


@pytest.fixture(scope="module")
def made(module_folder: Path) -> Iterator[Engine]:
    for name in NAMES:
        models.FAMILIES[name]().save_pretrained(module_folder / name)
    with engine(module_folder) as found:
        yield found


def pictures(
    made: Engine, name: str, batch: int, seed: int, sampler: str
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    size = step("EmptyLatent@1", width=32, height=32, batch=batch)
    nodes = document(name, size, seed=seed, steps=3, sampler=sampler, schedule="auto")
    pixels: NDArray[np.float32] = made.run(made.read({"nodes": nodes, "outputs": {"image": link("decode.image")}}))[
        "image"
    ].pixels
    return pixels


@pytest.mark.parametrize(
    ("name", "sampler"), [(name, "auto") for name in NAMES] + [(n, s) for n in ("sd1", "flux_dev") for s in NOISY]
)
def test_a_picture_does_not_hang_on_its_batch(name: str, sampler: str, made: Engine) -> None:
    four = pictures(made, name, 4, SEED, sampler)
    assert np.isfinite(four).all()
    for index in (3, 0):  # another order
        (alone,) = pictures(made, name, 1, SEED + index, sampler)
        assert np.abs(alone - four[index]).max() < 2e-4, index
    assert np.abs(four[0] - four[1]).max() > 0.01
