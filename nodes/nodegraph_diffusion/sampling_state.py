"""A sampling run between two steps as plain values, to be kept while it runs and taken up after a crash."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nodegraph import Context

if TYPE_CHECKING:
    from torch import Tensor

    from .diffusion.solvers import State


def plain(state: State, kept: list[Tensor], noisy: list[Tensor]) -> dict[str, Any]:
    """A state and the steps before it, as the cache holds them."""

    def arrays(tensors: Iterable[Tensor]) -> list[Any]:
        return [tensor.cpu().numpy() for tensor in tensors]

    return {
        "step": state.step,
        "x": state.x.cpu().numpy(),
        "x0": None if state.x0 is None else state.x0.cpu().numpy(),
        "history": arrays(state.history),
        "kept": arrays(kept),
        "noisy": arrays(noisy),
    }


def resumed(ctx: Context, like: Tensor, kept: list[Tensor], noisy: list[Tensor]) -> State | None:
    """Where an interrupted call was, on the device of `like`; the steps before go into `kept` and `noisy`."""
    import torch

    from .diffusion.solvers import State

    found = ctx.resumed()
    if found is None:
        return None

    def tensor(array: Any) -> Tensor:
        return torch.from_numpy(array.copy())

    kept.extend(map(tensor, found["kept"]))
    noisy.extend(map(tensor, found["noisy"]))
    x0 = None if found["x0"] is None else tensor(found["x0"]).to(like)
    history = tuple(tensor(array).to(like) for array in found["history"])
    return State(found["step"], tensor(found["x"]).to(like), x0, history)
