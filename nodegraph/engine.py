"""The engine: documents in, events and values out.

>>> engine = Engine()                                         # every installed pack
>>> result = engine.run(workflow, prompt="a cat", seed=7)     # waits; raises what went wrong
>>> result["image"]
>>> run = engine.start(workflow, prompt="a cat")              # does not wait
>>> async for event in run: ...                               # or `for`
"""

from __future__ import annotations

import contextlib
import os
import threading
import uuid
import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .axes import Axis, Mode, Point, ordered, points, unknown
from .background import Background
from .cache import Disk, Memory
from .codec import Codec
from .context import Cancelled, Folders
from .events import Event, Saved
from .executor import Machinery, Run, RunFailed
from .expand import fill
from .keys import Digests, keys
from .lanes import Lanes
from .migrate import load_workflow, read_workflow
from .pack import Registry
from .plan import Plan, compile
from .pool import Pool
from .ports import rebase
from .problems import InvalidWorkflow, Problem
from .receipt import Ledger
from .workflow import Workflow


@dataclass(frozen=True, slots=True)
class Planned:
    """What would become of one node.

    Args:
        state: "run", "memory", "disk", "unneeded", "always", or "still": bypassed or muted, or needs what is.
        weights: Bytes of models that it would lease, as they are stored.
        activations: Bytes that it would hold at its peak beside them, about; 0 where that is not known.
    """

    node: str
    type: str
    state: str
    why: str
    weights: int = 0
    activations: int = 0


class Result(Mapping[str, Any]):
    """Values by output name (for a document without outputs, by `node.port`), and the files that were written."""

    def __init__(self, values: Mapping[str, Any], files: Iterable[Path]) -> None:
        self._values = dict(values)
        self.files = list(files)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def without_values(self) -> Result:
        """The files alone, so that pictures of many runs do not stay in memory."""
        return Result({}, self.files)

    def __repr__(self) -> str:
        return f"Result({', '.join(self._values)}; files={[str(f) for f in self.files]})"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a sweep: its place along each axis, its inputs, and what came of it."""

    place: tuple[int, ...]
    inputs: Mapping[str, Any]
    result: Result | None
    error: str = ""


class Engine:
    """Runs workflows in this process. May be used from several threads; runs share lanes, caches and loaded models.

    Args:
        registry: The node types. By default those of every installed pack.
        folders: Where files are found and left.
        cache: A folder that keeps results between processes, or None for memory alone.
        memory: Bytes of results kept in memory.
        disk: Bytes of results kept in the folder.
        lanes: Calls at a time, by lane.
        capacity: Bytes for loaded models by place ("cpu", "cuda:0"), where the default is not right.
        checkpoint: Seconds after which a long call keeps how far it has come, from where an interrupted one goes on.
    """

    def __init__(
        self,
        registry: Registry | None = None,
        *,
        folders: Folders | None = None,
        cache: Path | None = None,
        memory: int = 2 * 2**30,
        disk: int = 20 * 2**30,
        lanes: Mapping[str, int] | None = None,
        capacity: Mapping[str, int] | None = None,
        checkpoint: float = 5.0,
    ) -> None:
        self.registry = registry if registry is not None else Registry.installed()
        self.folders = folders or Folders()
        store = Disk(cache, Codec(self.registry.classes()), disk) if cache is not None else None
        widths = {"gpu": 1, "cpu": os.cpu_count() or 1, "io": 4, **(lanes or {})}
        self._digests = Digests(cache / ".digests.json" if cache is not None else None)
        self._machinery = Machinery(
            Lanes(widths), Pool(capacity), Memory(memory), store, Background(), Ledger(store), self._digests, checkpoint
        )
        self._shut = weakref.finalize(self, self._machinery.close)
        self._lock = threading.Lock()
        self._runs = 0

    def load(self, path: Path | str) -> Workflow:
        """Read a document from a JSON file or from a picture that carries one. Raises `InvalidWorkflow`."""
        return load_workflow(Path(path), self.registry)

    def read(self, document: Any) -> Workflow:
        """Read a document from its plain values. Raises `InvalidWorkflow`."""
        return read_workflow(document, self.registry)

    def compile(
        self, workflow: Workflow, inputs: Mapping[str, Any] | None = None, targets: Iterable[str] | None = None,
        folders: Folders | None = None,
    ) -> Plan:  # fmt: skip
        """Check `workflow` with `inputs` filled in. Raises `InvalidWorkflow` with every problem."""
        return compile(fill(workflow, inputs or {}), self.registry, folders or self.folders, targets)

    def check(
        self, workflow: Workflow, inputs: Mapping[str, Any] | None = None, folders: Folders | None = None
    ) -> list[Problem]:
        """Everything that is wrong, with nodes that would not run too. Runs nothing."""
        try:
            return list(self.compile(workflow, inputs, folders=folders).problems)
        except InvalidWorkflow as error:
            return error.problems

    def plan(
        self, workflow: Workflow, inputs: Mapping[str, Any] | None = None, targets: Iterable[str] | None = None,
        folders: Folders | None = None,
    ) -> list[Planned]:  # fmt: skip
        """What a run would do with each node, and why, in the order of the run. Raises `InvalidWorkflow`."""
        return self.planned(self.compile(workflow, inputs, targets, folders))

    def planned(self, plan: Plan) -> list[Planned]:
        """What a run of `plan` would do, see `plan`."""
        made = keys(plan, "", self._digests)
        states = {id: self._held(plan, id, made[id]) for id in plan.calls}
        needed = set(plan.targets)
        for id in reversed(list(plan.calls)):  # consumers before inputs: what is held asks for nothing
            if id in needed and states[id] in ("run", "always"):
                needed |= plan.calls[id].sources
        still = [Planned(id, type, "still", why) for id, (type, why) in plan.still.items()]
        return [*(_planned(plan, id, states, needed) for id in plan.calls), *still]

    def recall(
        self, workflow: Workflow, node: str, *, folders: Folders | None = None, persist: bool = False
    ) -> Mapping[str, Any] | None:
        """What `node` gave in some run, if a cache has it. Runs nothing.

        Args:
            persist: Also write it to the cache on disk, for other processes to read.
        Raises:
            InvalidWorkflow: The document cannot run, or has no such node.
        """
        plan = self.compile(workflow, targets=[node], folders=folders)
        if not plan.calls[node].node.pure:
            return None
        key, machinery = keys(plan, "", self._digests)[node], self._machinery
        found = machinery.memory.get(key)
        if found is None:
            return None if machinery.disk is None else machinery.disk.get(key)
        if persist and machinery.disk is not None:
            machinery.disk.put(key, found)
        return found

    def _held(self, plan: Plan, id: str, key: str) -> str:
        if not plan.calls[id].node.pure:
            return "always"
        if key in self._machinery.memory:
            return "memory"
        return "disk" if self._machinery.disk is not None and key in self._machinery.disk else "run"

    def start(
        self,
        workflow: Workflow,
        /,
        *,
        inputs: Mapping[str, Any] | None = None,
        targets: Iterable[str] | None = None,
        folders: Folders | None = None,
        **named: Any,
    ) -> Run:
        """Start a run and return it. Iterate over it (`for` or `async for`) for its events.

        Args:
            inputs: Values for exposed inputs, or for any `node.input`.
            targets: Nodes or outputs to compute; by default the document's outputs and sinks.
            folders: Where this run finds and leaves files, if not where the engine does.
            named: More inputs, by name.
        Raises:
            InvalidWorkflow: With every problem of the document.
        """
        filled = fill(workflow, {**(inputs or {}), **named})
        places = folders or self.folders
        plan = compile(filled, self.registry, places, targets)
        return self.follow(plan, self.keys(plan), filled, places)

    def keys(self, plan: Plan) -> dict[str, str]:
        """The keys of one run of `plan`. Raises `InvalidWorkflow` where a file that it names is gone."""
        try:
            return keys(plan, uuid.uuid4().hex, self._digests)
        except OSError as error:
            problem = Problem("missing_file", "", None, f"{error.filename!r} cannot be read: {error.strerror}")
            raise InvalidWorkflow([problem]) from error

    def follow(self, plan: Plan, keys: Mapping[str, str], workflow: Workflow, folders: Folders) -> Run:
        """Start a run of `plan`, which `compile` made of `workflow`, and return it. Its keys are of no other run."""
        with self._lock:
            if not self._runs:
                self._prepare()
            self._runs += 1
            number = self._runs

        def document() -> str:
            return rebase(workflow, self.registry, folders.base, folders.output).to_json()

        return Run(plan, keys, self._machinery, folders, document, number)

    def _prepare(self) -> None:
        for pack in self.registry.packs:
            if pack.prepare is not None:
                pack.prepare()

    def run(
        self,
        workflow: Workflow,
        /,
        *,
        inputs: Mapping[str, Any] | None = None,
        targets: Iterable[str] | None = None,
        folders: Folders | None = None,
        on_event: Callable[[Event], None] | None = None,
        **named: Any,
    ) -> Result:
        """Run to the end and return the values. The arguments are those of `start`; Ctrl-C cancels.

        Raises:
            InvalidWorkflow: Nothing ran.
            RunFailed: Some nodes failed; what others computed is in the cache.
            Cancelled: By Ctrl-C this is `KeyboardInterrupt` instead.
        """
        run = self.start(workflow, inputs=inputs, targets=targets, folders=folders, **named)
        try:
            return self.collect(run, on_event)
        except KeyboardInterrupt:
            run.cancel()
            self.collect_quietly(run)
            raise

    def sweep(
        self,
        workflow: Workflow,
        /,
        axes: Mapping[str, Sequence[Any]],
        *,
        mode: Mode = "product",
        inputs: Mapping[str, Any] | None = None,
        targets: Iterable[str] | None = None,
        folders: Folders | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> Iterator[Cell]:
        """Run a workflow for every combination of values, and give the cells as they are done.

        Cells share what they have in common through the cache, and are run in the order that repeats least. A cell that
        fails does not stop the others.

        Args:
            axes: Values for exposed inputs, or for any `node.input`.
            mode: Every value with every other ("product"), or the first with the first and so on ("zip").
            inputs: Values for other inputs, the same in every cell.
        Raises:
            InvalidWorkflow: A cell cannot run, or the axes do not go together. Nothing ran.
        """
        chosen = [Axis(name, tuple(values)) for name, values in axes.items()]
        wanted = list(targets) if targets is not None else None
        try:
            found = points(chosen, mode)
        except ValueError as error:
            raise unknown(error) from error
        filled = fill(workflow, inputs or {})
        for point in found:
            self.compile(filled, point.inputs, wanted, folders)
        return self._cells(filled, ordered(found, chosen, filled), wanted, folders, on_event)

    def _cells(
        self, workflow: Workflow, found: Iterable[Point], targets: list[str] | None, folders: Folders | None,
        on_event: Callable[[Event], None] | None,
    ) -> Iterator[Cell]:  # fmt: skip
        for point in found:
            try:
                made = self.run(workflow, inputs=point.inputs, targets=targets, folders=folders, on_event=on_event)
            except RunFailed as error:
                yield Cell(point.place, point.inputs, None, str(error))
            else:
                yield Cell(point.place, point.inputs, made)

    def collect(self, run: Run, on_event: Callable[[Event], None] | None = None) -> Result:
        """Follow `run` to its end."""
        files = []
        for event in run:
            if type(event) is Saved:
                files.append(Path(event.path))
            if on_event is not None:
                on_event(event)
        outputs = run.outputs()
        plan = run.plan
        named = {name: (ref.node, ref.port) for name, ref in plan.outputs.items()}
        named = named or {f"{id}.{port}": (id, port) for id in outputs for port in outputs[id]}
        return Result({n: outputs[id][port] for n, (id, port) in named.items() if id in outputs}, files)

    def collect_quietly(self, run: Run) -> None:
        """Wait until a cancelled `run` has let go of everything it held."""
        with contextlib.suppress(Cancelled, RuntimeError):
            run.outputs()

    def loaded(self) -> frozenset[Hashable]:
        """The keys of the resources, such as weights, that are loaded now."""
        return self._machinery.pool.loaded()

    def close(self) -> None:
        """Stop the threads and drop loaded models. Running calls are not waited for."""
        self._shut()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _planned(plan: Plan, id: str, states: Mapping[str, str], needed: set[str]) -> Planned:
    call, state = plan.calls[id], states[id]
    if id not in needed:
        return Planned(id, call.type, "unneeded", "what it feeds is cached")
    if state in ("memory", "disk"):
        return Planned(id, call.type, state, f"its result is kept ({state})")
    memory = plan.weights(id), call.activations
    if state == "always":
        return Planned(id, call.type, state, "runs every time", *memory)
    fresh = [s for s in sorted(call.sources) if states[s] in ("run", "always")]
    why = f"{', '.join(fresh)} will run" if fresh else "no result is kept for these inputs"
    return Planned(id, call.type, state, why, *memory)
