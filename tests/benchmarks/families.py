"""Every family: our document beside its diffusers pipeline, same weights, noise and steps, in one process.

Run `python tests/benchmarks/families.py [--size 256] [--steps 8] [--rounds 5] [--family sdxl ...]`. The models are the
small ones of the parity tests, on pictures large enough that the network's work outweighs that of the loop. Both take
turns, each time with another prompt, and each pair of runs gives a ratio of seconds and one of the processor's time,
which other work disturbs less; printed are the medians. The goal is within 2 %.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / "tests")  # not this folder, where a file has the name of the tests' package


def pair(name: str, folder: Path, size: int, steps: int) -> tuple[Callable[[int], Any], Callable[[int], Any], Any]:
    """Ours, theirs, and the engine, which holds the model; each makes a picture from a seed and a prompt with it."""
    import torch

    from families import models, test_parity
    from families.parity import PROMPT, document, engine, run, theirs
    from harness import step

    case, pipeline = test_parity.CASES[name], models.FAMILIES[name]()
    pipeline.save_pretrained(folder / name)
    pipeline.default_sample_size = size // 8  # HiDream's brings every size to that
    made = engine(folder)
    cells = [edge * size // 64 for edge in case.shape[2:]]

    def ours(seed: int) -> Any:
        empty = step("EmptyLatent@1", width=size, height=size)
        nodes = document(name, empty, negative=case.negative, **{"steps": steps, "seed": seed} | dict(case.ours))
        nodes["prompt"]["inputs"]["text"] = f"{PROMPT} {seed}"
        return run(made, nodes)

    def diffusers(seed: int) -> Any:
        noise = torch.randn((*case.shape[:2], *cells), generator=torch.Generator().manual_seed(seed))
        return theirs(
            pipeline, prompt=f"{PROMPT} {seed}", height=size, width=size, num_inference_steps=steps,
            latents=case.start(noise), **case.settings,
        )  # fmt: skip

    return ours, diffusers, made


def measured(make: Callable[[int], Any], seed: int) -> tuple[float, float]:
    """Seconds, and those of the processor."""
    start, cpu = time.perf_counter(), time.process_time()
    make(seed)
    return time.perf_counter() - start, time.process_time() - cpu


def main() -> None:
    from families import test_parity

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--family", nargs="*", default=list(test_parity.CASES), choices=list(test_parity.CASES))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{'family':<14}{'ours':>8}{'theirs':>8}{'ratio':>8}{'of processor time':>20}")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.family:
            ours, theirs, made = pair(name, Path(folder), options.size, options.steps)
            with made:
                ours(0)
                theirs(0)
                rounds = [(measured(ours, seed), measured(theirs, seed)) for seed in range(1, options.rounds + 1)]
            ratio, of_cpu = (statistics.median(a[i] / b[i] for a, b in rounds) for i in (0, 1))
            one, other = (statistics.median(row[side][0] for row in rounds) for side in (0, 1))
            print(f"{name:<14}{one:>8.2f}{other:>8.2f}{ratio:>8.3f}{of_cpu:>20.3f}", flush=True)


if __name__ == "__main__":
    main()
