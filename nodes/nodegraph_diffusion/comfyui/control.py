"""ControlNets and T2I-Adapters as ComfyUI applies them: to prompts, from a part of the noise to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, get_args

from pydantic import Field

from nodegraph import Choices, Context, Facts, Folders, Known, NodeError, Widget, choices, node

from ..apply_control_net import hint_of
from ..checkpoint import Checkpoint
from ..checkpoint.controls import open_control
from ..checkpoint.t2i_adapters import is_t2i_adapter, open_t2i_adapter
from ..control_files import ControlFiles
from ..families.unets import UNION
from ..handles import Model, Vae
from ..params import Unit
from ..values import Conditioning, ControlHint, Image, Mask
from .scaling import scaled

CATEGORY = "ComfyUI"
Strength = Annotated[float, Field(ge=0, le=10), Widget("number", step=0.01)]
Source = Annotated[str, Choices("controls")]
Kind = Literal["auto", "openpose", "depth", "hed/pidi/scribble/ted", "canny/lineart/anime_lineart/mlsd", "normal",
               "segment", "tile", "repaint"]  # fmt: skip
"""In the order in which ControlNets that know several count them (xinsir's for Stable Diffusion XL)."""


def _open(path: Path) -> Checkpoint:
    return open_t2i_adapter(path) if is_t2i_adapter(path) else open_control(path)


HELD = ControlFiles(_open, what="ControlNet")


@dataclass(frozen=True, slots=True)
class ControlNet:
    """A ControlNet or T2I-Adapter by itself, and of which kinds its pictures are, for one that knows several."""

    checkpoint: Checkpoint
    kinds: tuple[int, ...] = ()


class Controlled(NamedTuple):
    positive: Conditioning
    negative: Conditioning


@node(version=1, title="ControlNetLoader", lane="io", category=CATEGORY)
def ControlNetLoader(ctx: Context, control_net_name: Source) -> ControlNet:
    """Open a ControlNet or a T2I-Adapter. Its weights load when they are first used.

    Args:
        control_net_name: A diffusers folder, or a file, in the folders of models.
    """
    return ControlNet(HELD.open(control_net_name, ctx.folders, "control_net_name"))


@node(version=1, title="DiffControlNetLoader", lane="io", category=CATEGORY)
def DiffControlNetLoader(ctx: Context, model: Model, control_net_name: Source) -> ControlNet:
    """Open a ControlNet. Its weights load when they are first used.

    Args:
        model: Is not read: ControlNets that hold only what differs from a model are refused.
        control_net_name: A diffusers folder, or a file, in the folders of models.
    """
    return ControlNet(HELD.open(control_net_name, ctx.folders, "control_net_name"))


@node(version=1, title="SetUnionControlNetType", category=CATEGORY)
def SetUnionControlNetType(control_net: ControlNet, type: Kind = "auto") -> ControlNet:
    """Say of which kind the pictures are that a ControlNet is shown which knows several.

    Args:
        type: The kind. Those that know one kind alone do not read it; others need it, so "auto" is refused when they
            are applied.
    """
    return replace(control_net, kinds=() if type == "auto" else (get_args(Kind).index(type) - 1,))


@node(version=1, title="ControlNetApply", category=CATEGORY)
def ControlNetApply(
    ctx: Context, conditioning: Conditioning, control_net: ControlNet, image: Image, strength: Strength = 1.0
) -> Conditioning:
    """Hold what a prompt makes to the structure of a picture.

    It acts on the negative prompt of the same run too, unless that has a ControlNet of its own.

    Args:
        image: What the ControlNet was trained to read. Its middle is brought to the proportions of what is made.
        strength: How strictly it is followed.
    """
    if strength == 0:
        return conditioning
    kinds = _kinds(control_net)
    hint = hint_of(ctx, control_net.checkpoint, image, None)
    held = ControlHint(control_net.checkpoint, hint, strength, centred=True, shared=True, kinds=kinds)
    return _with(conditioning, held)


@node(version=1, title="ControlNetApplyAdvanced", lane="gpu", category=CATEGORY)
def ControlNetApplyAdvanced(
    ctx: Context, positive: Conditioning, negative: Conditioning, control_net: ControlNet, image: Image,
    strength: Strength = 1.0, start_percent: Unit = 0.0, end_percent: Unit = 1.0, vae: Vae | None = None,
) -> Controlled:  # fmt: skip
    """Hold what two prompts make to the structure of a picture.

    Args:
        image: What the ControlNet was trained to read. Its middle is brought to the proportions of what is made; one
            that is read as a latent has to have its size.
        strength: How strictly it is followed.
        start_percent: From which part of the noise on it acts.
        end_percent: Up to which part of it.
        vae: For ControlNets that read latents.
    Returns:
        positive: The first, held.
        negative: The second, held.
    """
    return _both(ctx, positive, negative, control_net, image, strength, start_percent, end_percent, vae)


@node(version=1, title="ControlNetApplySD3", lane="gpu", category=CATEGORY)
def ControlNetApplySD3(
    ctx: Context, positive: Conditioning, negative: Conditioning, control_net: ControlNet, vae: Vae, image: Image,
    strength: Strength = 1.0, start_percent: Unit = 0.0, end_percent: Unit = 1.0,
) -> Controlled:  # fmt: skip
    """Hold what two prompts make to the structure of a picture.

    Args:
        image: What the ControlNet was trained to read. One that is read as a latent has to have the size of what is
            made.
        strength: How strictly it is followed.
        start_percent: From which part of the noise on it acts.
        end_percent: Up to which part of it.
    Returns:
        positive: The first, held.
        negative: The second, held.
    """
    return _both(ctx, positive, negative, control_net, image, strength, start_percent, end_percent, vae)


@node(version=1, title="ControlNetInpaintingAliMamaApply", lane="gpu", category=CATEGORY)
def ControlNetInpaintingAliMamaApply(
    ctx: Context, positive: Conditioning, negative: Conditioning, control_net: ControlNet, vae: Vae, image: Image,
    mask: Mask, strength: Strength = 1.0, start_percent: Unit = 0.0, end_percent: Unit = 1.0,
) -> Controlled:  # fmt: skip
    """Let a ControlNet fill a hole of a picture, for what two prompts make.

    Args:
        image: The picture, of the size of what is made.
        mask: The hole; its middle is brought to the picture's size. ControlNets that fill none do not read it.
        strength: How strictly the picture is followed.
        start_percent: From which part of the noise on it acts.
        end_percent: Up to which part of it.
    Returns:
        positive: The first, held.
        negative: The second, held.
    """
    hole = Mask(scaled(mask.values[:, None], image.width, image.height, "bilinear", "center")[:, 0])
    return _both(ctx, positive, negative, control_net, image, strength, start_percent, end_percent, vae, hole)


def _both(
    ctx: Context, positive: Conditioning, negative: Conditioning, control_net: ControlNet, image: Image,
    strength: float, start: float, end: float, vae: Vae | None, hole: Mask | None = None,
) -> Controlled:  # fmt: skip
    """Two prompts, held by a ControlNet on a part of the noise."""
    if strength == 0:
        return Controlled(positive, negative)
    found, kinds = control_net.checkpoint, _kinds(control_net)
    read = hint_of(ctx, found, image, vae, hole)
    hint = ControlHint(found, read, strength, start, end, by_noise=True, centred=True, kinds=kinds)
    return Controlled(_with(positive, hint), _with(negative, hint))


def _kinds(control_net: ControlNet) -> tuple[int, ...]:
    """Of which kinds its pictures are. Raises `NodeError` where it has to know and does not."""
    part = control_net.checkpoint.denoiser
    if part.cls != UNION:
        return ()
    if not control_net.kinds or control_net.kinds[0] >= int(part.config["num_control_type"]):
        known = ", ".join(get_args(Kind)[1 : 1 + int(part.config["num_control_type"])])
        message = f"{control_net.checkpoint.name} knows pictures of several kinds: {known}"
        raise NodeError(f"{message}; say which one with SetUnionControlNetType", "control_net")
    return control_net.kinds


def _with(prompt: Conditioning, hint: ControlHint) -> Conditioning:
    return prompt.each(lambda part: replace(part, controls=(*part.controls, hint)))


@choices("controls")
def controls(folders: Folders) -> Mapping[str, str]:
    """The ControlNets and T2I-Adapters in the folders of models, each with what it is for."""
    return HELD.listed(folders)


@ControlNetLoader.fingerprint
@DiffControlNetLoader.fingerprint
def _revision(control_net_name: str, folders: Folders) -> str:
    return HELD.revision(control_net_name, folders, "control_net_name")


@ControlNetLoader.facts
@DiffControlNetLoader.facts
def _loaded(known: Known) -> Mapping[str, Facts]:
    source = known.value("control_net_name")
    if source is None:
        return {}
    return {"control_net": Facts({"family": HELD.open(str(source), known.folders, "control_net_name").family})}


@SetUnionControlNetType.facts
def _said(known: Known) -> Mapping[str, Facts]:
    return {"control_net": known["control_net"]}


@ControlNetApply.facts
def _held(known: Known) -> Mapping[str, Facts]:
    known.agree("family", "conditioning", "control_net", hint="use a ControlNet for the model of this prompt")
    return {"conditioning": known["conditioning"]}


@ControlNetApplyAdvanced.facts
@ControlNetApplySD3.facts
@ControlNetInpaintingAliMamaApply.facts
def _both_held(known: Known) -> Mapping[str, Facts]:
    known.agree("family", "positive", "negative", "control_net", hint="use a ControlNet for the model of this prompt")
    return {"positive": known["positive"], "negative": known["negative"]}
