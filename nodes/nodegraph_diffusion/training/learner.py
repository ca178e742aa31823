"""What one step changes: modules, their running averages and their optimiser."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from .optimiser import Muon

M = TypeVar("M", bound=nn.Module)


class Learner(Generic[M]):
    """Trains the parameters of `modules` that require a gradient.

    `averages` are frozen copies that follow the modules and keep `average` of themselves at each step (less at first,
    so that they are not of the first weights): what is measured and exported, as they forget the noise of one batch.
    """

    def __init__(self, modules: Sequence[M], *, rate: float, adam_rate: float, average: float) -> None:
        self.modules = list(modules)
        self.averages = [copy.deepcopy(module).eval().requires_grad_(False) for module in modules]
        self.optimiser = Muon(modules, rate, adam_rate)
        self.average = average

    def learn(self, loss: Tensor, index: int, factor: float) -> None:
        """One step down the gradient of `loss`, at `factor` times the learning rates; `index` is the step's number."""
        self.optimiser.scale(factor)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_([p for module in self.modules for p in module.parameters()], 1.0)
        self.optimiser.step()
        keep = min(self.average, (1 + index) / (10 + index))
        with torch.no_grad():
            for average, module in zip(self.averages, self.modules, strict=True):
                for mean, value in zip(average.parameters(), module.parameters(), strict=True):
                    mean.lerp_(value, 1 - keep)

    def state(self) -> dict[str, Any]:
        return {
            "modules": [module.state_dict() for module in self.modules],
            "averages": [module.state_dict() for module in self.averages],
            "optimiser": self.optimiser.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        restore(self.modules, state["modules"])
        restore(self.averages, state["averages"])
        self.optimiser.load_state_dict(state["optimiser"])


def restore(modules: Sequence[nn.Module], states: Sequence[dict[str, Any]]) -> None:
    """Give each module its saved values."""
    for module, state in zip(modules, states, strict=True):
        module.load_state_dict(state)
