"""What a sweep costs beside its sampling: a 4 x 4 sweep over cfg and seed against its sixteen `Sample` calls alone."""

from __future__ import annotations

import time
from pathlib import Path

from nodegraph import Engine, Folders
from nodegraph.events import Event, Finished

WORKFLOWS = Path(__file__).parents[2] / "workflows"
AXES: dict[str, list[float]] = {"cfg": [2.0, 4.0, 6.0, 8.0], "seed": [0, 1, 2, 3]}


def main() -> None:
    sampling: list[float] = []

    def watch(event: Event) -> None:
        if isinstance(event, Finished) and event.node == "sample":
            sampling.append(event.seconds)

    with Engine(folders=Folders(base=WORKFLOWS)) as engine:
        workflow = engine.load(WORKFLOWS / "txt2img.json")
        engine.run(workflow, targets=["sample"], seed=99)  # torch is imported and the model is loaded
        began = time.perf_counter()
        cells = list(engine.sweep(workflow, AXES, targets=["sample"], on_event=watch))
        whole = time.perf_counter() - began
    ratio = whole / sum(sampling)
    print(
        f"{len(cells)} cells: {whole:.2f} s, of which sampling {sum(sampling):.2f} s; ratio {ratio:.3f} (at most 1.05)"
    )


if __name__ == "__main__":
    main()
