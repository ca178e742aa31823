"""The loop all stages share: steps, a log, and checkpoints from which a killed run goes on as if nothing had been."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch

from .learner import Learner

Report = Callable[[str], None]


class Stage(Protocol):
    """Something trained in `steps` steps. Step `index` is a function of `index` and of what `learner` holds alone."""

    @property
    def name(self) -> str: ...

    @property
    def steps(self) -> int: ...

    @property
    def learner(self) -> Learner[Any]: ...

    def step(self, index: int) -> float:
        """Learn from one batch; return its loss."""
        ...

    def measure(self) -> dict[str, float]:
        """Figures on examples that no stage learns from."""
        ...


def train(
    stage: Stage,
    folder: Path,
    report: Report,
    *,
    save_seconds: float = 180,
    log_steps: int = 250,
    say_seconds: float = 30,
) -> None:
    """Run `stage` to its end, from `folder`/<name>.checkpoint where there is one.

    Every `log_steps` steps a line of JSON goes to `folder`/<name>.jsonl: the step, the seconds spent by the clock and
    by the processors (earlier processes included), the mean loss since the last line and `stage.measure()`.
    Between those lines the step is reported every `say_seconds`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, log = folder / f"{stage.name}.checkpoint", folder / f"{stage.name}.jsonl"
    start, before, losses = 0, {"seconds": 0.0, "cpu": 0.0}, list[float]()
    if checkpoint.is_file():
        saved = torch.load(checkpoint, weights_only=True)
        start, before, losses = saved["step"], saved["spent"], saved["losses"]
        stage.learner.restore(saved["learner"])
        report(f"{stage.name}: goes on at step {start} of {stage.steps}")
    clock, cpu = time.monotonic(), time.process_time()

    def spent() -> dict[str, float]:
        now = {"seconds": time.monotonic() - clock, "cpu": time.process_time() - cpu}
        return {name: before[name] + value for name, value in now.items()}

    saved_at = said_at = clock
    for index in range(start, stage.steps):
        losses.append(stage.step(index))
        done = index + 1
        if done % log_steps == 0 or done == stage.steps:
            figures = {"loss": sum(losses) / len(losses), **stage.measure()}
            losses.clear()
            line = {"step": done, **{name: round(value) for name, value in spent().items()}, **figures}
            with log.open("a") as file:
                file.write(json.dumps(line) + "\n")
            report(f"{stage.name}: " + ", ".join(f"{name} {value:.6g}" for name, value in line.items()))
            said_at = time.monotonic()
        elif time.monotonic() - said_at > say_seconds:
            report(f"{stage.name}: step {done} of {stage.steps}")
            said_at = time.monotonic()
        if done == stage.steps or time.monotonic() - saved_at > save_seconds:
            save(checkpoint, {"step": done, "spent": spent(), "losses": losses, "learner": stage.learner.state()})
            saved_at = time.monotonic()


def save(path: Path, value: dict[str, Any]) -> None:
    """Write `value` so that `path` holds the old or the new one at any moment."""
    part = path.with_name(path.name + ".part")
    torch.save(value, part)
    part.replace(path)


def rate(step: int, steps: int, decay_from: float, warm_steps: int = 30) -> float:
    """What the learning rates are multiplied by: rises for `warm_steps`, then 1, falls to 0 after `decay_from`."""
    rest = (steps - step) / max(1.0, steps * (1 - decay_from))
    return min(1.0, (step + 1) / warm_steps, rest)
