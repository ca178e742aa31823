"""A sampling run between two steps as plain values, to be kept while it runs and taken up after a crash."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nodegraph import Context

if TYPE_CHECKING:
    from torch import Tensor

    from .diffusion.guidance import Memory
    from .diffusion.solvers import State


def plain(state: State, kept: list[Tensor], noisy: list[Tensor], memory: Memory | None = None) -> dict[str, Any]:
    """A state, the steps before it and what guidance remembers of them, as the cache holds them."""

    from torch import Tensor

    def arrays(tensors: Iterable[Tensor]) -> list[Any]:
        return [tensor.cpu().numpy() for tensor in tensors]

    return {
        "step": state.step,
        "x": state.x.cpu().numpy(),
        "x0": None if state.x0 is None else state.x0.cpu().numpy(),
        "history": arrays(state.history),
        "kept": arrays(kept),
        "noisy": arrays(noisy),
        "guidance": arrays([memory.running_average] if memory and isinstance(memory.running_average, Tensor) else []),
    }


def resumed(
    ctx: Context, like: Tensor, kept: list[Tensor], noisy: list[Tensor], memory: Memory | None = None
) -> State | None:
    """Where an interrupted call was, on the device of `like`; the steps before go into `kept` and `noisy`, and what
    guidance remembered into `memory`."""
    import torch

    from .diffusion.solvers import State

    found = ctx.resumed()
    if found is None:
        return None

    def tensor(array: Any) -> Tensor:
        return torch.from_numpy(array.copy())

    kept.extend(map(tensor, found["kept"]))
    noisy.extend(map(tensor, found["noisy"]))
    if memory is not None and found["guidance"]:
        memory.running_average = tensor(found["guidance"][0]).to(like)
    x0 = None if found["x0"] is None else tensor(found["x0"]).to(like)
    history = tuple(tensor(array).to(like) for array in found["history"])
    return State(found["step"], tensor(found["x"]).to(like), x0, history)
