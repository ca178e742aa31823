"""Look at a model and say what it is, from headers and configurations alone: no torch, no weights, milliseconds.

A source is `"demo"` (the shipped model), an absolute path, or a path relative to a folder of models. It names a
diffusers folder or a single `.safetensors` or `.gguf` file in the layout of a family's original code. Which families
there are stands in `families`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from . import lone
from .folder import read_folder, read_json
from .header import CONVERT, PICKLES, ModelError, digest, read_header
from .original import recognise
from .state import once
from .value import ASSETS, Checkpoint, Component, Prediction

if TYPE_CHECKING:
    from ..families import Family

__all__ = [
    "ASSETS",
    "DEMO",
    "Checkpoint",
    "Component",
    "ModelError",
    "Prediction",
    "find",
    "find_file",
    "list_files",
    "list_models",
    "list_networks",
    "list_parts",
    "open_model",
    "with_text_encoders",
    "with_vae",
]

DEMO = "demo"
LISTED = (".safetensors", ".gguf", ".ckpt")
"""Files that are listed as models; the last are listed so that it is said why they cannot be used."""
CHANNELS = {
    5: "a depth-to-image model",
    7: "an x4 upscaler that is not whole",
    8: "an InstructPix2Pix model, or Lotus-G, of which Lotus-D is known",
}


def open_model(
    source: str, folders: Sequence[Path] = (), predicts: Literal["auto", "epsilon", "v_prediction"] = "auto"
) -> Checkpoint:
    """What the model named by `source` is.

    Args:
        folders: Searched, in order, for a relative path.
        predicts: Overrides what is found out about the denoiser's output; a header cannot tell for certain.
    Raises:
        ModelError: There is no such model, or it cannot be used. The message says why and what to do.
    """
    root = ASSETS / DEMO if source == DEMO else _find(source, folders)
    found = _read(root, demo=source == DEMO)
    if predicts != "auto":
        if found.prediction in ("flow", "direct"):
            from ..families import FAMILIES

            what = "a flow model" if found.prediction == "flow" else FAMILIES[found.family].title
            raise ModelError(f"{root}: {what}, which predicts neither epsilon nor v. Leave prediction at 'auto'")
        found = _predicting(found, predicts, "the input")
    return found


@once
def _read(root: Path, *, demo: bool) -> Checkpoint:
    """What the model in `root` is."""
    from ..families import FAMILIES  # which read files with this package

    families = list(FAMILIES.values())
    found = _folder(root, families, demo=demo) if root.is_dir() else _file(root, families)
    _check(root, found, FAMILIES[found.family])
    return found


def with_vae(found: Checkpoint, source: str, folders: Sequence[Path] = ()) -> Checkpoint:
    """The model whose VAE `source` names for `found`: another model, or `found` with the VAE of a file that holds one.

    Raises:
        ModelError: There is no such thing, or it does not fit.
    """
    from ..families import FAMILIES

    path = ASSETS / DEMO if source == DEMO else _find(source, folders)
    part = lone.vae(path, FAMILIES[found.family]) if path.is_file() else None
    if part is None:
        return open_model(source, folders)
    part.check(Path())
    return replace(found, vae=part, revision=f"{found.revision} {digest([path], [], mtime=True)}")


def with_text_encoders(found: Checkpoint, source: str, folders: Sequence[Path] = ()) -> Checkpoint:
    """The model whose text encoders `source` names for `found`: another model, or `found` with those of files that hold
    one each, with commas between their names.

    Raises:
        ModelError: There is no such thing, or it does not fit.
    """
    from ..families import FAMILIES

    sources = [each.strip() for each in source.split(",")] if "," in source else [source]
    paths = [ASSETS / DEMO if each == DEMO else _find(each, folders) for each in sources]
    files = [path for path in paths if path.is_file()]
    parts = lone.text_encoders(files, FAMILIES[found.family]) if len(files) == len(paths) else None
    if parts is None:
        if len(sources) > 1:
            raise ModelError(
                f"{source}: needed files with one text encoder each, but not all of them are. Name one model"
            )
        return open_model(source, folders)
    for part in parts:
        part.check(Path())
    _check_width(source, found, parts, FAMILIES[found.family])
    return replace(found, text_encoders=parts, revision=f"{found.revision} {digest(files, [], mtime=True)}")


def _check(root: Path, found: Checkpoint, family: Family) -> None:
    """Refuse what is of a family and yet something else, or put together of different models."""
    for part in found.parts:
        part.check(found.root)
    inpaints = family.inpaints(found.denoiser.config)
    if family.denoiser[0] == "unet" and not (family.enlarges or inpaints or found.in_channels == found.out_channels):
        what = CHANNELS.get(found.in_channels, "of another kind")
        raise ModelError(
            f"{root}: its denoiser reads {found.in_channels} channels, needed {found.out_channels}, or "
            f"{2 * found.out_channels + 1} for inpainting. It is {what}, which is not supported"
        )
    gates = found.denoiser.config.get("attention_type", "default")
    if gates == "gated-text-image" or (gates == "gated" and inpaints):
        what = "inpaints, which the plain one does too" if gates == "gated" else "reads pictures"
        raise ModelError(f"{root}: is a GLIGEN that {what}, and is not supported. Get the one that makes pictures of "
                         "text boxes")  # fmt: skip
    _check_width(root, found, found.text_encoders, family)


def _check_width(where: Path | str, found: Checkpoint, encoders: Sequence[Component], family: Family) -> None:
    """Refuse text encoders that write prompts of another width than the denoiser reads."""
    if len(encoders) != 1 or len(family.encoders) != 1:
        return
    config = encoders[0].config
    own = config.get("hidden_size") or config.get("d_model") or config.get("text_config", {}).get("hidden_size")
    wanted = family.width(found.denoiser.config)
    if own is not None and (width := int(own) * family.encoders[0].layers) != wanted:
        raise ModelError(
            f"{where}: the denoiser reads prompts of width {wanted}, its text encoder writes {width}. They are of "
            f"different models; get the one that {family.title} was trained with"
        )


def list_models(folders: Sequence[Path]) -> list[str]:
    """The sources that `open_model` finds by name: the demo model, files and diffusers folders below `folders`."""
    names = {DEMO: None}
    for base in folders:
        names |= dict.fromkeys(sorted(_below(base)))
    return list(names)


def list_files(folders: Sequence[Path]) -> list[str]:
    """The names of `.safetensors` files below `folders`, outside of diffusers folders."""
    names: dict[str, None] = {}
    for base in folders:
        names |= dict.fromkeys(sorted(name for name in _below(base) if name.endswith(".safetensors")))
    return list(names)


def list_parts(folders: Sequence[Path]) -> list[str]:
    """Folders with the configuration of one component, up to three levels below `folders`, outside of models."""
    return [
        config.parent.relative_to(base).as_posix()
        for base in folders
        for pattern in ("*/config.json", "*/*/config.json", "*/*/*/config.json")
        for config in sorted(base.glob(pattern))
        if not (config.parent.parent / "model_index.json").is_file()
    ]


def list_networks(folders: Sequence[Path]) -> list[str]:
    """What may be one component: files, and folders with its configuration."""
    return [*list_files(folders), *list_parts(folders)]


def find(source: str, folders: Sequence[Path]) -> Path:
    """The file, or the folder with the configuration of one component, that `source` names.

    Raises:
        ModelError: There is no such thing.
    """
    given = Path(source).expanduser()
    tried = [given] if given.is_absolute() else [base / given for base in folders]
    folder = next((path for path in tried if (path / "config.json").is_file()), None)
    return Path(os.path.abspath(folder)) if folder else find_file(source, folders, list_networks)


def find_file(source: str, folders: Sequence[Path], known: Callable[[Sequence[Path]], list[str]] = list_files) -> Path:
    """The `.safetensors` file that `source` names: an absolute path, or one relative to a folder of models.

    Raises:
        ModelError: There is no such file.
    """
    path = _find(source, folders, known)
    if path.is_dir():
        raise ModelError(f"{path}: needed a .safetensors file, got a folder. Name the file in it")
    if path.suffix.lower() == ".gguf":
        raise ModelError(f"{path}: needed a .safetensors file, got a GGUF file. Only LoadModel reads those")
    return path


def _below(base: Path) -> Iterator[str]:
    seen: set[str] = set()
    for at, inner, files in os.walk(base, followlinks=True):
        where, real = Path(at), os.path.realpath(at)
        whole = "model_index.json" in files and where != base
        if whole:
            yield where.relative_to(base).as_posix()
        if whole or real in seen:  # a link to a folder above would go on forever
            inner.clear()
            continue
        seen.add(real)
        inner[:] = [name for name in inner if not name.startswith(".")]
        for file in files:
            if file.endswith(LISTED) and not file.startswith("."):
                yield (where / file).relative_to(base).as_posix()


def _find(source: str, folders: Sequence[Path], known: Callable[[Sequence[Path]], list[str]] = list_models) -> Path:
    if not source.strip() or "\0" in source:
        raise ModelError(f"needed the name of a model, got {source!r}. Give {DEMO!r}, a file or a diffusers folder")
    given = Path(source).expanduser()
    tried = [given] if given.is_absolute() else [base / given for base in folders]
    path = next((path for path in tried if path.exists()), None)
    if path is None:
        import difflib

        names = known(folders)
        near = difflib.get_close_matches(source, names, 3, 0.5)
        if near:
            hint = f"The nearest are {', '.join(map(repr, near))}"
        else:
            hint = "Put it there, or give the path of a file"
            hint += f"; {DEMO!r} is always there" if DEMO in names else ""
        where = ", ".join(map(str, [given.parent] if given.is_absolute() else folders)) or "no folder"
        raise ModelError(f"no model {source!r}: looked in {where}. {hint}")
    path = Path(os.path.abspath(path))
    if path.is_dir() and not (path / "model_index.json").is_file():
        if (path / "config.json").is_file():
            cls = read_json(path / "config.json", "Get it again").get("_class_name", "one part of a model")
            raise ModelError(f"{path}: a folder without 'model_index.json', which holds {cls} alone. Give it to the "
                             "node that takes such a part, or name the folder of a whole model")  # fmt: skip
        inside = sorted(
            p.name for p in path.iterdir() if p.suffix == ".safetensors" or (p / "model_index.json").is_file()
        )
        hint = (
            f"Give one of what is in it: {', '.join(map(repr, inside[:5]))}" if inside else "Give a folder that has one"
        )
        raise ModelError(f"{path}: a folder without 'model_index.json', so no diffusers model. {hint}")
    if path.suffix.lower() in PICKLES:
        raise ModelError(
            f"{path}: a pickle ({path.suffix}) can run code when it is opened, so it is refused. {CONVERT}"
        )
    if path.is_file() and path.suffix.lower() not in (".safetensors", ".gguf"):
        raise ModelError(
            f"{path}: needed a .safetensors or .gguf file or a diffusers folder, got a file of type {path.suffix!r}"
        )
    return path


def _folder(root: Path, families: Sequence[Family], *, demo: bool) -> Checkpoint:
    found = read_folder(root, families)
    parts = (found.denoiser, *found.text_encoders, found.vae)
    weights = [root / file for part in parts for file in part.files]
    return Checkpoint(
        path="" if demo else str(root),
        kind="demo" if demo else "folder",
        family=found.family,
        prediction=found.prediction,
        prediction_from="the scheduler's configuration",
        scheduler=found.scheduler,
        denoiser=found.denoiser,
        text_encoders=found.text_encoders,
        vae=found.vae,
        revision=digest(weights, found.configs, mtime=not demo),
        low_res_scheduler=found.low_res_scheduler,
    )


def _file(path: Path, families: Sequence[Family]) -> Checkpoint:
    header = read_header(path)
    family = recognise(header, families)
    assert family.read is not None
    found = family.read(header)
    return Checkpoint(
        path=str(path),
        kind="file",
        family=family.name,
        prediction=found.prediction,
        prediction_from=found.prediction_from,
        scheduler=dict(found.scheduler) | {"prediction_type": found.prediction},
        denoiser=found.denoiser,
        text_encoders=found.text_encoders,
        vae=found.vae,
        revision=digest([path], [], mtime=True),
        low_res_scheduler=dict(found.low_res_scheduler),
    )


def _predicting(found: Checkpoint, predicts: Prediction, source: str) -> Checkpoint:
    scheduler_ = dict(found.scheduler) | {"prediction_type": predicts}
    return replace(found, prediction=predicts, prediction_from=source, scheduler=scheduler_)
