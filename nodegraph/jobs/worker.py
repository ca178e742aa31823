"""The worker process: an engine that does what lines of JSON on standard input say, one job at a time.

Standard output is the way back to the server; what nodes print goes to standard error. When standard input ends, the
server has gone, and the process with it: the job is put back by the next server.
"""

from __future__ import annotations

import base64
import gc
import io
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from ..calling import describe
from ..codec import Unencodable
from ..context import Cancelled, Folders
from ..engine import Engine
from ..events import Event, Failed, Finished, Progress, Saved, Warned
from ..executor import Run, RunFailed
from ..garbage import collect_rarely
from ..pack import Pack, Registry
from ..policy import safety_policy
from ..ports import rebase
from ..problems import InvalidWorkflow
from ..workflow import Workflow
from .likeness import likeness
from .post import Post, lines
from .provenance import provenance
from .shipping import unpack

WATCHED = 0.02
"""Seconds that a node must have taken for its memory to be worth a look."""
SMALL = 128
"""Pixels of the longest side up to which a preview is sent as PNG, which is exact."""


class Worker:
    """One engine, and the job it is at.

    Args:
        setup: What the server says first: folders, packs and limits.
    """

    def __init__(self, setup: dict[str, Any], post: Post) -> None:
        self._post = post
        self._folders = Folders(
            base=Path(setup["uploads"]), output=Path(setup["results"]), models=tuple(map(Path, setup["models"]))
        )
        self._private = sorted(setup["private"], key=len, reverse=True)
        self._engine = Engine(
            Registry.installed(Pack.from_file(Path(file)) for file in setup["packs"]),
            folders=self._folders,
            cache=Path(setup["cache"]),
            memory=setup["memory"],
            disk=setup["disk"],
            checkpoint=setup["checkpoint"],
        )
        self._policy = safety_policy(self._engine.registry, setup["safety"])
        self._previews = self._policy is None or not self._policy.strict
        self._lock = threading.Lock()
        self._job = ""
        self._run: Run | None = None
        self._stopped = False
        self._weights: dict[str, frozenset[Hashable]] = {}
        """What came into the pool for each model that a job named."""

    def order(self, message: dict[str, Any]) -> None:
        """Do what a line asks for. Jobs run in a thread of their own."""
        match message["do"]:
            case "run":
                with self._lock:
                    self._job, self._stopped, self._run = message["job"], False, None
                threading.Thread(target=self._work, args=(message,), name="job", daemon=True).start()
            case "cancel":
                with self._lock:
                    if message["job"] == self._job:
                        self._stopped = True
                        if self._run is not None:
                            self._run.cancel()
            case "keep":
                threading.Thread(target=self._keep, args=(message,), name="keep", daemon=True).start()

    def _keep(self, message: dict[str, Any]) -> None:
        try:
            workflow = self._engine.read(from_json(message["document"]))
            found = self._engine.recall(workflow, message["node"], persist=True) is not None
        except (InvalidWorkflow, Unencodable, OSError):
            found = False
        self._post.other({"kept": message["request"], "found": found})

    def _work(self, message: dict[str, Any]) -> None:
        self._post.begin(message["job"])
        before = self._engine.loaded()
        try:
            state, error = self._execute(message)
        except InvalidWorkflow as problems:
            state, error = "failed", str(problems)
        except Cancelled:
            state, error = "cancelled", None
        except RunFailed as failures:
            state, error = "failed", str(failures)
        except BaseException as other:
            state, error = "failed", describe(other)
        if self._stopped and state == "failed":
            state, error = "cancelled", None
        with self._lock:
            self._job, self._run = "", None
        holds = self._holds(message["models"], before)
        self._post.end(state, None if error is None else self._public(error), holds)
        gc.collect(1)  # an error holds what its frames held: pictures, weights

    def _holds(self, models: list[str], before: frozenset[Hashable]) -> list[str]:
        """Of the models that jobs named, those of which weights are loaded."""
        loaded = self._engine.loaded()
        if came := loaded - before:
            self._weights |= {model: self._weights.get(model, frozenset()) | came for model in models}
        self._weights = {model: weights for model, keys in self._weights.items() if (weights := keys & loaded)}
        return list(self._weights)

    def _execute(self, message: dict[str, Any]) -> tuple[str, str | None]:
        folders = Folders(self._folders.base, self._folders.output / message["job"], self._folders.models)
        run = self._start(message, folders)
        with self._lock:
            self._run = run
            if self._stopped:
                run.cancel()
        tell = Teller(self._post, run, folders.output, self._public, previews=self._previews)
        for event in run:
            tell(event)
        run.outputs()
        self._post.flush()  # what was said is written down meanwhile
        run.persist()
        return "done", None

    def _start(self, message: dict[str, Any], folders: Folders) -> Run:
        def read() -> Workflow:
            return self._engine.read(from_json(message["document"]))

        if self._policy is None and message.get("plan"):
            base = self._folders.base
            plan = unpack(message["plan"], self._engine.registry)
            return self._engine.follow(
                plan, lambda: rebase(read(), self._engine.registry, base, folders.output), folders
            )
        workflow, targets = read(), message["targets"] or None
        if self._policy is not None:  # the job may have been queued when there was none
            workflow = self._policy.enforce(workflow, self._engine.compile(workflow, targets=targets, folders=folders))
        return self._engine.start(workflow, targets=targets, folders=folders)

    def _public(self, text: str) -> str:
        """`text` without the names of folders of this machine, and such that it can be written down."""
        for folder in self._private:
            text = text.replace(f"{folder}{os.sep}", "")
        return text.encode("utf-8", "backslashreplace").decode()


class Teller:
    """Turns the events of a run into what is sent."""

    def __init__(self, post: Post, run: Run, output: Path, public: Callable[[str], str], *, previews: bool) -> None:
        self._post, self._run, self._output, self._public, self._previews = post, run, output, public, previews
        self._saves: Counter[str] = Counter()
        self._shown: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        fields: Event | dict[str, Any] = event
        match event:
            case Progress():
                self._progress(event)
                return
            case Finished(node, seconds) if seconds >= WATCHED:
                fields = {"node": node, "seconds": seconds, "ended": time.time(), "memory": resident()}
            case Saved(node, path):
                fields = {"node": node, **self._saved(node, Path(path))}
            case Warned() | Failed():
                fields = {name: self._public(text) if text else text for name, text in asdict(event).items()}
        self._post.event(type(event).__name__, event.node, fields)

    def _saved(self, node: str, path: Path) -> dict[str, Any]:
        ordinal = self._saves[node]
        self._saves[node] += 1
        made = provenance(self._run.plan, node)
        facts: dict[str, Any] = {"ordinal": ordinal, "name": path.name, "bytes": path.stat().st_size, **made._asdict()}
        if (look := likeness(path)) is not None:
            path.with_name(f"{path.name}.thumbnail.webp").write_bytes(look.thumbnail)
            facts |= {"width": look.width, "height": look.height, "hash": look.hash}
        return facts

    def _progress(self, event: Progress) -> None:
        fields: dict[str, Any] = {"node": event.node, "step": event.step, "total": event.total}
        fields["what"] = self._public(event.what)
        now = time.monotonic()
        if self._previews and event.preview is not None and now - self._shown.get(event.node, 0.0) >= 0.2:
            self._shown[event.node] = now
            if (shown := _shown(event.preview())) is not None:
                fields["preview"] = shown
        self._post.progress(event.node, fields)


def _shown(value: Any) -> str | None:
    """A value that can show itself, as a data URL."""
    draw = getattr(value, "_repr_png_", None)
    if draw is None:
        return None
    data, kind = draw(), "png"
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
        if max(picture.size) > SMALL:
            file = io.BytesIO()
            picture.convert("RGB").save(file, "jpeg", quality=75)
            data, kind = file.getvalue(), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def resident() -> int | None:
    """Bytes of memory this process holds, where the system says it."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    post = Post(lines(out))
    try:
        worker = Worker(from_json(sys.stdin.buffer.readline()), post)
    except ValueError:  # the server had gone before it said anything
        os._exit(0)
    collect_rarely()
    post.other({"ready": os.getpid()})
    for line in sys.stdin.buffer:
        worker.order(from_json(line))
    os._exit(0)  # not sys.exit: that would wait for a node


if __name__ == "__main__":
    main()
