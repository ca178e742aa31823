"""Documents written in Python, where a node is called like the function it is.

>>> with compose("Text to image") as w:
...     model, text_encoder, vae = load_model("demo")
...     prompt = encode_prompt(text_encoder, w.input("prompt", "a cat on a blue background"))
...     latent, _ = sample(model, prompt, empty_latent(width=128, height=128), seed=w.input("seed", 7))
...     w.output("image", decode(vae, latent))
>>> w.workflow

Inside the block a call records a node and returns handles for its outputs; type checkers see the real signatures. A
link or a value that does not fit raises on the line that made it, in the compiler's words.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from .context import Folders
from .node import Node, snake
from .pack import Registry
from .plan import Check
from .problems import InvalidWorkflow, Problem
from .workflow import Ref, Step, Workflow

T = TypeVar("T")
_RECORDING: ContextVar[compose | None] = ContextVar("recording", default=None)


def recording() -> compose | None:
    """The `compose` block around the caller, if there is one."""
    return _RECORDING.get()


@dataclass(frozen=True, slots=True)
class Handle:
    """An output of a recorded node."""

    node: str
    port: str


@dataclass(frozen=True, slots=True)
class _Given:
    name: str
    default: Any


class compose:
    """Record the nodes called inside a `with` block as a document.

    Args:
        name: What people call the workflow.
        registry: The node types; by default those of every installed pack.
        folders: Where relative file names are looked for.
    """

    def __init__(self, name: str = "", registry: Registry | None = None, folders: Folders | None = None) -> None:
        self.name = name
        self.registry = registry if registry is not None else Registry.installed()
        self._steps: dict[str, Step] = {}
        self._problems: list[Problem] = []
        self._check = Check(self.registry.coercions, folders or Folders(), self._steps, self._problems)
        self._inputs: dict[str, dict[str, Any]] = {}
        self._outputs: dict[str, Handle] = {}
        self._token: Token[compose | None] | None = None

    def __enter__(self) -> Self:
        self._token = _RECORDING.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._token is not None
        _RECORDING.reset(self._token)
        unused = [name for name, exposed in self._inputs.items() if not exposed["to"]]
        if unused and kind is None:
            raise ValueError(f"the inputs {unused} feed nothing; pass what w.input() returns to a node")

    def input(self, name: str, default: T, title: str = "", description: str = "") -> T:
        """Expose an input under `name`. Pass what it returns to one node or several."""
        if name in self._inputs:
            raise ValueError(f"the input {name!r} exists already; pass the first one to several nodes")
        exposed = {"to": [], "title": title, "description": description}
        self._inputs[name] = exposed
        return cast("T", _Given(name, default))

    def output(self, name: str, value: object) -> None:
        """Name a node's output as one of the workflow's."""
        if not isinstance(value, Handle):
            raise TypeError(f"output {name!r} needs what a node returned inside this block, not {value!r}")
        self._outputs[name] = value

    @property
    def workflow(self) -> Workflow:
        """The document recorded so far."""
        nodes = {id: {"type": step.type, "inputs": step.inputs} for id, step in self._steps.items()}
        inputs = {name: exposed for name, exposed in self._inputs.items() if exposed["to"]}
        outputs = {name: Ref(h.node, h.port) for name, h in self._outputs.items()}
        return Workflow.model_validate({"name": self.name, "nodes": nodes, "inputs": inputs, "outputs": outputs})

    def record(self, node: Node[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Add a call of `node`. Raises `InvalidWorkflow` if it does not fit."""
        type_id = self.registry.ids.get(id(node))
        if type_id is None:
            raise LookupError(f"{node.name} is in no pack of this registry; compose(..., registry=...) takes another")
        names = list(node.inputs)
        if len(args) > len(names):
            raise TypeError(f"{node.name} takes {len(names)} inputs, but {len(args)} are given")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        step_id = self._free_id(node)
        inputs: dict[str, Any] = {}
        for name, port in node.inputs.items():
            if name in given:
                inputs[name] = self._argument(f"{step_id}.{name}", given[name])
            elif port.type.literal and not port.required and port.default is not None:
                inputs[name] = _plain(port.default)  # saved, so that a changed default does not change this document
        inputs |= {name: self._argument("", v) for name, v in given.items() if name not in node.inputs}
        step = Step(f"{type_id}@{node.version}", {k: v for k, v in inputs.items() if v is not None})
        self._steps[step_id] = step
        self._check.call(step_id, node, step, len(self._steps))
        if self._problems:
            del self._steps[step_id]
            found, self._problems[:] = list(self._problems), []
            raise InvalidWorkflow(found)
        handles = [Handle(step_id, name) for name in node.outputs]
        returns = typing.get_type_hints(node.fn)["return"] if len(handles) != 1 else None
        if inspect.isclass(returns) and issubclass(returns, tuple):
            return cast("Any", returns)(*handles)
        return handles[0] if handles else None

    def _free_id(self, node: Node[..., Any]) -> str:
        base, number = snake(node.name), 1
        while (name := base if number == 1 else f"{base}_{number}") in self._steps:
            number += 1
        return name

    def _argument(self, target: str, value: Any) -> Any:
        if isinstance(value, Handle):
            return Ref(value.node, value.port)
        if isinstance(value, _Given):
            self._inputs[value.name]["to"].append(target)
            return _plain(value.default)
        if isinstance(value, list | tuple) and value and all(isinstance(v, Handle) for v in value):
            return tuple(Ref(v.node, v.port) for v in value)
        return _plain(value)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
