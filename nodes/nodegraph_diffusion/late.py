"""numpy, imported when it is first used: checking a document needs none, and would wait a tenth of a second for it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
else:

    class _Late:
        """A module by name. Each attribute is fetched once."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, attribute: str) -> Any:
            if attribute.startswith("__"):
                raise AttributeError(attribute)
            value = getattr(import_module(self._name), attribute)
            setattr(self, attribute, value)
            return value

    np = _Late("numpy")

__all__ = ["np"]
