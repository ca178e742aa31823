"""The gate that documents of clients pass before anything reads a file for them.

On the command line a document may name any file. Here its file inputs name uploads, or pictures that ship with the
examples, and its choices (models) what the list offers; a name that lies outside is a problem and is never looked up.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, from_json, to_json

from ..context import Folders
from ..engine import Engine
from ..expand import fill
from ..garbage import collector_paused
from ..interop import open_raw
from ..interop.prompt import is_prompt
from ..library import KINDS
from ..modes import flatten
from ..node import Choices, Input
from ..pack import nearest
from ..plan import Plan, compile_flat
from ..policy import Policy
from ..ports import port
from ..problems import InvalidWorkflow, Problem
from ..workflow import FORMAT, RECEIPT, Graph, Ref, Step, Workflow
from .intake import UPLOAD, keep_picture

NODES = 5000
"""Nodes of a document, with those inside its definitions counted as often as they are used."""
DEPTH = 30
"""Definitions inside definitions."""
STALE = 2.0
"""Seconds for which a list of choices is remembered."""
FEW = 50
"""Nodes that are checked sooner than another thread would have begun with them."""
PICTURES = "pictures"
"""Of the shipped examples, the folder of their pictures."""
CARRIED = re.compile(rf"(?:\.\./)*uploads/({UPLOAD})")
SHIPPED = re.compile(rf"{PICTURES}/([A-Za-z0-9][\w\-]*\.[a-z0-9]+)")


class Queueable(NamedTuple):
    """What is queued of a document.

    Attributes:
        document: As JSON.
        models: What it names of the lists of models, by which a worker is chosen that has them loaded.
    """

    name: str
    document: str
    models: tuple[str, ...]


class Accepted(NamedTuple):
    """A document that may be queued.

    Attributes:
        plan: Its plan; None where the policy has changed it since.
    """

    queueable: Queueable
    workflow: Workflow
    plan: Plan | None


class Documents:
    """Reads what clients send.

    Args:
        uploads: Folder of uploads: what file names are relative to.
        examples: Folder of the shipped examples.
        policy: What pictures pass before they leave.
    """

    def __init__(self, engine: Engine, uploads: Path, examples: Path, policy: Policy | None = None) -> None:
        self.engine, self.uploads, self.examples, self.policy = engine, uploads, examples, policy
        self._choices: dict[str, tuple[float, Mapping[str, str]]] = {}
        self._guarded: dict[str, tuple[Input, ...]] = {}

    @property
    def folders(self) -> Folders:
        return self.engine.folders

    def read(self, raw: Any, inputs: Mapping[str, Any] | None = None) -> Workflow:
        """A document of a sane size with `inputs` filled in, whose files are uploads; ComfyUI's are converted.

        Raises:
            InvalidWorkflow: It cannot be read, or is too large.
        """
        workflow = fill(self._open(raw), inputs or {})
        return self._adopt(workflow)

    def _open(self, raw: Any) -> Workflow:
        workflow = open_raw(raw, self.engine.registry, self.choices).workflow
        count = _count(workflow)
        if count > NODES:
            message = (
                f"has {count:,} nodes, those inside its definitions counted at each use; at most {NODES:,} are taken"
            )
            raise InvalidWorkflow([Problem("too_large", "", None, message)])
        return workflow

    def demand(self, workflow: Workflow, targets: list[str] | None = None) -> Plan:
        """The plan of a document that was read. Raises `InvalidWorkflow` if it cannot run. No problem names a folder of
        this machine."""
        registry = self.engine.registry
        with collector_paused():
            flat = flatten(workflow, registry)
            outside = list(self._outside(flat.steps))
            if outside:
                raise InvalidWorkflow(outside)
            try:
                plan = compile_flat(flat, registry, self.folders, targets or None)
            except InvalidWorkflow as error:
                raise InvalidWorkflow(self._public(error.problems)) from None
        return replace(plan, problems=tuple(self._public(plan.problems))) if plan.problems else plan

    def _public(self, problems: Iterable[Problem]) -> list[Problem]:
        """Problems that name files as documents do, without the folders in which they lie."""
        known = {*self.folders.models, self.folders.base, self.folders.output}
        folders = "|".join(re.escape(folder) for folder in sorted(map(str, known), key=len, reverse=True))
        inside = re.compile(rf"(?<![\w./\\-])(?:{folders}){re.escape(os.sep)}")
        return [replace(problem, message=inside.sub("", problem.message)) for problem in problems]

    def queueable(self, workflow: Workflow, targets: list[str] | None = None) -> Queueable:
        """What is queued of a document that was read, with pictures behind what the policy asks for.

        Raises:
            InvalidWorkflow: It cannot run, or the policy forbids it.
        """
        return self._accept(workflow, targets, None).queueable

    def accept(self, text: str, inputs: Mapping[str, Any], targets: list[str]) -> Accepted:
        """`read` and `queueable` of what `written` made, which goes on as it is where nothing in it has to change."""
        with collector_paused():
            try:
                raw = from_json(text)
            except ValueError:
                raise _too_deep() from None
            read = self._open(raw)
            workflow = self._adopt(fill(read, inputs))
            return self._accept(workflow, targets, text if workflow is read and _is_current(raw, read) else None)

    def _accept(self, workflow: Workflow, targets: list[str] | None, text: str | None) -> Accepted:
        plan = self.demand(workflow, targets)
        models = self._models(plan)
        if self.policy is None:
            return Accepted(Queueable(workflow.name, text or text_of(workflow), models), workflow, plan)
        workflow = self.policy.enforce(workflow, plan)
        return Accepted(Queueable(workflow.name, text_of(workflow), models), workflow, None)

    def is_quick(self, raw: JsonValue) -> bool:
        """Whether a document is checked in less than a millisecond: a few nodes that ask no file for anything."""
        nodes = raw.get("nodes") if isinstance(raw, dict) else None
        if not isinstance(nodes, dict) or len(nodes) > FEW or not isinstance(raw, dict) or raw.get("definitions"):
            return False
        return all(isinstance(step, dict) and self._asks_nothing(step.get("type")) for step in nodes.values())

    def _asks_nothing(self, type: Any) -> bool:
        node = self.engine.registry.get(type.partition("@")[0]) if isinstance(type, str) else None
        return node is not None and not (node.fingerprint_fn or node.facts_fn or self._guards([type]))

    def choices(self, name: str) -> Mapping[str, str]:
        """The values behind `Choices(name)`."""
        known = self._choices.get(name)
        if known is None or time.monotonic() - known[0] > STALE:
            known = self._choices[name] = (time.monotonic(), self.engine.registry.choices(name, self.folders))
        return known[1]

    def _adopt(self, workflow: Workflow) -> Workflow:
        """`workflow` with the files that it may name under the names of uploads; itself where it names none."""
        graphs = [workflow, *workflow.definitions.values()]
        guards = self._guards({step.type for item in graphs for step in item.nodes.values()})
        if not any(Path in known.type.members for inputs in guards.values() for known in inputs):
            return workflow

        def moved(step: Step) -> Step:
            files = {
                name: adopted
                for name, text in step.inputs.items()
                if isinstance(text, str)
                and (known := port(workflow.definitions, self.engine.registry, step.type, name))
                and Path in known.type.members
                and (adopted := self._upload(text)) != text
            }
            return replace(step, inputs={**step.inputs, **files}) if files else step

        def graph(item: Graph) -> dict[str, Step]:
            return {id: moved(s) if s.type in guards or s.type[0] == "#" else s for id, s in item.nodes.items()}

        definitions = {k: d.model_copy(update={"nodes": graph(d)}) for k, d in workflow.definitions.items()}
        return workflow.model_copy(update={"nodes": graph(workflow), "definitions": definitions})

    def _upload(self, text: str) -> str:
        """The upload that a file name means: as a saved picture carries it, or a shipped picture, which becomes one."""
        if found := CARRIED.fullmatch(text):
            return found[1]
        if found := SHIPPED.fullmatch(text):
            shipped = self.examples / PICTURES / found[1]
            if shipped.is_file():
                return keep_picture(shipped.read_bytes(), self.uploads).name
        return text

    def _guards(self, types: Iterable[str]) -> dict[str, tuple[Input, ...]]:
        """The inputs that name files, or one of a list of choices, of those node types that have any."""
        found = {}
        for type in types:
            name = type.partition("@")[0]
            node = self.engine.registry.get(name)
            if node is not None and name not in self._guarded:
                inputs = node.inputs.values()
                self._guarded[name] = tuple(i for i in inputs if Path in i.type.members or _choice(i) is not None)
            if node is not None and self._guarded[name]:
                found[type] = self._guarded[name]
        return found

    def _outside(self, steps: Mapping[str, Step]) -> Iterator[Problem]:
        """Literals that name something on this machine which is not the client's to name."""
        guards = self._guards({step.type for step in steps.values()})
        for id, step in steps.items():
            for known in guards.get(step.type, ()):
                name, value = known.name, step.inputs.get(known.name)
                if value is None or value == known.default:  # a default is the pack's own word
                    continue
                if Path in known.type.members:
                    yield from self._outside_file(id, name, value)
                elif (choice := _choice(known)) is not None:
                    yield from self._outside_choice(id, name, value, choice)

    def _models(self, plan: Plan) -> tuple[str, ...]:
        found: dict[str, None] = {}
        guards = self._guards({call.type for call in plan.calls.values()})
        for call in plan.calls.values():
            for known in guards.get(call.type, ()):
                choice, value = _choice(known), call.literals.get(known.name)
                if choice is not None and choice.name in KINDS and isinstance(value, str):
                    found[value] = None
        return tuple(found)

    def _outside_file(self, id: str, name: str, value: Any) -> Iterator[Problem]:
        if isinstance(value, Ref) or (isinstance(value, str) and _is_upload(value, self.uploads)):
            return
        message = (
            f"needs the name of an upload, but {value!r} is given; send the picture to /api/uploads and use its name"
        )
        yield Problem("unknown_upload", id, name, message)

    def _outside_choice(self, id: str, name: str, value: Any, choice: Choices) -> Iterator[Problem]:
        listed = choice.name
        if isinstance(value, Ref | tuple):
            message = f"takes one of the {listed} that are listed, so it cannot be linked here; choose one"
            yield Problem("linked_choice", id, name, message)
            return
        known = self.choices(listed)
        parts = [part.strip() for part in value.split(",")] if choice.several and isinstance(value, str) else [value]
        if (
            unknown := next((part for part in parts if not isinstance(part, str) or part not in known), None)
        ) is not None:
            message = (
                f"needs one of the {listed} that are listed, but {unknown!r} is given{nearest(str(unknown), known)}"
            )
            yield Problem("unknown_choice", id, name, message)


def text_of(workflow: Workflow) -> str:
    """The document as JSON. Raises `InvalidWorkflow` as `written` does."""
    return written(workflow.to_dict())


def written(raw: Any) -> str:
    """What a client sent for a document as JSON; if it is one of ours, with its format.

    Raises:
        InvalidWorkflow: It has letters that cannot be written, such as half of a pair, or is nested too deeply.
    """
    if isinstance(raw, dict) and "format" not in raw and isinstance(raw.get("nodes"), dict) and not is_prompt(raw):
        raw = {"format": FORMAT, **raw}
    try:
        return to_json(raw, inf_nan_mode="constants").decode()
    except PydanticSerializationError as error:
        if "depth" in str(error):
            raise _too_deep() from None
        message = "holds a letter that is none: half of a UTF-16 pair (\\ud800 to \\udfff); write the text anew"
        raise InvalidWorkflow([Problem("bad_text", "", None, message)]) from None


def _too_deep() -> InvalidWorkflow:
    return InvalidWorkflow([Problem("bad_document", "", None, "its values are nested too deeply")])


def _is_current(raw: Any, workflow: Workflow) -> bool:
    """Whether `raw`, which was read as `workflow`, is one of our documents and of today."""
    if raw.get("format") != FORMAT or RECEIPT in raw or not isinstance(raw.get("nodes"), dict):
        return False

    def has_types(sent: Any, graph: Graph) -> bool:
        nodes = sent["nodes"]
        return nodes.keys() == graph.nodes.keys() and all(s.type == nodes[id]["type"] for id, s in graph.nodes.items())

    inside = workflow.definitions
    return has_types(raw, workflow) and all(has_types(raw["definitions"][name], inside[name]) for name in inside)


def _choice(known: Input) -> Choices | None:
    return next((m for m in known.metadata if isinstance(m, Choices)), None)


def _is_upload(name: str, uploads: Path) -> bool:
    return re.fullmatch(UPLOAD, name) is not None and (uploads / name).is_file()


def _count(workflow: Workflow) -> int:
    """Nodes once every definition is replaced by its insides, without replacing any. Raises `InvalidWorkflow`."""
    counts: dict[str, int] = {}

    def of(graph: Graph, depth: int) -> int:
        if depth > DEPTH:
            message = f"its definitions lie more than {DEPTH} deep in each other, or contain themselves"
            raise InvalidWorkflow([Problem("cycle", "", None, f"{message}; make them flatter")])
        used = [step.type[1:] for step in graph.nodes.values() if step.type[0] == "#"]
        known = [name for name in used if name in workflow.definitions]
        for name in known:
            if name not in counts:
                counts[name] = of(workflow.definitions[name], depth + 1)
        return len(graph.nodes) - len(known) + sum(counts[name] for name in known)

    return of(workflow, 0)
