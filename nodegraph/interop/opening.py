"""Any file that holds a workflow, as our document and what is not in it as it was."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ..carrier import read_document
from ..migrate import read_workflow
from ..pack import Registry
from ..problems import InvalidWorkflow, Problem
from ..workflow import Workflow
from .choosing import Offered, nothing
from .pictures import PARAMETERS, PROMPT, WORKFLOW, foreign_texts
from .prompt import MOST_NODES, Prompt, is_prompt, read_prompt
from .scopes import is_canvas
from .spelling import spelled

if TYPE_CHECKING:  # what converts is loaded when there is something to convert: `check` would wait for it
    from .drawing import Drawn
    from .inward import Converted

LARGEST = 16 * 2**20
"""Bytes of the largest text that is read."""
Kind = Literal["nodegraph", "comfyui", "a1111"]
TEXT = frozenset(b"\t\n\r" + bytes(range(32, 256)))


@dataclass(frozen=True, slots=True)
class Opened:
    """A document from a file.

    Attributes:
        workflow: The document.
        notes: What is not in it as it was in the file, by node.
        kind: Whose file it was.
        origin: For a file of ComfyUI, our node or output for each of its nodes that has one.
    """

    workflow: Workflow
    notes: tuple[Problem, ...] = ()
    kind: Kind = "nodegraph"
    origin: Mapping[str, str] = field(default_factory=dict)


def open_document(data: bytes, registry: Registry, offered: Offered = nothing) -> Opened:
    """Read our document, ComfyUI's (UI or API format), A1111's lines, or a picture that carries one of these.

    Args:
        offered: Lists the choices of a name, such as "models": names of files are looked for among them.
    Raises:
        InvalidWorkflow: There is no document in it that can be read. It says why.
    """
    start = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start or not TEXT.issuperset(start) or start.startswith((b"GIF8", b"RIFF", b"P6")):
        return _picture(data, registry, offered)
    if len(data) > LARGEST:
        raise _unreadable(f"it is {len(data):,} bytes long; at most {LARGEST:,} are read")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(f"it is not in UTF-8: {error.reason} at byte {error.start:,}") from None
    if not start.startswith((b"{", b"[")):
        if (found := _lines(text, registry, offered)) is not None:
            return found
        raise _unreadable(
            "it is neither JSON, which begins with '{', nor A1111's lines, of which one begins 'Steps: 20, '"
        )
    return open_raw(_json(text), registry, offered)


def open_raw(raw: Any, registry: Registry, offered: Offered = nothing) -> Opened:
    """The same from plain values. Raises `InvalidWorkflow`."""
    try:
        if isinstance(raw, dict) and not is_prompt(raw) and is_prompt(raw.get("prompt")):
            extra = raw.get("extra_data")
            info = extra.get("extra_pnginfo") if isinstance(extra, dict) else None
            return _prompt(raw["prompt"], info.get("workflow") if isinstance(info, dict) else None, registry, offered)
        if is_canvas(raw):
            drawn = _canvas(raw)
            return _said(drawn.items, drawn.problems, registry, offered, drawn)
        if is_prompt(raw):
            return _prompt(raw, None, registry, offered)
        return Opened(read_workflow(raw, registry))
    except RecursionError:
        raise _unreadable("its values are nested too deeply") from None


def _prompt(raw: Mapping[str, Any], canvas: Any, registry: Registry, offered: Offered) -> Opened:
    """A prompt, with the places of its nodes where the canvas it was made from came along."""
    if len(raw) > MOST_NODES:
        raise _unreadable(f"it has {len(raw):,} nodes; at most {MOST_NODES:,} are read")
    items, problems = read_prompt(raw)
    drawn: Drawn | None = None
    if is_canvas(canvas):
        try:
            drawn = _canvas(canvas)
        except InvalidWorkflow:
            drawn = None  # only where things are drawn is lost
    return _said(items, problems, registry, offered, drawn)


def _said(
    items: Prompt, problems: Sequence[Problem], registry: Registry, offered: Offered, drawn: Drawn | None
) -> Opened:
    """A prompt that was read, in our words. `origin` names the nodes of the file alone."""
    from .inward import convert

    plain, more = spelled(items)
    made = convert(plain, registry, offered, drawn)
    theirs = items.keys() | {use.id for use in (drawn.uses if drawn is not None else ())}
    made.origin = {id: ours for id, ours in made.origin.items() if id in theirs}
    return _opened(made, registry, "comfyui", [*problems, *more])


def _canvas(raw: Any) -> Drawn:
    from .canvas import read_canvas

    return read_canvas(raw)


def _lines(text: str, registry: Registry, offered: Offered) -> Opened | None:
    """A1111's lines; None where the text is none of theirs."""
    from .infotext import is_infotext, read_infotext

    return _opened(read_infotext(text, registry, offered), registry, "a1111") if is_infotext(text) else None


def _picture(data: bytes, registry: Registry, offered: Offered) -> Opened:
    try:
        try:
            own = read_document(data)
        except ValueError as error:
            own, reason = "", error
        if own:
            return Opened(read_workflow(_json(own), registry))
        texts = foreign_texts(data)
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidWorkflow):
            raise
        raise _unreadable(str(error)) from None
    if any(len(text) > LARGEST for text in texts.values()):
        raise _unreadable(f"the text in this picture is longer than {LARGEST:,} letters")
    if PROMPT in texts and is_prompt(raw := _json(texts[PROMPT])):
        return _prompt(raw, _json(texts[WORKFLOW]) if WORKFLOW in texts else None, registry, offered)
    if WORKFLOW in texts:
        return open_raw(_json(texts[WORKFLOW]), registry, offered)
    if PARAMETERS in texts and (found := _lines(texts[PARAMETERS], registry, offered)) is not None:
        return found
    raise _unreadable(str(reason))


def _opened(made: Converted, registry: Registry, kind: Kind, problems: Sequence[Problem] = ()) -> Opened:
    workflow = read_workflow(made.document, registry)
    notes = [Problem(p.code, made.origin.get(p.node, ""), p.port, _named(p, made.origin)) for p in problems]
    return Opened(workflow, (*notes, *made.notes), kind, made.origin)


def _named(problem: Problem, origin: Mapping[str, str]) -> str:
    """What a note says; it names the node in the file where there is none for it here."""
    lost = problem.node and problem.node not in origin
    return f"node {problem.node}: {problem.message}" if lost else problem.message


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(f"it is no JSON that can be read: {error}") from None


def _unreadable(reason: str) -> InvalidWorkflow:
    return InvalidWorkflow([Problem("unreadable_document", "", None, f"holds no workflow that can be read: {reason}")])
