"""Models on disk: what there is, of what kind, the digests of their files, remembered in a small database, and small
pictures that they made or that lie beside them."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from .context import Folders
from .pack import Registry
from .pictures import open_picture

KINDS = {
    "upscalers": "upscaler", "models": "model", "loras": "LoRA", "controlnets": "ControlNet",
    "t2i_adapters": "T2I-Adapter", "ip_adapters": "IP-Adapter", "image_encoders": "image encoder",
    "words": "textual inversion", "gligens": "GLIGEN", "clip_visions": "encoder of pictures",
    "style_models": "style model",
}  # fmt: skip
"""Choice lists of packs that name files in the folders of models."""
CHUNK = 1 << 20
PREVIEW = 256
"""Pixels of the longer side of a model's small picture."""
BESIDE = tuple(f"{kind}.{suffix}" for kind in (".preview", "") for suffix in ("png", "jpg", "jpeg", "webp"))
"""How the names of pictures go on after a model's own: what other programs write beside it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One model, LoRA or ControlNet.

    Args:
        source: What a document calls it.
        path: Where it is; None for what comes along with a pack.
        kind: "model", "LoRA", "ControlNet" and the others of `KINDS`.
        what: In words, from its header.
        files: Its weights.
        bytes: All of them.
    """

    source: str
    path: Path | None
    kind: str
    what: str
    files: tuple[Path, ...]
    bytes: int


def entries(registry: Registry, folders: Folders) -> Iterator[Entry]:
    """Everything that packs find in the folders of models. Headers are read, weights are not.

    A file that more than one list names is what the last of them says, which knows it best.
    """
    found: dict[str, tuple[str, str]] = {}
    for name, kind in KINDS.items():
        for source, what in registry.choices(name, folders).items():
            if source not in found or not what.startswith("cannot be used"):
                found[source] = (kind, what)
    for source, (kind, what) in found.items():
        path = next((base / source for base in folders.models if (base / source).exists()), None)
        files = _weights(path) if path is not None else ()
        yield Entry(source, path, kind, what, files, sum(file.stat().st_size for file in files))


def _weights(path: Path) -> tuple[Path, ...]:
    return (path,) if path.is_file() else tuple(sorted(path.rglob("*.safetensors")))


class Digests:
    """SHA-256 of files, remembered while size and time of change stay the same.

    Args:
        file: The database; it is made where there is none.
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.file = file
        with closing(self._open()) as store, store:
            columns = "path text primary key, size integer, modified integer, sha256 text"
            store.execute(f"create table if not exists digests ({columns})")

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.file, timeout=30)

    def known(self, path: Path) -> str | None:
        """The digest of `path`, if it was taken since the file last changed."""
        stat = path.stat()
        with closing(self._open()) as store:
            row = store.execute(
                "select sha256 from digests where path = ? and size = ? and modified = ?",
                (str(path), stat.st_size, stat.st_mtime_ns),
            ).fetchone()
        return str(row[0]) if row else None

    def __call__(self, path: Path, report: Callable[[int, int], None] = lambda done, total: None) -> str:
        """The digest of `path`, taken now if it is not known. Raises `OSError`."""
        known = self.known(path)
        if known is not None:
            return known
        stat, state, done = path.stat(), hashlib.sha256(), 0
        with path.open("rb") as file:
            while piece := file.read(CHUNK):
                state.update(piece)
                done += len(piece)
                report(done, stat.st_size)
        with closing(self._open()) as store, store:
            store.execute(
                "insert or replace into digests values (?, ?, ?, ?)",
                (str(path), stat.st_size, stat.st_mtime_ns, state.hexdigest()),
            )
        return state.hexdigest()


class Previews:
    """Small pictures of models: those that they made, each for as long as the model's files do not change, and of those
    that have made none what lies beside them as `name.preview.png`, `name.png` or another picture of that name.

    Args:
        folder: Where they are kept; it is made where there is none.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def known(self, entry: Entry) -> Path | None:
        """The picture that a model made, if it has."""
        place = self._place(entry)
        return place if place.is_file() else None

    def has(self, entry: Entry) -> bool:
        """Whether a model has a picture, or a file beside it that is called like one."""
        return self.known(entry) is not None or _beside(entry) is not None

    def read(self, entry: Entry) -> Path | None:
        """The small picture of a model; None where there is none, or it cannot be read.

        Of a picture beside a model it is made now: nothing of such a file leaves but its pixels.
        """
        known, picture = self.known(entry), _beside(entry)
        if known is not None or picture is None:
            return known
        try:
            place = self._place(entry, picture)
            return place if place.is_file() else self._keep(place, picture)
        except (OSError, ValueError):
            return None

    def keep(self, entry: Entry, picture: Path) -> Path:
        """Keep a picture, made small, as that of a model; where it is then. Raises `OSError` and `ValueError`."""
        return self._keep(self._place(entry), picture)

    def _keep(self, place: Path, picture: Path) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        with open_picture(picture) as opened:
            small = opened.convert("RGB")
        small.thumbnail((PREVIEW, PREVIEW))
        part = place.with_suffix(".part")
        small.save(part, "webp", quality=85)
        part.replace(place)
        return place

    def _place(self, entry: Entry, *beside: Path) -> Path:
        state = hashlib.blake2b(entry.source.encode(), digest_size=16)
        for file in (*entry.files, *beside):
            stat = file.stat()
            state.update(f"\0{file}\0{stat.st_size}\0{stat.st_mtime_ns}".encode())
        return self.folder / f"{state.hexdigest()}.webp"


def _beside(entry: Entry) -> Path | None:
    """The picture file that lies beside a model and is called as it is."""
    if entry.path is None:
        return None
    own = entry.path.stem if entry.path.is_file() else entry.path.name
    return next((file for end in BESIDE if (file := entry.path.parent / f"{own}{end}").is_file()), None)
