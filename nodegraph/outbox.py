"""Results as files: whole or not at all, and never over another."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path

from .context import NodeError


def write(folder: Path, stem: str, suffix: str, data: bytes) -> Path:
    """Write `data` to `folder/stem_00001suffix`, or the next number that is free.

    Raises:
        NodeError: `stem` is not a plain name, or the folder cannot be written to.
    """
    if not re.fullmatch(r"[\w\-. ()+,]{1,150}", stem) or stem.startswith("."):
        raise NodeError(f"a file name is letters, digits and -_. ()+, and does not start with a dot; given {stem!r}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.chmod(temporary, 0o666 & ~_umask())
            return _claim(Path(temporary), folder, stem, suffix)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
    except OSError as error:
        message = f"could not write to {str(folder)!r}: {error.strerror or error}; free space or choose another folder"
        raise NodeError(message) from error


def _claim(temporary: Path, folder: Path, stem: str, suffix: str) -> Path:
    number = 1 + max((_number(p.name, stem, suffix) for p in folder.iterdir()), default=0)
    while True:
        path = folder / f"{stem}_{number:05}{suffix}"
        try:
            os.link(temporary, path)  # fails if another process took the name meanwhile; a rename would not
        except FileExistsError:
            number += 1
        except PermissionError:  # a file system without links
            os.replace(temporary, path)
            return path
        else:
            return path


def _number(name: str, stem: str, suffix: str) -> int:
    middle = name[len(stem) + 1 : len(name) - len(suffix)]
    fits = name.startswith(f"{stem}_") and name.endswith(suffix) and middle.isascii() and middle.isdigit()
    return int(middle) if fits else 0


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
