"""Muon for matrices, Adam for the rest, and the learning rate over a run.

Muon (Jordan et al. 2024) replaces a matrix's momentum by the nearest semi-orthogonal matrix, found with a Newton-Schulz
iteration, so every direction of a layer learns at the same speed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import overload

import torch
from torch import Tensor, nn


def orthogonalise(matrices: Sequence[Tensor], iterations: int = 5) -> list[Tensor]:
    """Singular values of each matrix (m, n) moved to about 1 (0.7 to 1.2), its singular vectors kept.

    The quintic iteration `x <- (a + b g + c g g) x` with `g = x x^T` runs on `g` alone and is applied to `x` once, as
    all its factors are polynomials of one symmetric matrix. A kernel of 192 x 1728 then costs a third, and all matrices
    of one shorter side iterate as one stack, which takes half the time again.
    """
    a, b, c = 3.4445, -4.7750, 2.0315  # steepest slope at 0 that still converges into that band
    wide = [x.mT if x.shape[0] > x.shape[1] else x for x in matrices]
    sides = defaultdict[int, list[int]](list)
    for number, x in enumerate(wide):
        sides[x.shape[0]].append(number)
    found: list[Tensor] = list(matrices)
    for numbers in sides.values():
        norms = [wide[number].norm() + 1e-7 for number in numbers]
        grams = [(wide[number] @ wide[number].mT) / norm**2 for number, norm in zip(numbers, norms, strict=True)]
        gram = torch.stack(grams)
        product: Tensor | None = None
        for remaining in reversed(range(iterations)):
            factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
            factor.diagonal(dim1=1, dim2=2).add_(a)
            product = factor if product is None else factor @ product
            if remaining:
                gram = factor @ gram @ factor
        assert product is not None
        for number, norm, of_one in zip(numbers, norms, product, strict=True):
            x = of_one @ wide[number] / norm
            found[number] = x.mT if matrices[number].shape[0] > matrices[number].shape[1] else x
    return found


def as_matrix(parameter: Tensor) -> Tensor:
    """A kernel (out, in, h, w) as (out, h w in), its layout in memory when it is channels-last; a matrix as it is."""
    return parameter.movedim(1, -1).flatten(1)


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
            {"params": others, "muon": False, "lr": adam_lr, "base": adam_lr},
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
        matrices, others = self.param_groups
        self._muon([p for p in matrices["params"] if p.grad is not None], matrices["lr"], matrices["decay"])
        for parameter in others["params"]:
            if parameter.grad is not None:
                self._adam(parameter, parameter.grad, others["lr"])
        return None

    def _muon(self, parameters: Sequence[Tensor], lr: float, decay: float) -> None:
        nesterov = []
        for parameter in parameters:
            momentum: Tensor = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
            assert parameter.grad is not None
            momentum.lerp_(parameter.grad, 0.05)
            nesterov.append(as_matrix(parameter.grad.lerp(momentum, 0.95)))
        for parameter, direction in zip(parameters, orthogonalise(nesterov), strict=True):
            reach = max(1.0, direction.shape[0] / direction.shape[1]) ** 0.5
            moved = direction.view(parameter.movedim(1, -1).shape).movedim(-1, 1)
            parameter.mul_(1 - lr * decay).add_(moved, alpha=-lr * reach)

    def _adam(self, parameter: Tensor, gradient: Tensor, lr: float) -> None:
        state = self.state[parameter]
        first: Tensor = state.setdefault("first", torch.zeros_like(parameter))
        second: Tensor = state.setdefault("second", torch.zeros_like(parameter))
        count: Tensor = state.setdefault("count", torch.zeros(()))
        count += 1
        first.lerp_(gradient, 0.1)
        second.lerp_(gradient.square(), 0.01)
        times = count.item()
        root = (second / (1 - 0.99**times)).sqrt_().add_(1e-8)
        parameter.addcdiv_(first, root, value=-lr / (1 - 0.9**times))
