"""Options of the model value: they change how it runs, and nothing of models without them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from families import models
from families.parity import close, document, engine, run
from harness import link, step
from nodegraph import Engine, RunFailed

pytestmark = [pytest.mark.filterwarnings("ignore::FutureWarning"), pytest.mark.filterwarnings("ignore::UserWarning")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    base: Path = tmp_path_factory.mktemp("models")
    for name in ("sd1", "flux_schnell"):
        models.FAMILIES[name]().save_pretrained(base / name)
    with engine(base) as found:
        yield found


def picture(made: Engine, name: str, seed: int = 5, **options: Any) -> np.ndarray[Any, Any]:
    nodes = document(name, steps=6, seed=seed)
    if options:
        nodes["options"] = step("RunOptions@1", model=link("model.model"), **options)
        nodes["sample"]["inputs"]["model"] = link("options.model")
    return run(made, nodes)


@pytest.mark.parametrize("name", ["sd1", "flux_schnell"])
def test_attention_and_offloading_change_nothing(name: str, made: Engine) -> None:
    plain = picture(made, name)
    close(picture(made, name, offload=True), plain, 1e-5)
    close(picture(made, name, attention="native"), plain, 1e-5)


def test_a_step_cache_leaves_out_blocks(made: Engine) -> None:
    plain = picture(made, "flux_schnell")
    close(picture(made, "flux_schnell", step_cache=1e-9), plain, 1e-5)
    cached = picture(made, "flux_schnell", step_cache=1.0)
    assert np.abs(cached - plain).max() > 1e-3
    # What a run remembers is forgotten before the next one.
    picture(made, "flux_schnell", seed=6, step_cache=1.0)
    made._machinery.memory.clear()
    assert np.array_equal(picture(made, "flux_schnell", step_cache=1.0), cached)
    assert np.array_equal(picture(made, "flux_schnell"), plain)


def test_what_a_model_or_a_machine_has_not_is_said(made: Engine) -> None:
    with pytest.raises(RunFailed, match="UNet2DConditionModel has no step cache in diffusers; set it to 0"):
        picture(made, "sd1", step_cache=0.1)
    with pytest.raises(RunFailed, match=r"attention 'sage' cannot be used here .*; use 'auto'"):
        picture(made, "flux_schnell", attention="sage")
