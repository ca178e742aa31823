"""For which model a file is that holds a text encoder or VAE alone: nothing in it says so, the graph around it does."""

from __future__ import annotations

from collections.abc import Iterator

from .classes import known_classes
from .prompt import Item, Prompt, Wire

ALONE = ("VAELoader", "CLIPLoader", "DualCLIPLoader", "TripleCLIPLoader", "QuadrupleCLIPLoader")
"""Classes whose twins take the model beside what their namesakes take."""
MODEL = "model"
"""That input."""
BESIDE = dict.fromkeys(ALONE, MODEL) | {"LotusConditioning": "text_encoder_from"}
"""Inputs of twins that their namesakes have not."""
ALONG = frozenset({"CONDITIONING", "LATENT", "GUIDER"})
"""Types of links along which what belongs to one model hangs together."""


def model_of(prompt: Prompt, id: str) -> Wire | None:
    """The model that a loader of a part is used with: the only one, or that of the nearest node which has one."""
    roots = {wire for node in prompt for wire in _models(prompt, node)}
    if len(roots) <= 1:
        return next(iter(roots), None)
    seen: set[str] = set()
    next_to = [node for node, item in prompt.items() for _, wire in item.wires() if wire.node == id]
    while next_to:
        for node in next_to:
            if (found := next(_models(prompt, node), None)) is not None:
                return found
        seen.update(next_to)
        next_to = [node for each in next_to for node in _around(prompt, each) if node not in seen]
    return None


def _models(prompt: Prompt, id: str) -> Iterator[Wire]:
    """Where the models come from that a node is given: what loads them, behind all that changes them."""
    for name, wire in prompt[id].wires():
        if _type(prompt[id], name) != "MODEL":
            continue
        behind: Wire | None = wire
        for _ in prompt:
            if behind is None:
                break
            wire, item = behind, prompt[behind.node]
            behind = next((w for n, w in item.wires() if _type(item, n) == "MODEL"), None)
        yield wire


def _around(prompt: Prompt, id: str) -> Iterator[str]:
    """Nodes that a node is linked with along `ALONG`, what it feeds first."""
    for node, item in prompt.items():
        if any(wire.node == id and _type(item, name) in ALONG for name, wire in item.wires()):
            yield node
    for name, wire in prompt[id].wires():
        if _type(prompt[id], name) in ALONG:
            yield wire.node


def _type(item: Item, name: str) -> str:
    known = known_classes().get(item.type)
    port = known.inputs.get(name) if known is not None else None
    return port.type if port is not None else ""
