"""The node declaration: a typed function is the whole specification.

Ports, JSON Schema, widgets, reference docs and cache key all derive from the signature and the docstring::

    @node(version=1)
    def invert(image: Image, amount: Unit = 1.0) -> Image:
        '''Turn light into dark.

        Args:
            amount: How much of it: 0 leaves the picture as it is.
        '''
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from .context import Context, Folders, Lazy
from .facts import Rule
from .types import PortType

if typing.TYPE_CHECKING:
    from pydantic import TypeAdapter

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])
Upgrade = Callable[[dict[str, Any]], dict[str, Any]]
REQUIRED: Any = inspect.Parameter.empty
MAX_INT = 2**53 - 1
"""The largest integer a document holds: JSON passes through JavaScript."""


class Widget:
    """An editor hint that JSON Schema cannot express: `Annotated[float, Widget("slider", step=0.05)]`."""

    def __init__(self, kind: str, **options: bool | int | float | str) -> None:
        self.kind = kind
        self.options: Mapping[str, bool | int | float | str] = options


@dataclass(frozen=True, slots=True)
class Choices:
    """The values come from a list served at run time: `Annotated[str, Choices("models")]`. Never part of a schema's
    validation, so that schemas are the same on every machine.

    Args:
        several: Whether a value may be several of the list, with commas between them.
    """

    name: str
    several: bool = False


@dataclass(frozen=True, slots=True)
class ChoiceList:
    """What a pack offers for `Choices(name)`: `fn(folders)` gives each value with a few words about it."""

    name: str
    fn: Callable[[Folders], Mapping[str, str]]


def choices(name: str) -> Callable[[Callable[[Folders], Mapping[str, str]]], ChoiceList]:
    """Declare the list behind `Choices(name)`: a function from `Folders` to values, each with a few words about it."""
    return lambda fn: ChoiceList(name, fn)


@dataclass(frozen=True)
class Input:
    """One input port."""

    name: str
    type: PortType
    hint: Any
    default: Any
    doc: str
    lazy: bool
    metadata: tuple[Any, ...]

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    @cached_property
    def adapter(self) -> TypeAdapter[Any] | None:
        """What reads a literal for this port; None for a port that only a link can feed."""
        if not self.type.literal or self.lazy:
            return None
        from pydantic import Field, TypeAdapter

        hint, own = self.hint, self.metadata
        base = typing.get_args(hint)[0] if own else hint
        if base is int:  # of two bounds of a kind pydantic takes the last, so the node's own come behind
            hint = Annotated[(int, Field(ge=-MAX_INT, le=MAX_INT), *own)]
        elif base is float:
            hint = Annotated[(float, Field(allow_inf_nan=False), *own)]
        return TypeAdapter(hint)

    @cached_property
    def validate(self) -> Callable[[Any], Any] | None:
        """What `adapter` does to a value, without the detour; raises pydantic's `ValidationError`."""
        return self.adapter.validator.validate_python if self.adapter else None

    def schema(self) -> dict[str, Any]:
        """JSON Schema with `x-type`, `x-widget` and `x-choices`."""
        schema: dict[str, Any] = self.adapter.json_schema() if self.adapter else {}
        schema |= {"x-type": str(self.type), "description": self.doc}
        if not self.required:
            schema["default"] = self.default if not hasattr(self.default, "__fspath__") else str(self.default)
        for item in self.metadata:
            if isinstance(item, Widget):
                schema["x-widget"] = {"kind": item.kind, **item.options}
            elif isinstance(item, Choices):
                schema["x-choices"] = item.name
        if self.lazy:
            schema["x-lazy"] = True
        return schema


@dataclass(frozen=True, slots=True)
class Output:
    """One output port."""

    name: str
    type: PortType
    doc: str


@dataclass
class Node(Generic[P, R]):
    """A node type. Still callable as the function it decorates, without its context; inside `compose()` a call records
    a node instead.
    """

    name: str
    version: int
    fn: Callable[..., Any]
    title: str
    doc: str
    lane: str
    pure: bool
    category: str
    inputs: Mapping[str, Input]
    outputs: Mapping[str, Output]
    context: str | None
    is_async: bool
    fingerprint_fn: Callable[..., str] | None = None
    ingredients_fn: Callable[..., Iterable[Path]] | None = None
    facts_fn: Rule | None = None
    upgrades: dict[int, Upgrade] = field(default_factory=dict)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        from .compose import recording

        if (composer := recording()) is not None:
            return cast("R", composer.record(self, args, kwargs))
        if self.context is not None:
            from .standalone import Standalone

            return cast("R", self.fn(Standalone(self.name), *args, **kwargs))
        return cast("R", self.fn(*args, **kwargs))

    def fingerprint(self, fn: F) -> F:
        """Register what to mix into the cache key for state outside the graph (a model's revision).

        It takes those of the node's literal inputs that it names, and `folders: Folders` if it names that. An exception
        it raises is a problem of the node, found while checking.
        """
        self.fingerprint_fn = fn
        return fn

    def ingredients(self, fn: F) -> F:
        """Register which files a call reads beside those its literals name: the weights of a model.

        It takes what a `fingerprint` takes. Receipts tell the digests of these files.
        """
        self.ingredients_fn = fn
        return fn

    def ingredients_of(self, literals: Mapping[str, Any], folders: Folders) -> list[Path]:
        """What the registered function says of a call with these literals."""
        fn = self.ingredients_fn
        if fn is None:
            return []
        given = {**literals, "folders": folders}
        return list(fn(**{name: given[name] for name in inspect.signature(fn).parameters if name in given}))

    def facts(self, fn: Rule) -> Rule:
        """Register what is known of the outputs before anything runs, and which inputs do not go together.

        It reads headers and literals, never weights: it runs at every check. An exception it raises is a problem.
        """
        self.facts_fn = fn
        return fn

    def upgrade(self, since: int) -> Callable[[Upgrade], Upgrade]:
        """Register how to rewrite the inputs saved by version `since` for version `since + 1`."""
        if not 1 <= since < self.version:
            raise ValueError(
                f"{self.name}: upgrade(since={since}) needs 1 <= since < {self.version}, the node's version"
            )

        def register(fn: Upgrade) -> Upgrade:
            self.upgrades[since] = fn
            return fn

        return register

    def schema(self) -> dict[str, Any]:
        """The one description that the editor, the docs and the API share."""
        return {
            "version": self.version,
            "title": self.title,
            "description": self.doc,
            "category": self.category,
            "lane": self.lane,
            "pure": self.pure,
            "inputs": {
                "type": "object",
                "properties": {n: i.schema() for n, i in self.inputs.items()},
                "required": [n for n, i in self.inputs.items() if i.required],
            },
            "outputs": {n: {"x-type": str(o.type), "description": o.doc} for n, o in self.outputs.items()},
        }


class Declare(Protocol):
    """The decorator: callers of the node do not pass its context."""

    @overload
    def __call__(self, fn: Callable[Concatenate[Context, P], R]) -> Node[P, R]: ...
    @overload
    def __call__(self, fn: Callable[P, R]) -> Node[P, R]: ...


def node(
    *, version: int, title: str | None = None, lane: str = "cpu", pure: bool = True, category: str = ""
) -> Declare:
    """Declare a typed function as a node.

    Args:
        version: Raise it when the same inputs would give another output, or when inputs were renamed (then add an
            `upgrade`). It is part of the cache key and of documents.
        title: What people read. By default the function's name in words.
        lane: What the call occupies while it runs: "gpu" (one call per device), "cpu" or "io".
        pure: Whether equal inputs give equal outputs, so that results may be kept. An impure node nobody feeds on is
            a sink, such as `SaveImage`: it always runs.
        category: Where a palette lists it. By default its module's name in words.
    Raises:
        TypeError: The signature cannot be a node's.
    """
    if version < 1:
        raise ValueError(f"version must be 1 or more, not {version}")

    def declare(fn: Callable[..., Any]) -> Node[..., Any]:
        name = fn.__name__
        signature = inspect.signature(fn, eval_str=True)
        doc, helps, returns = _docstring(fn)
        is_async = inspect.iscoroutinefunction(fn)
        context: str | None = None
        inputs: dict[str, Input] = {}
        for parameter in signature.parameters.values():
            if parameter.annotation is Context:
                if context is not None or inputs:
                    raise TypeError(f"{name}: {parameter.name!r} is the context, so it must be the first parameter")
                context = parameter.name
            elif parameter.annotation is REQUIRED:
                raise TypeError(f"{name}: parameter {parameter.name!r} has no type annotation")
            elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise TypeError(f"{name}: parameter {parameter.name!r} is variadic; a node's inputs are fixed")
            else:
                inputs[parameter.name] = _input(name, parameter, helps.get(parameter.name, ""), is_async)
        if unknown := helps.keys() - signature.parameters.keys():
            raise TypeError(f"{name}: its docstring describes {sorted(unknown)}, which it does not take")
        if signature.return_annotation is REQUIRED:
            raise TypeError(f"{name}: has no return annotation; use `-> None` for a node with no outputs")
        outputs = _outputs(signature.return_annotation, returns)
        words = name.replace("_", " ")
        where = fn.__module__.rpartition(".")[2].replace("_", " ")
        return Node(
            camel(name), version, fn, title or words.capitalize(), doc, lane, pure, category or where,
            inputs, outputs, context, is_async,
        )  # fmt: skip

    return cast("Declare", declare)


def camel(name: str) -> str:
    """`load_model` -> `LoadModel`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def snake(name: str) -> str:
    """`TextEncoder` -> `text_encoder`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _input(fn: str, parameter: inspect.Parameter, doc: str, is_async: bool) -> Input:
    hint = parameter.annotation
    lazy = typing.get_origin(hint) is Lazy
    if lazy:
        if not is_async:
            raise TypeError(f"{fn}: {parameter.name!r} is Lazy, so the node must be `async def`")
        (hint,) = typing.get_args(hint)
    try:
        port = PortType.of(hint)
    except TypeError as error:
        raise TypeError(f"{fn}: parameter {parameter.name!r}: {error}") from None
    made = Input(parameter.name, port, hint, parameter.default, doc, lazy, getattr(hint, "__metadata__", ()))
    if parameter.default is None and not port.optional:
        raise TypeError(f"{fn}: parameter {parameter.name!r} is None by default, so its type must allow None")
    return made


def _outputs(hint: Any, docs: Mapping[str, str]) -> dict[str, Output]:
    if hint is None or hint is type(None):
        return {}
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        hints = typing.get_type_hints(hint, include_extras=True)
        return {n: Output(n, PortType.of(t), docs.get(n, "")) for n, t in hints.items()}
    port = PortType.of(hint)
    name = snake(port.members[0].__name__) if len(port.members) == 1 else "value"
    name = name + "s" if port.is_list else name
    return {name: Output(name, port, docs.get(name, docs.get("", "")))}


def _docstring(fn: Callable[..., Any]) -> tuple[str, dict[str, str], dict[str, str]]:
    """The text before the sections, the entries of `Args:` and those of `Returns:`."""
    parts = re.split(r"^(Args|Returns|Raises):\s*$", inspect.getdoc(fn) or "", flags=re.M)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    return parts[0].strip(), _entries(sections.get("Args", "")), _entries(sections.get("Returns", ""))


def _entries(section: str) -> dict[str, str]:
    entries: dict[str, str] = {}
    name = ""
    for line in inspect.cleandoc("\n" + section).splitlines():
        if found := re.match(r"(\w+):\s+(.*)", line):
            name, text = found[1], found[2]
        else:
            text = line
        entries[name] = f"{entries.get(name, '')} {text.strip()}".strip()
    return {n: t for n, t in entries.items() if t}
