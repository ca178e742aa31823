"""What a person at a command line waits for: `check` of 30 nodes, `nodes`, and a run whose results are all cached.

Every figure is the median of whole processes, start included; torch must not be imported by any of them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROUNDS = 7
ROOT = Path(__file__).resolve().parents[2]


def thirty_nodes() -> dict[str, Any]:
    """txt2img with its last part repeated until the document has 30 nodes."""
    document: dict[str, Any] = json.loads((ROOT / "workflows" / "txt2img.json").read_text())
    nodes, last = document["nodes"], "enlarge"
    while len(nodes) < 30:
        nodes[f"crop{len(nodes)}"] = {
            "type": "Crop@1",
            "inputs": {"image": {"$from": f"{last}.image"}, "x": 0, "y": 0, "width": 32, "height": 32},
        }
        last = f"crop{len(nodes) - 1}"
    return document


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder, "thirty.json")
        large.write_text(json.dumps(thirty_nodes()))
        environment = os.environ | {"NODEGRAPH_CACHE": str(Path(folder, "cache"))}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else every start compiles our modules
        txt2img = str(ROOT / "workflows" / "txt2img.json")
        commands = {
            "check, 30 nodes": ["check", str(large)],
            "nodes": ["nodes", "--json"],
            "run, all cached": ["run", txt2img, "--out", folder],
        }
        run = [sys.executable, "-c", "import sys; from nodegraph.cli import main; main(sys.argv[1:])"]
        first = time.perf_counter()
        subprocess.run([*run, *commands["run, all cached"]], env=environment, stdout=subprocess.DEVNULL, check=True)
        print(f"{'run, nothing cached':22} {time.perf_counter() - first:6.2f} s")
        for name, arguments in commands.items():
            times = []
            for _ in range(ROUNDS):
                start = time.perf_counter()
                subprocess.run([*run, *arguments], env=environment, stdout=subprocess.DEVNULL, check=True)
                times.append(time.perf_counter() - start)
            print(f"{name:22} {statistics.median(times):6.2f} s")


if __name__ == "__main__":
    main()
