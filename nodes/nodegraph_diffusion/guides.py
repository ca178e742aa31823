"""How a model is guided, as values on its edge: how outputs are combined, and what it is led away from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .diffusion.guidance import Combine, Memory


@dataclass(frozen=True, slots=True)
class Guider:
    """How the outputs for the positive and the negative prompt are combined, where it is not the usual guidance."""

    kind: str
    eta: float
    limit: float
    momentum: float = 0.0

    def memory(self) -> Memory | None:
        """What a run remembers of its steps, if it does."""
        from .diffusion.guidance import Memory

        return Memory(self.momentum) if self.kind == "projected" and self.momentum else None

    def combine(self, memory: Memory | None = None) -> Combine:
        from .diffusion import guidance

        if self.kind == "projected":
            return guidance.projected(self.eta, self.limit, memory)
        return {"zero_star": guidance.zero_star, "tangential": guidance.tangential}[self.kind]()


@dataclass(frozen=True, slots=True)
class Weakening:
    """How a denoiser is made worse, so that its output can be moved away from what it then says.

    Args:
        layers: Which layers are changed, see `diffusion.weakening`.
        scale: How far the output is moved.
        start, end: The part of the steps on which that is done, 0..1; or `by_noise` of the noise that the model was
            trained on.
    """

    kind: Literal["perturbed", "skip_layer"]
    layers: str
    scale: float
    start: float
    end: float
    by_noise: bool = False
