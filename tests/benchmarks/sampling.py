"""A whole picture on a CPU: our graph beside diffusers' `StableDiffusionPipeline`, same weights, noise and steps.

Run `python tests/benchmarks/sampling.py [--size 256 512] [--steps 6] [--rounds 3] [--folder DIR]`. The first run writes
Stable Diffusion 1.5's true architecture with random weights into DIR (4.3 GB). Every measurement is a process of its
own that makes one picture to warm up and one that is timed, and the four take turns, since a machine's speed drifts:

- `pipeline`: diffusers as it comes;
- `pipeline, tuned`: diffusers in a process set as ours is: allocator and wide convolutions;
- `ours`: a document run by the engine;
- `ours, bfloat16`: the same with `dtype` "bfloat16", where the processor has the instructions (elsewhere: float32).

Printed are seconds and peak memory (GiB), and for each round's pairs the ratios that matter (of seconds, and of the
processors' time, which other work disturbs less): what engine and loop add under equal process settings, and what our
settings save. The last column says how far the bytes are from the
pipeline's: the largest difference of a channel, and the mean.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

WHO = ("pipeline", "pipeline, tuned", "ours", "ours, bfloat16")
PROMPT, SEED, CFG = "a photo of an astronaut riding a horse", 7, 7.5


def prepare(folder: Path) -> Path:
    from diffusion import layouts

    path = folder / "sd15"
    if not path.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        print(f"writing {path} (4.3 GB) ...", file=sys.stderr)
        layouts.save_folder(layouts.build("sd15", tiny=False), path.with_suffix(".part"))
        path.with_suffix(".part").rename(path)
    return path


def by_pipeline(path: Path, size: int, tuned: bool) -> Any:
    import torch
    from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline

    from nodegraph_diffusion.diffusion.convolution import multiply_less

    pipeline = StableDiffusionPipeline.from_pretrained(
        path, torch_dtype=torch.float32, local_files_only=True, safety_checker=None, requires_safety_checker=False
    )
    pipeline.scheduler = EulerDiscreteScheduler.from_config(pipeline.scheduler.config, timestep_spacing="leading")
    pipeline.set_progress_bar_config(disable=True)
    if tuned:
        multiply_less(pipeline.unet)
        multiply_less(pipeline.vae)

    def make(steps: int) -> Any:
        generator = torch.Generator().manual_seed(SEED)
        made = pipeline(
            PROMPT,
            width=size,
            height=size,
            num_inference_steps=steps,
            guidance_scale=CFG,
            generator=generator,
            output_type="np",
        ).images
        return (made[0] * 255 + 0.5).astype("uint8")

    return make


def by_us(path: Path, size: int, dtype: str) -> Any:
    from nodegraph import Engine, compose
    from nodegraph_diffusion.decode import decode
    from nodegraph_diffusion.empty_latent import empty_latent
    from nodegraph_diffusion.encode_prompt import encode_prompt
    from nodegraph_diffusion.load_model import load_model
    from nodegraph_diffusion.sample import sample

    engine = Engine()
    with compose() as document:
        model, text_encoder, vae = load_model(str(path), dtype=dtype)  # type: ignore[arg-type]
        positive, negative = encode_prompt(text_encoder, PROMPT), encode_prompt(text_encoder, "")
        made = sample(
            model, positive, empty_latent(size, size), negative, seed=SEED, steps=document.input("steps", 6), cfg=CFG,
            sampler="euler", schedule="leading",
        )  # fmt: skip
        document.output("image", decode(vae, made.latent))
    workflow = document.workflow
    return lambda steps: engine.run(workflow, steps=steps)["image"].to_bytes()[0]


def measure(who: str, path: Path, size: int, steps: int, picture: Path) -> dict[str, float]:
    """Make one picture in this process, after one to warm up, and keep its bytes."""
    from nodegraph_diffusion.diffusion.allocator import tune_allocator

    if who != "pipeline":
        tune_allocator()  # before torch is imported, as an engine does

    import numpy as np
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    ours = who.startswith("ours")
    dtype = "bfloat16" if "bfloat16" in who else "float32"
    make = by_us(path, size, dtype) if ours else by_pipeline(path, size, tuned="tuned" in who)
    make(1)
    start, cpu = time.perf_counter(), time.process_time()
    made = make(steps)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    np.save(picture, made)
    return {"seconds": seconds, "cpu": cpu, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "nodegraph-bench")
    parser.add_argument("--size", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", choices=WHO, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    pictures = {who: options.folder / f"{who}.npy" for who in WHO}
    if options.measure:
        (size,) = options.size
        found = measure(options.measure, options.folder / "sd15", size, options.steps, pictures[options.measure])
        print(json.dumps(found))
        return
    prepare(options.folder)
    for size in options.size:
        compare(options, size, pictures)


def compare(options: argparse.Namespace, size: int, pictures: dict[str, Path]) -> None:
    import numpy as np
    import torch

    from nodegraph_diffusion.diffusion.devices import computes

    results: dict[str, list[dict[str, float]]] = {who: [] for who in (WHO if computes(torch.bfloat16) else WHO[:-1])}
    for _ in range(options.rounds):
        for who in results:
            own = ["--folder", str(options.folder), "--size", str(size), "--steps", str(options.steps)]
            command = [sys.executable, __file__, *own, "--measure", who]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            results[who].append(json.loads(done.stdout.splitlines()[-1]))
    plain = np.load(pictures["pipeline"]).astype(int)
    for who, rows in results.items():
        seconds, peak = (statistics.median(row[what] for row in rows) for what in ("seconds", "peak"))
        apart = abs(np.load(pictures[who]).astype(int) - plain)
        print(f"{size:4} {who:16} {seconds:7.2f} s {peak:6.2f} GiB   bytes differ by {apart.max()}, {apart.mean():.4f}")
    for ours, theirs in (("ours", "pipeline, tuned"), ("ours", "pipeline"), ("ours, bfloat16", "pipeline")):
        if ours not in results:
            continue
        pairs = list(zip(results[ours], results[theirs], strict=True))
        ratio, of_cpu = (statistics.median(a[what] / b[what] for a, b in pairs) for what in ("seconds", "cpu"))
        print(f"{size:4} {ours} / {theirs}: {ratio:.3f}, of processor time {of_cpu:.3f}", flush=True)


if __name__ == "__main__":
    main()
