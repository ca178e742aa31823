"""From ComfyUI's prompt to our document."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from ..node import MAX_INT, Choices, Input, Node
from ..pack import Registry, nearest
from ..problems import Problem
from ..workflow import FORMAT
from . import embeddings
from .choosing import Offered, find_choice, nothing
from .classes import known_classes
from .drawing import Drawn, layout
from .folding import Folding
from .names import (
    CLASS_TYPE,
    INPUT_NAMES,
    NAMELESS,
    PLAIN_NAME,
    free,
    node_id,
    output_name,
    placeholder_type,
    slug,
    twin_type,
)
from .parts import ALONE, MODEL, model_of
from .prompt import Item, Prompt, Wire
from .table import SHOWN, TEXTS, Entry, Fixed, Take, paths
from .ways import Ways
from .wording import from_comfyui, to_comfyui


class Link(dict[str, str]):
    """A link of our document, so that a literal that looks like one is not taken for it."""

    def __init__(self, source: str) -> None:
        super().__init__({"$from": source})


@dataclass(slots=True)
class Converted:
    """A document made from a foreign one.

    Attributes:
        document: As plain values, to be read by `read_workflow`.
        notes: What is not as it was, by node.
        origin: Our node or output for each of theirs that has one.
    """

    document: dict[str, Any]
    notes: list[Problem]
    origin: dict[str, str] = field(default_factory=dict)


def convert(prompt: Prompt, registry: Registry, offered: Offered = nothing, drawn: Drawn | None = None) -> Converted:
    """Write `prompt` with the nodes of `registry`.

    Args:
        offered: Lists the choices of a name, such as "models", to find names of files in.
        drawn: Where things were, if that is known.
    """
    work = _Conversion(prompt, registry, offered)
    work.run()
    if drawn is not None:
        work.fold(drawn)
        if made := layout(drawn, "", work.ids):
            work.made.document["layout"] = made
    return work.made


class _Conversion:
    def __init__(self, prompt: Prompt, registry: Registry, offered: Offered) -> None:
        self.prompt, self.registry, self.offered = prompt, registry, offered
        self.ways = Ways(prompt, registry)
        self.refused = self.ways.refused
        self.ids: dict[str, str] = {}
        self.nodes: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}
        self.taught: dict[tuple[str, str, str], str] = {}
        document = {"format": FORMAT, "nodes": self.nodes, "outputs": self.outputs}
        self.made = Converted(document, [])

    def run(self) -> None:
        taken: set[str] = set()
        for theirs, item in self.prompt.items():
            if theirs in self.refused or self.ways.outputs(theirs) is not None:
                self.ids[theirs] = made = node_id(theirs, item, taken)
                taken.add(made)
        for theirs, item in self.prompt.items():
            if theirs in self.refused:
                self._placeholder(theirs, item)
            elif (twin := self.ways.twin(theirs)) is not None:
                self._same(theirs, item, twin)
            elif (entry := self.ways.entry(theirs)) is not None:
                self._entry(theirs, item, entry)
            elif item.type in SHOWN:
                self._shown(theirs, item)
        self._keep_origin()
        if not self.outputs:
            del self.made.document["outputs"]

    def fold(self, drawn: Drawn) -> None:
        """Put the nodes of subgraphs into definitions."""
        before = dict(self.ids)
        work = Folding(
            self.nodes, self.outputs, self.ids, self._port, self._output,
            lambda use, ids: layout(drawn, f"{use.id}:", ids, use.offset),
        )  # fmt: skip
        work.run(drawn)
        if work.definitions:
            self.made.document["definitions"] = work.definitions
        moved = {ours: self.ids[theirs] for theirs, ours in before.items()}
        self.made.notes[:] = [Problem(n.code, moved.get(n.node, n.node), n.port, n.message) for n in self.made.notes]
        self._keep_origin()

    def _keep_origin(self) -> None:
        self.made.origin |= self.ids

    def _port(self, theirs: str, name: str) -> str | None:
        """Our input that takes one of theirs as it is."""
        entry = self.ways.entry(theirs)
        if entry is None:
            return name if self.ways.outputs(theirs) is not None or theirs in self.refused else None
        return next(
            (ours for ours, how in entry.inputs.items() if name in paths(how) and not isinstance(how, tuple)), None
        )

    def _output(self, theirs: str, slot: int) -> str | None:
        if theirs in self.refused:
            return output_name(slot)
        outputs = self.ways.outputs(theirs) if theirs in self.prompt else None
        return outputs[slot] if outputs is not None and slot < len(outputs) else None

    def note(self, code: str, id: str, port: str | None, message: str) -> None:
        self.made.notes.append(Problem(code, id, port, message))

    def _same(self, theirs: str, item: Item, node: Node[..., Any]) -> None:
        """Write one with its twin: the same inputs, by the same names."""
        id = self.ids[theirs]
        inputs: dict[str, Any] = {}
        for name, port in node.inputs.items():
            given = item.inputs.get(name)
            if item.type in ALONE and name == MODEL:
                given = model_of(self.prompt, theirs)
            value = self._linked(id, name, item, name, given) if isinstance(given, Wire) else given
            if isinstance(value, str) and name in TEXTS.get(item.type, ()):
                value = self._worded(id, name, value)
            if value is not None:
                inputs[name] = self._checked(id, port, item, value)
            elif not port.required and port.type.literal:
                inputs[name] = port.default
        self.nodes[id] = {"type": f"{twin_type(item.type)}@{node.version}", "inputs": inputs}
        if item.type in TEXTS:
            self._teach(theirs, inputs, "clip", TEXTS[item.type])

    def _teach(self, theirs: str, inputs: dict[str, Any], encoder: str, texts: Iterable[str]) -> None:
        """Put nodes before one that reads prompts, which teach the textual inversions that they name."""
        teacher = self.registry.get(embeddings.TEACHER)
        for port in texts:
            text, link = inputs.get(port), inputs.get(encoder)
            if teacher is None or not isinstance(text, str) or not isinstance(link, Link):
                continue
            for name in embeddings.named(text):
                link = self._taught(theirs, name, link, teacher)
            inputs[encoder], inputs[port] = link, embeddings.from_comfyui(text)

    def _taught(self, theirs: str, name: str, link: Link, teacher: Node[..., Any]) -> Link:
        """What gives the text encoder that `link` gives, with a word for the textual inversion `name`."""
        key = (theirs.rpartition(":")[0], link["$from"], name)
        if key not in self.taught:
            self.taught[key] = made = f"{theirs}~{name}"
            id = self.ids[made] = node_id("", Item(f"teach {name}"), self.nodes.keys() | set(self.ids.values()))
            source = find_choice(name, "words", self.offered, self.made.notes, (id, "source"))
            inputs = {"text_encoder": link, "source": source, "word": embeddings.word(name)}
            self.nodes[id] = {"type": f"{embeddings.TEACHER}@{teacher.version}", "inputs": inputs}
        return Link(f"{self.ids[self.taught[key]]}.text_encoder")

    def _worded(self, id: str, port: str, text: str) -> str:
        """A prompt in our words."""
        made = from_comfyui(text)
        if to_comfyui(made) != text:
            self.note("changed", id, port, f"{text!r} is written as {made!r}")
        return made

    def _placeholder(self, theirs: str, item: Item) -> None:
        id = self.ids[theirs]
        type = placeholder_type(item.type)
        inputs: dict[str, Any] = {CLASS_TYPE: item.type} if type == NAMELESS else {}
        odd: dict[str, str] = {}
        for name, value in item.inputs.items():
            plain = name
            if not PLAIN_NAME.fullmatch(name) or name in (CLASS_TYPE, INPUT_NAMES) or len(name) > 90:
                plain = free(slug(name) or "input", {*item.inputs, *inputs, CLASS_TYPE, INPUT_NAMES})
                odd[plain] = name
            held = self._linked(id, plain, item, name, value) if isinstance(value, Wire) else _safe(value)
            if held is not None or not isinstance(value, Wire):
                inputs[plain] = held
        if odd:
            inputs[INPUT_NAMES] = odd
        self.nodes[id] = {"type": type, "inputs": inputs}
        self.note("not_carried", id, None, f"{item.type} is kept as a placeholder: {self.refused[theirs]}")

    def _entry(self, theirs: str, item: Item, entry: Entry) -> None:
        id, node = self.ids[theirs], self.registry.get(entry.type)
        assert node is not None
        known = known_classes()[item.type]
        inputs: dict[str, Any] = {}
        for name, port in node.inputs.items():
            how = entry.inputs.get(name)
            value: Any = None
            if isinstance(how, tuple):
                value = [link for n in how if (link := self._value(id, name, item, n)) is not None]
            elif how is not None:
                value = self._value(id, name, item, how)
            else:
                value = {**entry.fixed, **entry.given}.get(name)
            if value is None or value == []:
                if port.required or not port.type.literal:
                    continue
                value = None if port.default is None else port.default
            inputs[name] = self._checked(id, port, item, value)
        self.nodes[id] = {"type": f"{entry.type}@{node.version}", "inputs": inputs}
        if entry.type == "EncodePrompt":
            self._teach(theirs, inputs, "text_encoder", ("text",))
        self._left(id, item, entry, set(known.inputs))

    def _left(self, id: str, item: Item, entry: Entry, known: set[str]) -> None:
        """Note what of an item has no place here."""
        used = {path.partition(".")[0] for path in entry.paths}
        for name, value in item.inputs.items():
            if name in used or (known and name not in known and not isinstance(value, Wire)):
                continue  # ComfyUI ignores values that a class does not know: old files hold them
            if name in entry.ignored:
                default = known_classes()[item.type].inputs[name].default
                if value != default:
                    self.note(
                        "changed", id, None, f"{item.type}'s {name} {value!r} is left away: {entry.ignored[name]}"
                    )
            else:
                self.note("changed", id, None, f"{item.type}'s {name} has no place in {entry.type} and is left away")

    def _checked(self, id: str, port: Input, item: Item, value: Any) -> Any:
        """A literal as it can be held, with a note where the node does not take it."""
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_INT:
            made = value % (MAX_INT + 1)
            message = f"{value} is larger than a number here can be (2**53 - 1), so it is {made}: another picture"
            self.note("changed", id, port.name, message)
            return made
        if isinstance(value, Link) or (isinstance(value, list) and value and isinstance(value[0], Link)):
            return value
        held = _safe(value)
        listed = next((each.name for each in port.metadata if isinstance(each, Choices)), None)
        if listed is not None and held != port.default:
            held = find_choice(held, listed, self.offered, self.made.notes, (id, port.name))
        if port.validate is None:
            return held
        try:
            port.validate(held)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            choices = re.findall(r"'([^']*)'", str(first.get("ctx", {}).get("expected", "")))
            why = nearest(str(held), choices) if choices else f": {first['msg'][0].lower()}{first['msg'][1:]}"
            self.note("bad_value", id, port.name, f"{item.type} has {held!r}, which is not taken here{why}")
        return held

    def _shown(self, theirs: str, item: Item) -> None:
        wire = item.inputs.get(SHOWN[item.type].input)
        link = self._link(wire) if isinstance(wire, Wire) else None
        if link is None:
            self.note("changed", "", None, f"{item.type} {theirs!r} shows nothing, so it is left away")
            return
        name = node_id(theirs, item, self.outputs)
        self.outputs[name] = link
        self.made.origin[theirs] = name

    def _value(self, id: str, port: str, item: Item, how: str | Take) -> Any:
        """The value of an input: a literal, a link or None."""
        path = how.path if isinstance(how, Take) else how
        first, _, rest = path.partition(".")
        value = self._part(item, first, rest) if rest else _own(item, first)
        if isinstance(value, Wire):
            part = self.ways.part(value.node)
            taken = part is not None and part.passes is None
            return None if taken else self._linked(id, port, item, first, value)
        if value is None or not isinstance(how, Take):
            return value
        made = how.here(value)
        if how.there(made) != value:
            self.note("changed", id, port, f"{value!r} is written as {made!r}")
        return made

    def _linked(self, id: str, port: str, item: Item, theirs: str, wire: Wire) -> Link | None:
        link = self._link(wire)
        if link is None:
            message = f"{item.type}'s {theirs} is linked to what node {wire.node} does not give"
            self.note("dangling_link", id, port, message)
        return link

    def _part(self, item: Item, first: str, rest: str) -> Any:
        """What a `Part` that is linked to `first`, or behind it, says."""
        wire = item.inputs.get(first)
        while isinstance(wire, Wire):
            source = self.prompt[wire.node]
            part = self.ways.part(wire.node)
            if part is None:
                return None
            if rest in part.values:
                how = part.values[rest]
                if isinstance(how, Fixed):
                    return how.value
                value = _own(source, how.path if isinstance(how, Take) else how)
                return how.here(value) if isinstance(how, Take) and not isinstance(value, Wire) else value
            name, _, deeper = rest.partition(".")
            inner = part.values.get(name) if deeper else None
            if isinstance(inner, str):
                wire, rest = source.inputs.get(inner), deeper
                continue
            wire = source.inputs.get(part.passes) if part.passes else None
        return None

    def _link(self, wire: Wire) -> Link | None:
        """A link to what answers for `wire` here."""
        for _ in range(len(self.prompt) + 1):
            item = self.prompt.get(wire.node)
            if item is None:
                return None
            if wire.node in self.refused:
                return Link(f"{self.ids[wire.node]}.{output_name(wire.slot)}")
            outputs = self.ways.outputs(wire.node)
            if outputs is not None:
                there = wire.slot < len(outputs)
                return Link(f"{self.ids[wire.node]}.{outputs[wire.slot]}") if there else None
            part = self.ways.part(wire.node)
            behind = item.inputs.get(part.passes) if part is not None and part.passes else None
            if not isinstance(behind, Wire):
                return None
            wire = behind
        return None


def _own(item: Item, name: str) -> Any:
    """An input's value, or what a file that lacks it means."""
    value = item.inputs.get(name)
    if value is None:
        port = known_classes()[item.type].inputs.get(name)
        value = port.default if port is not None and port.has_default else None
    return value


def _safe(value: Any) -> Any:
    """A literal that cannot be mistaken for links, and holds no number that JSON has no name for."""
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return None
    if isinstance(value, dict):
        return {f"_{k}" if k == "$from" else k: _safe(v) for k, v in value.items()}
    return [_safe(v) for v in value] if isinstance(value, list) else value
