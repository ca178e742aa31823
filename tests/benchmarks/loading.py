"""Loading a checkpoint of 4.3 GB: our loader beside diffusers' `from_single_file`.

Run `python tests/benchmarks/loading.py [--folder DIR] [--rounds N] [--dtype float16] [--cold]`. The first run writes
Stable Diffusion 1.5's true architecture with random weights (float32, original key layout) into DIR. Every measurement
is a process of its own, and the two loaders take turns, since a machine's speed drifts. Measured are

- `load`: seconds from the imported libraries to denoiser, text encoder, VAE and tokenizer, ready to run;
- `first use`: seconds of one prompt, one step at 256 x 256 and one small decoding, which would pay for pages that
  loading left unread;
- `peak`: the process's largest resident memory in GB, pages of the mapped file included;
- `own`: what of it is copies in memory of its own, not pages that the system shares and can drop.

`--dtype` converts while loading. `--cold` drops the file from the system's cache before each run (Linux).
The last line gives ours / diffusers (medians): below 1 is better.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATHS = [str(ROOT / "tests")]
MEASURED = ("load", "first use", "peak", "own")


def prepare(folder: Path) -> Path:
    """The checkpoint, and beside it the local folder of configurations that diffusers needs to stay off the network."""
    from diffusion import layouts

    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "config").is_dir():
        shutil.copytree(layouts.ASSETS / "configs" / "sd15", folder / "config")
        shutil.copytree(layouts.ASSETS / "tokenizers" / "clip", folder / "config" / "tokenizer")
    path = folder / "sd15.safetensors"
    if not path.is_file():
        print(f"writing {path} (4.3 GB) ...", file=sys.stderr)
        layouts.save_single(layouts.build("sd15", tiny=False), path.with_suffix(".part"))
        path.with_suffix(".part").rename(path)
    return path


def measure(who: str, path: Path, dtype_name: str) -> dict[str, float]:
    """Load and take one step in this process."""
    import torch
    from diffusers import StableDiffusionPipeline

    from nodegraph_diffusion.checkpoint import open_model
    from nodegraph_diffusion.diffusion.loading import load_denoiser, load_text_encoder, load_vae

    torch.set_num_threads(os.cpu_count() or 1)
    dtype, device = getattr(torch, dtype_name), torch.device("cpu")
    before = own_memory()
    start = time.perf_counter()
    if who == "ours":
        checkpoint = open_model(str(path))
        unet, vae = load_denoiser(checkpoint, dtype, device), load_vae(checkpoint, dtype, device)
        text = load_text_encoder(checkpoint, dtype, device).model
    else:
        pipeline = StableDiffusionPipeline.from_single_file(
            str(path), config=str(path.parent / "config"), torch_dtype=dtype, local_files_only=True
        )
        unet, vae, text = pipeline.unet, pipeline.vae, pipeline.text_encoder
    load = time.perf_counter() - start
    own = own_memory() - before
    with torch.inference_mode():
        start = time.perf_counter()
        tokens = text(torch.zeros(2, 77, dtype=torch.long)).last_hidden_state
        latents = unet(torch.zeros(2, 4, 32, 32, dtype=dtype), torch.tensor(500), tokens).sample
        vae.decode(latents[:1, :, :8, :8])
        use = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"load": load, "first use": use, "peak": peak / 1e9, "own": own / 1e9}


def own_memory() -> int:
    """Bytes of anonymous memory of this process."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["RssAnon"].split()[0]) * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "nodegraph-bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", choices=("float32", "float16", "bfloat16"), default="float32")
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--measure", choices=("ours", "diffusers"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    sys.path[:0] = PATHS
    if options.measure:
        print(json.dumps(measure(options.measure, options.folder / "sd15.safetensors", options.dtype)))
        return
    path = prepare(options.folder)
    results: dict[str, list[dict[str, float]]] = {"ours": [], "diffusers": []}
    print(f"{'':10}" + "".join(f"{name:>12}" for name in MEASURED))
    for _ in range(options.rounds):
        for who, found in results.items():
            warm_or_cold(path, options.cold)
            arguments = ["--folder", str(options.folder), "--dtype", options.dtype, "--measure", who]
            done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=True)
            found.append(json.loads(done.stdout.splitlines()[-1]))
            print(f"{who:10}" + "".join(f"{found[-1][name]:12.2f}" for name in MEASURED), flush=True)
    medians = {who: {n: statistics.median(r[n] for r in rows) for n in MEASURED} for who, rows in results.items()}
    ratios = (medians["ours"][n] / max(medians["diffusers"][n], 1e-3) for n in MEASURED)
    print(f"{'ratio':10}" + "".join(f"{ratio:12.2f}" for ratio in ratios))


def warm_or_cold(path: Path, cold: bool) -> None:
    with path.open("rb") as file:
        if cold:
            os.sync()
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        else:
            while file.read(1 << 24):
                pass


if __name__ == "__main__":
    main()
