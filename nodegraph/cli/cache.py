"""`nodegraph cache`: what is kept on disk, and making it less."""

from __future__ import annotations

import argparse
import re
from typing import Any

from ..cache import Disk
from ..codec import Codec
from .console import size
from .setup import cache_folder, common, folders_of

UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def add_to(commands: Any) -> None:
    parser = commands.add_parser("cache", help="show, trim or clear the results kept on disk")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--trim", metavar="SIZE", type=_bytes, help="keep at most this much, newest first: 500M, 2G")
    how.add_argument("--clear", action="store_true", help="remove everything")
    folders_of(parser)
    common(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    folder = cache_folder(options)
    if folder is None:
        raise ValueError("--no-cache names no folder to look at")
    disk = Disk(folder, Codec(()))
    if options.clear or options.trim is not None:
        print(f"removed {size(disk.trim(0 if options.clear else options.trim))}")
    print(f"{folder}: {sum(1 for _ in disk.entries())} results, {size(disk.size())}")
    return 0


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kMGT]?)B?", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 500M or 2G")
    return int(float(found[1]) * UNITS[found[2]])
