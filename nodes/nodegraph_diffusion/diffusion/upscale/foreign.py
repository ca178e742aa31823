"""Upscalers that people have, through spandrel: it knows about forty architectures by their tensors."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ...checkpoint import ModelError
from ...checkpoint.header import read_header
from .tiles import Network

REACH = 16
"""Some of these see the whole picture. This far into a tile the cut does not show in practice."""
STAND_IN = "torchvision"
_IMPORT = threading.Lock()


class Foreign:
    """A network behind spandrel's interface."""

    reach = REACH

    def __init__(self, descriptor: Any) -> None:
        self.scale: int = descriptor.scale
        self._descriptor = descriptor

    def __call__(self, pictures: Tensor, /) -> Tensor:
        made: Tensor = self._descriptor(pictures)
        return made


def load_foreign(file: Path, device: torch.device) -> Network:
    """The network in a file of the user's, in float32.

    Raises:
        ModelError: It is no safetensors file, spandrel is not installed, or it knows no such network, or one that does
            not turn a picture into a picture.
    """
    read_header(file)
    spandrel = _spandrel(file)
    try:
        weights = spandrel.canonicalize_state_dict(load_file(file))
        found = spandrel.ModelLoader(device).load_from_state_dict(weights)
    except SafetensorError as error:
        raise ModelError(f"{file}: cannot be read ({error}). Get the file again") from error
    except spandrel.UnsupportedModelError:
        raise ModelError(f"{file}: holds no upscaler that spandrel knows. Choose another file") from None
    except (RuntimeError, KeyError, ValueError, AssertionError) as error:
        message = f"{file}: looks like an upscaler, but its tensors do not fit together ({error}). Get the file again"
        raise ModelError(message) from error
    if not isinstance(found, spandrel.ImageModelDescriptor) or (found.input_channels, found.output_channels) != (3, 3):
        what = f"{found.architecture.name}, from {found.input_channels} to {found.output_channels} channels"
        raise ModelError(f"{file}: needed a network from colour pictures to colour pictures, found {what}")
    return Foreign(found.float().eval())


def _spandrel(file: Path) -> Any:
    if importlib.util.find_spec("spandrel") is None:
        message = f"{file}: reading an upscaler of your own needs spandrel. Run `pip install 'nodegraph[upscalers]'`"
        raise ModelError(message)
    with _IMPORT, _torchvision():
        import spandrel
    return spandrel


@contextmanager
def _torchvision() -> Iterator[None]:
    """Spandrel imports three names of torchvision, for two networks that repair faces and holes; without torchvision
    they stay unusable and everything else works.
    """
    if STAND_IN in sys.modules or "spandrel" in sys.modules or importlib.util.find_spec(STAND_IN) is not None:
        yield
        return

    def absent(*_: Any, **__: Any) -> Any:
        raise ModelError("this network needs torchvision. Run `pip install torchvision`")

    functional = ModuleType(f"{STAND_IN}.transforms.functional")
    vars(functional).update(InterpolationMode=type("InterpolationMode", (), {}), rotate=absent, normalize=absent)
    names = [STAND_IN, f"{STAND_IN}.transforms", functional.__name__]
    sys.modules.update(zip(names, [ModuleType(names[0]), ModuleType(names[1]), functional], strict=True))
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)
