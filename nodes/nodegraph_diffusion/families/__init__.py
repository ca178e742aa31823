"""The families of models: one small file each, which says only what differs. Importing them does not import torch.

Every module of this package that defines `FAMILY` is one; nothing else has to know of it. `docs/models.md` shows how
to add one.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from .family import UNTOLD, Control, Encoded, Encoder, Family, Job, Parts, Residuals

__all__ = ["FAMILIES", "UNTOLD", "Control", "Encoded", "Encoder", "Family", "Job", "Parts", "Residuals"]


def _found() -> Mapping[str, Family]:
    modules = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    families: list[Family] = [module.FAMILY for module in modules if hasattr(module, "FAMILY")]
    return MappingProxyType({family.name: family for family in sorted(families, key=lambda f: (f.rank, f.name))})


FAMILIES: Mapping[str, Family] = _found()
"""By name, in the order in which a model is offered to them."""
