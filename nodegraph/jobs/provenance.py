"""What a picture was made of: its prompt, seed and model, read from the plan that made it.

The rule goes by what the catalogue says of inputs, not by names of nodes, so it holds for every pack: walking upstream
from the node that saved, a seed is an input with the widget "seed", a model one whose values are the list "models", and
a prompt a text in a "textarea". Texts that come in through an input called `negative` are the negative prompt.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from ..node import Choices, Input, Widget
from ..plan import Plan

NEGATIVE = "negative"


class Provenance(NamedTuple):
    prompt: str = ""
    negative: str = ""
    seed: int | None = None
    model: str = ""


def provenance(plan: Plan, node: str) -> Provenance:
    """What the output of `node` was made of. Of several seeds or models the nearest counts; texts are joined."""
    texts: dict[bool, list[str]] = {False: [], True: []}
    seed: int | None = None
    model = ""
    waiting, seen = deque([(node, False)]), {(node, False)}
    while waiting:
        id, negative = waiting.popleft()
        call = plan.calls[id]
        for name, value in call.literals.items():
            port = call.node.inputs[name]
            if isinstance(value, str) and value and _is_text(port) and value not in texts[negative]:
                texts[negative].append(value)
            elif seed is None and isinstance(value, int) and _has_widget(port, "seed"):
                seed = value
            elif not model and isinstance(value, str) and Choices("models") in port.metadata:
                model = value
        for name, edges in call.edges.items():
            for edge in edges:
                step = (edge.source, negative or name == NEGATIVE)
                if step not in seen:
                    seen.add(step)
                    waiting.append(step)
    return Provenance("\n".join(texts[False]), "\n".join(texts[True]), seed, model)


def _is_text(port: Input) -> bool:
    return str in port.type.members and _has_widget(port, "textarea")


def _has_widget(port: Input, kind: str) -> bool:
    return any(isinstance(m, Widget) and m.kind == kind for m in port.metadata)
