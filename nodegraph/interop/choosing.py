"""Names of files as the lists of models have them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

from ..library import KINDS
from ..pack import nearest
from ..problems import Problem

Offered = Callable[[str], Collection[str] | None]
"""Lists the choices of a name; None where they are not known."""
NAMED = {**KINDS, "controls": "ControlNet"}
"""What is in the lists of files, of which ComfyUI has one for ControlNets and T2I-Adapters together."""


def nothing(name: str) -> None:
    """Knows no choices."""


def find_choice(name: Any, listed: str, offered: Offered, notes: list[Problem], at: tuple[str, str]) -> Any:
    """A file's name as a list of choices has it: the same, or the only one whose file is called so.

    Args:
        listed: The list's name.
        at: The node and input that it is for.
    """
    known = offered(listed) if isinstance(name, str) else None
    if known is None or name in known:
        return name
    kind = NAMED.get(listed, "file")
    asked = name.replace("\\", "/")
    for same in (str, _base, _bare):
        found = [each for each in known if same(each) == same(asked)]
        if len(found) == 1:
            notes.append(Problem("changed", *at, f"the {kind} {name!r} is taken to be {found[0]!r}"))
            return found[0]
    hint = nearest(_base(asked), known) or nearest(_bare(asked), [_bare(each) for each in known])
    notes.append(Problem("missing_model", *at, f"no {kind} {name!r} is in the folders of models{hint}"))
    return name


def _base(name: str) -> str:
    return name.rpartition("/")[2].lower()


def _bare(name: str) -> str:
    """A file's name without folders, its ending and what sets versions of it apart."""
    return re.sub(r"\.(safetensors|ckpt|pt|pth|bin)$", "", _base(name))
