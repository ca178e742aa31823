"""Static facts along edges: what is known of a value before anything runs.

A fact is a name with a plain value, such as `{"family": "sdxl", "width": 1024}`. A node says those of its outputs in a
function of its own, from its literals, the facts of what is linked to it, and files' headers::

    @sample.facts
    def _(known: Known) -> Outputs:
        known.agree("latent space", "model", "latent", hint="encode the picture with the VAE of the same model")
        return {"latent": known["latent"] | known["model"].only("latent space")}

What does not agree becomes a problem of every port concerned, while editing instead of minutes into a run. A fact that
is not known fits everything. The fact `absent` says why an output gives nothing: linking it is a problem.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from .context import Folders

Fact = str | int | float | bool


class Facts(Mapping[str, Fact]):
    """What is known of one value. Frozen; `|` takes the right side where that knows something."""

    __slots__ = ("_known",)

    def __init__(self, known: Mapping[str, Fact | None] = MappingProxyType({}), **more: Fact | None) -> None:
        self._known = {name: value for name, value in {**known, **more}.items() if value is not None}

    def __getitem__(self, name: str) -> Fact:
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __or__(self, other: Mapping[str, Fact | None]) -> Facts:
        return Facts({**self._known, **{name: value for name, value in other.items() if value is not None}})

    def only(self, *names: str) -> Facts:
        """Those of these names."""
        return Facts({name: self._known[name] for name in names if name in self._known})

    def without(self, *names: str) -> Facts:
        """Those of other names."""
        return Facts({name: value for name, value in self._known.items() if name not in names})

    def size(self, name: str) -> int | None:
        """A fact that counts something, such as a width."""
        found = self._known.get(name)
        return found if isinstance(found, int) else None

    def __repr__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self._known.items())


NONE = Facts()
Outputs = Mapping[str, Facts]
"""The facts of a node's outputs, by port."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a node's facts function may look at.

    Args:
        literals: The node's literal inputs, with defaults.
        links: For each linked input, the name `node.port` and the facts of each source.
        folders: Where files are.
    """

    literals: Mapping[str, Any]
    links: Mapping[str, tuple[tuple[str, Facts], ...]] = field(default_factory=dict)
    folders: Folders = field(default_factory=Folders)
    refused: list[tuple[str, str]] = field(default_factory=list)
    """Ports with what is wrong with them."""

    def __getitem__(self, port: str) -> Facts:
        """What is known of all that is linked to `port`; nothing where nothing is."""
        found = [facts for _, facts in self.links.get(port, ())]
        if len(found) == 1:
            return found[0]
        first = found[0] if found else NONE
        return Facts({n: v for n, v in first.items() if all(f.get(n) == v for f in found)})

    def __contains__(self, port: str) -> bool:
        """Whether something is linked to `port`."""
        return bool(self.links.get(port))

    def value(self, name: str) -> Any:
        """The literal in `name`; None where a link feeds it."""
        return self.literals.get(name)

    def count(self, name: str) -> int | None:
        """The literal integer in `name`, where no link feeds it."""
        found = self.literals.get(name)
        return found if isinstance(found, int) else None

    def refuse(self, port: str, message: str) -> None:
        """Make `message` a problem of `port`."""
        self.refused.append((port, message))

    def agree(self, name: str, *ports: str, hint: str, same: Callable[[Fact, Fact], bool] | None = None) -> Fact | None:
        """The fact `name` that all `ports` share; every port that differs from the first, and that one, is refused.

        Args:
            hint: What to do where they differ.
            same: When two values go together, if not when they are equal.
        Returns:
            The fact of the first port that knows it.
        """
        told = [(port, source, facts[name]) for port in ports for source, facts in self.links.get(port, ())
                if name in facts]  # fmt: skip
        if not told:
            return None
        first, whose, wanted = told[0]
        for port, source, value in told[1:]:
            if value == wanted or (same is not None and same(wanted, value)):
                continue
            self.refuse(port, f"needs {name} {wanted!r}, as {whose} has it, but {source} has {value!r}; {hint}")
            if port != first:
                self.refuse(first, f"{whose} has {name} {wanted!r}, but {source}, in {port}, has {value!r}; {hint}")
        return wanted


Rule = Callable[[Known], Outputs]
