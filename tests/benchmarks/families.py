"""Every family: our document beside its diffusers pipeline, same weights, noise and steps, in one process.

Run `python tests/benchmarks/families.py [--size 256] [--steps 8] [--rounds 5] [--family sdxl ...] [--cpu]`. The models
are the small ones of the parity tests, on pictures large enough that the network's work outweighs that of the loop.
Both take turns, and each pair of runs gives a ratio; printed are the medians of seconds and of ratios. The goal is
within 2 %.
Where other work runs beside, `--cpu` counts the processor's seconds instead of the clock's.
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
    """Ours, theirs, and the engine, which holds the model; each makes a picture from a seed."""
    import torch

    from families import models, test_parity
    from families.parity import PROMPT, document, engine, run, theirs
    from harness import step

    case, pipeline = test_parity.CASES[name], models.FAMILIES[name]()
    pipeline.save_pretrained(folder / name)
    made = engine(folder)
    cells = [edge * size // 64 for edge in case.shape[2:]]

    def ours(seed: int) -> Any:
        empty = step("EmptyLatent@1", width=size, height=size)
        settings = {"steps": steps, "seed": seed} | dict(case.ours)
        return run(made, document(name, empty, negative=case.negative, **settings))

    def diffusers(seed: int) -> Any:
        noise = torch.randn((*case.shape[:2], *cells), generator=torch.Generator().manual_seed(seed))
        return theirs(
            pipeline, prompt=PROMPT, height=size, width=size, num_inference_steps=steps, latents=case.start(noise),
            **case.settings,
        )  # fmt: skip

    return ours, diffusers, made


def seconds(make: Callable[[int], Any], seed: int, clock: Callable[[], float]) -> float:
    start = clock()
    make(seed)
    return clock() - start


def main() -> None:
    from families import test_parity

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--family", nargs="*", default=list(test_parity.CASES), choices=list(test_parity.CASES))
    parser.add_argument("--cpu", action="store_true")
    options = parser.parse_args()
    clock = time.process_time if options.cpu else time.perf_counter
    warnings.simplefilter("ignore")
    print(f"{'family':<14}{'ours':>8}{'theirs':>8}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.family:
            ours, theirs, made = pair(name, Path(folder), options.size, options.steps)
            with made:
                ours(0)
                theirs(0)
                # Seeds differ, so that nothing of ours comes from the cache but the model and the prompt.
                seeds = range(1, options.rounds + 1)
                rounds = [(seconds(ours, seed, clock), seconds(theirs, seed, clock)) for seed in seeds]
            ratio = statistics.median(one / other for one, other in rounds)
            one, other = (statistics.median(times) for times in zip(*rounds, strict=True))
            print(f"{name:<14}{one:>8.2f}{other:>8.2f}{ratio:>8.2f}")


if __name__ == "__main__":
    main()
