"""`nodegraph models`: what there is, what one of them is, and how more come in."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ..context import Folders
from ..engine import Engine
from ..executor import RunFailed
from ..library import Digests, Entry, Previews, entries
from ..pack import nearest
from ..problems import InvalidWorkflow
from .console import fail, fail_problems, table
from .setup import assignments, common, folders_of, model_folders, registry

EPILOG = """\
examples:
  nodegraph models                                     everything in the folders of models
  nodegraph models inspect juggernaut.safetensors      what it is, its files and their SHA-256
  nodegraph models preview juggernaut.safetensors --set width=768
                                                       sample a small picture with it, which the list then shows
  nodegraph models add ~/Downloads/style.safetensors   copy it into the first folder of models
  nodegraph models pull stabilityai/sdxl-turbo         fetch it from the Hugging Face hub; goes on where it stopped
"""
SIDE = 512
"""Pixels of the picture that a preview is made from, where none are given."""
WANTED = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
"""What is fetched of a repository: no pickles, no pictures."""


def add_to(commands: Any) -> None:
    parser = commands.add_parser(
        "models",
        help="list models, LoRAs and ControlNets; inspect, add, pull",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", nargs="?", default="list", choices=("list", "inspect", "preview", "add", "pull"))
    parser.add_argument("what", nargs="?", help="a model; a file or folder for add, a repository for pull")
    parser.add_argument("--name", help="what it is called in the folder of models, for add and pull")
    parser.add_argument("--revision", help="a branch, tag or commit, for pull")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="given",
                        help="an input of the workflow that makes the preview: prompt, width, steps")  # fmt: skip
    parser.add_argument("--link", action="store_true", help="add a link to the file instead of a copy")
    parser.add_argument("--json", action="store_true", help="print JSON")
    folders_of(parser)
    common(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if options.action == "list":
        return _list(options)
    if not options.what:
        return fail(f"models {options.action}: needs a name behind it; see `nodegraph models --help`", status=2)
    return {"inspect": _inspect, "preview": _preview, "add": _add, "pull": _pull}[options.action](options)


def _found(options: argparse.Namespace) -> list[Entry]:
    return list(entries(registry(options), Folders(models=model_folders(options))))


def _list(options: argparse.Namespace) -> int:
    folders, found = model_folders(options), _found(options)
    if options.json:
        rows = {e.source: e.what for e in found}
        kinds = {e.source: e.kind for e in found}
        shown = {e.source: str(picture) for e in found if (picture := _previews().known(e))}
        told = {"folders": [str(f) for f in folders], "models": rows, "kinds": kinds, "previews": shown}
        print(json.dumps(told, indent=1))
        return 0
    table(("source", "kind", "what it is"), [(e.source, e.kind, e.what) for e in found])
    for folder in folders:
        print(f"looked in {folder}{'' if folder.is_dir() else ' (not there)'}")
    return 0


def _inspect(options: argparse.Namespace) -> int:
    entry = _named(options)
    if entry is None:
        return 1
    picture = _previews().known(entry)
    digests = Digests(_database())
    rows = [(str(f), f.stat().st_size, digests(f)) for f in entry.files]
    if options.json:
        files = [dict(zip(("file", "bytes", "sha256"), row, strict=True)) for row in rows]
        told = {"source": entry.source, "kind": entry.kind, "what": entry.what, "files": files}
        print(json.dumps(told | {"preview": picture and str(picture)}, indent=1))
        return 0
    print(f"{entry.source}: {entry.kind}, {entry.what}")
    if picture:
        print(f"preview: {picture}")
    table(("file", "bytes", "sha256"), [(file, f"{size:,}", digest) for file, size, digest in rows])
    return 0


def _named(options: argparse.Namespace) -> Entry | None:
    """The one that was asked for; where there is none that is said."""
    found = {entry.source: entry for entry in _found(options)}
    if options.what not in found:
        there = any((folder / options.what).exists() for folder in model_folders(options))
        what = f"{options.what} is there, but nothing installed reads such a file" if there else (
            f"no model {options.what!r}{nearest(options.what, found)}"
        )  # fmt: skip
        fail(f"{what}; `nodegraph models` lists them")
    return found.get(options.what)


def _preview(options: argparse.Namespace) -> int:
    """Sample a picture with a model by the workflow that ships, and keep it, made small."""
    entry = _named(options)
    if entry is None:
        return 1
    if entry.kind != "model":
        return fail(f"{entry.source} is a {entry.kind}, which makes no pictures by itself; name a model")
    from ..server import templates

    examples = templates.folder()
    with tempfile.TemporaryDirectory() as made:
        folders = Folders(base=examples, output=Path(made), models=model_folders(options))
        with Engine(registry(options), folders=folders) as engine:
            try:
                workflow = engine.load(examples / "txt2img.json")
                given = {"model.source": entry.source} | assignments(workflow, engine.registry, options.given)
                if entry.path is not None:  # the example's size is the shipped model's
                    given = {"width": SIDE, "height": SIDE} | given
                result = engine.run(workflow, inputs=given)
            except InvalidWorkflow as error:
                return fail_problems(error.problems)
            except RunFailed as error:
                return fail(str(error))
        print(_previews().keep(entry, Path(result.files[-1])))
    return 0


def _previews() -> Previews:
    return Previews(previews_folder())


def previews_folder() -> Path:
    """Where the pictures of models are kept."""
    return _database().parent / "previews"


def _database() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("nodegraph", appauthor=False) / "models.sqlite"


def _target(options: argparse.Namespace, name: str) -> Path:
    """Where it goes: into the first folder of models that is there, or is made. Raises `FileExistsError`."""
    target = model_folders(options)[0] / (options.name or name)
    if os.path.lexists(target):
        raise FileExistsError(f"{target} is there already; give another --name")
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _add(options: argparse.Namespace) -> int:
    source = Path(options.what).expanduser().absolute()
    if not source.exists():
        return fail(f"{source}: there is no such file or folder")
    try:
        target = _target(options, source.name)
    except FileExistsError as error:
        return fail(str(error))
    part = target.with_name(f".{target.name}.part")
    if options.link:
        target.symlink_to(source)
    elif source.is_dir():
        shutil.copytree(source, part, dirs_exist_ok=True)
        part.rename(target)
    else:
        shutil.copy2(source, part)
        part.rename(target)
    return _told(options, target)


def _told(options: argparse.Namespace, target: Path) -> int:
    """Say what was added; take away nothing, since a pack that is not installed may know it."""
    name = target.relative_to(model_folders(options)[0]).as_posix()
    entry = next((entry for entry in _found(options) if entry.source == name), None)
    if entry is None:
        return fail(f"{target}: is there now, but no installed pack knows what it is")
    print(f"{name}: {entry.kind}, {entry.what}")
    return 1 if entry.what.startswith("cannot be used") else 0


def _pull(options: argparse.Namespace) -> int:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    target = model_folders(options)[0] / (options.name or options.what.rpartition("/")[2])
    target.mkdir(parents=True, exist_ok=True)
    try:
        snapshot_download(options.what, revision=options.revision, local_dir=target, allow_patterns=list(WANTED))
        known = HfApi().model_info(options.what, revision=options.revision, files_metadata=True).siblings or []
    except (HfHubHTTPError, OSError, ValueError) as error:
        text = " ".join(str(error).split())
        return fail(f"pull {options.what}: {text}. What has come so far is kept; say it again to go on")
    digests = Digests(_database())
    for item in known:
        file = target / item.rfilename
        if item.lfs and file.is_file() and digests(file) != item.lfs.sha256:
            file.unlink()
            return fail(f"{file}: came damaged (its SHA-256 is not that of the hub) and was removed; pull it again")
    return _told(options, target)
