"""The command line. Only this package reads the environment and prints."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .. import __version__
from ..garbage import collect_rarely
from . import cache, check, convert, documents, models, nodes, remote, run, serve, verify
from .console import fail

EPILOG = """\
examples:
  nodegraph run workflows/txt2img.json --set prompt="a fox on a blue background" --set seed=3
  nodegraph run output/picture_00001.png --set seed=4       the workflow inside a picture
  nodegraph check workflows/inpaint.json --plan             what is wrong, what would run and why
  nodegraph serve                                           jobs, gallery and editor at http://127.0.0.1:8288
  nodegraph submit txt2img --set prompt="a fox"             let that server do it
  nodegraph convert comfy.json workflow.json                a file of ComfyUI or A1111 as a workflow
  nodegraph nodes Sample                                    what a node takes and gives
"""


def parser() -> argparse.ArgumentParser:
    """The parser of every command."""
    top = argparse.ArgumentParser(
        prog="nodegraph",
        description="Typed node graphs for latent-diffusion images.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"nodegraph {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (run, serve, remote, verify, check, convert, nodes, documents, cache, models):
        module.add_to(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its status: 0 done, 1 something is wrong, 2 bad usage, 130 interrupted."""
    collect_rarely()
    options = parser().parse_args(arguments)
    # Read by OpenMP when torch is imported. Threads that spin while they wait take the processors from each other as
    # soon as anything else runs on the machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        sys.exit(options.run(options))
    except KeyboardInterrupt:
        if getattr(options, "debug", False):
            raise
        sys.exit(fail("interrupted; what had finished is kept in the cache", status=130))
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe has gone; there is nobody to tell
        sys.exit(1)
    except Exception as error:
        if getattr(options, "debug", False):
            raise
        from ..calling import describe

        # One of ours is a sentence about what was given; its class would say nothing more.
        sys.exit(fail(str(error) if type(error) is ValueError else describe(error)))
