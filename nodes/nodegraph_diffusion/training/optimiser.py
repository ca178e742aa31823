"""Muon for matrices, Adam for the rest, and the learning rate over a run.

Muon (Jordan et al. 2024) replaces a matrix's momentum by the nearest semi-orthogonal matrix, found with a Newton-Schulz
iteration, so every direction of a layer learns at the same speed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import overload

import torch
from torch import Tensor, nn


def orthogonalise(matrix: Tensor, iterations: int = 5) -> Tensor:
    """Singular values of `matrix` (m, n) moved to about 1 (0.7 to 1.2), its singular vectors kept.

    The quintic iteration `x <- (a + b g + c g g) x` with `g = x x^T` runs on `g` alone and is applied to `x` once, as
    all its factors are polynomials of one symmetric matrix. A kernel of 192 x 1728 then costs a third.
    """
    a, b, c = 3.4445, -4.7750, 2.0315  # steepest slope at 0 that still converges into that band
    x: Tensor = matrix / (matrix.norm() + 1e-7)
    if tall := x.shape[0] > x.shape[1]:
        x = x.mT
    gram = x @ x.mT
    product: Tensor | None = None
    for remaining in reversed(range(iterations)):
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        product = factor if product is None else factor @ product
        if remaining:
            gram = factor @ gram @ factor
    x = x if product is None else product @ x
    return x.mT if tall else x


def is_matrix(name: str, parameter: Tensor) -> bool:
    """Whether Muon learns this parameter: kernels and projections, but not embeddings nor the first and last layers."""
    outer = ("conv_in", "conv_out", "quant_conv", "embedding")
    return parameter.ndim >= 2 and min(parameter.shape[:2]) > 4 and not any(word in name for word in outer)


class Muon(torch.optim.Optimizer):
    """One optimiser for all parameters of `modules`: Muon where `is_matrix`, Adam (0.9, 0.99) elsewhere.

    Args:
        lr: Of the matrices, as the root mean square of one step relative to an orthogonal matrix's entries.
        adam_lr: Of the others.
        decay: Decoupled weight decay of the matrices.
    """

    def __init__(self, modules: Iterable[nn.Module], lr: float, adam_lr: float, decay: float = 0.0) -> None:
        named = [item for module in modules for item in module.named_parameters() if item[1].requires_grad]
        matrices = [p for name, p in named if is_matrix(name, p)]
        others = [p for name, p in named if not is_matrix(name, p)]
        groups = [
            {"params": matrices, "muon": True, "lr": lr, "base": lr, "decay": decay},
            {"params": others, "muon": False, "lr": adam_lr, "base": adam_lr, "decay": 0.0},
        ]
        super().__init__(groups, {})

    def scale(self, factor: float) -> None:
        """Set every learning rate to `factor` times what it was made with."""
        for group in self.param_groups:
            group["lr"] = group["base"] * factor

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        if closure is not None:
            raise ValueError("Muon takes no closure: compute the gradients first, then call step()")
        for group in self.param_groups:
            update = self._muon if group["muon"] else self._adam
            for parameter in group["params"]:
                if parameter.grad is not None:
                    update(parameter, parameter.grad, group["lr"], group["decay"])
        return None

    def _muon(self, parameter: Tensor, gradient: Tensor, lr: float, decay: float) -> None:
        state = self.state[parameter]
        momentum: Tensor = state.setdefault("momentum", torch.zeros_like(parameter))
        momentum.lerp_(gradient, 0.05)
        nesterov = gradient.lerp(momentum, 0.95).flatten(1)
        direction = orthogonalise(nesterov) * max(1.0, nesterov.shape[0] / nesterov.shape[1]) ** 0.5
        parameter.mul_(1 - lr * decay).add_(direction.view_as(parameter), alpha=-lr)

    def _adam(self, parameter: Tensor, gradient: Tensor, lr: float, decay: float) -> None:
        state = self.state[parameter]
        first: Tensor = state.setdefault("first", torch.zeros_like(parameter))
        second: Tensor = state.setdefault("second", torch.zeros_like(parameter))
        count: Tensor = state.setdefault("count", torch.zeros(()))
        count += 1
        first.lerp_(gradient, 0.1)
        second.lerp_(gradient.square(), 0.01)
        times = count.item()
        root = (second / (1 - 0.99**times)).sqrt_().add_(1e-8)
        parameter.mul_(1 - lr * decay).addcdiv_(first, root, value=-lr / (1 - 0.9**times))
