from __future__ import annotations

import importlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, cast

import pytest

import toy
from nodegraph import Choices, Context, Lazy, Pack, Registry, Widget, node
from nodegraph.pack import nearest
from nodegraph.types import Coercion, Coercions, PortType


def test_a_node_is_still_a_function() -> None:
    assert toy.invert(toy.Image((0.0,))).data == (1.0,)


def test_a_call_outside_an_engine_brings_its_own_context() -> None:
    made = toy.sample(toy.Model("m"), toy.Conditioning("abc"), steps=2)
    assert made.data == pytest.approx((7.0, 3.0))


def test_everything_is_read_from_signature_and_docstring() -> None:
    schema = toy.sample.schema()
    assert schema["inputs"]["required"] == ["model", "positive"]
    assert schema["description"] == "Denoise."
    assert schema["inputs"]["properties"]["cfg"] == {
        "type": "number", "x-type": "float", "description": "How strictly to follow the prompt.", "default": 7.0,
    }  # fmt: skip
    assert schema["inputs"]["properties"]["seed"] == {
        "type": "integer", "minimum": 0, "maximum": 2**53 - 1, "x-type": "int", "description": "", "default": 0,
        "x-widget": {"kind": "seed"},
    }  # fmt: skip
    assert schema["inputs"]["properties"]["sampler"]["enum"] == ["euler", "heun"]
    assert schema["outputs"] == {"latent": {"x-type": "Latent", "description": ""}}
    assert list(toy.image_size.outputs) == ["width", "height"]
    assert list(toy.many.outputs) == ["images"]
    assert toy.many.outputs["images"].type == PortType((toy.Image,), is_list=True)


def test_hints_for_the_editor() -> None:
    @node(version=3, title="Pick", category="things")
    def pick(
        name: Annotated[str, Choices("models")] = "demo",
        strength: Annotated[float, Widget("slider", step=0.05)] = 0.5,
        file: Path = Path("a.png"),
    ) -> None:
        """Pick."""

    properties = pick.schema()["inputs"]["properties"]
    assert properties["name"]["x-choices"] == "models"
    assert properties["strength"]["x-widget"] == {"kind": "slider", "step": 0.05}
    assert properties["file"]["default"] == "a.png"
    assert (pick.title, pick.category, pick.version, dict(pick.outputs)) == ("Pick", "things", 3, {})


class Pair(NamedTuple):
    one: int
    other: str


def test_what_cannot_be_a_node_is_refused_where_it_is_declared() -> None:
    def lazy(a: Lazy[int]) -> int:
        return 0

    def bare(a) -> int:  # type: ignore[no-untyped-def]
        return 0

    def unsaid(a: int):  # type: ignore[no-untyped-def]
        return 0

    def star(*a: int) -> int:
        return 0

    def late(a: int, ctx: Context) -> int:
        return 0

    def empty(a: int = None) -> int:  # type: ignore[assignment]
        return 0

    def mapping(a: dict[str, int]) -> int:
        return 0

    def misspelt(a: int) -> int:
        """Do.

        Args:
            b: Not there.
        """
        return 0

    for fn, words in [
        (lazy, "async def"), (bare, "no type annotation"), (unsaid, "no return annotation"), (star, "variadic"),
        (late, "first parameter"), (empty, "must allow None"), (mapping, "cannot be a port type"), (misspelt, "'b'"),
    ]:  # fmt: skip
        with pytest.raises(TypeError, match=words):
            node(version=1)(cast("Callable[[], int]", fn))
    with pytest.raises(ValueError, match="1 <= since < 1"):
        toy.add.upgrade(since=1)
    with pytest.raises(ValueError, match="1 or more"):
        node(version=0)


def test_fit_is_one_step() -> None:
    class A: ...

    class B(A): ...

    class C: ...

    class D: ...

    def of(*members: type, many: bool = False) -> PortType:
        return PortType(members, is_list=many)

    table = Coercions([Coercion(A, C, lambda v: C()), Coercion(C, D, lambda v: D())])
    assert table.fit(of(B), of(A)) is not None
    assert table.fit(of(A), of(B)) is None
    fit = table.fit(of(A), of(C))
    assert fit is not None
    assert fit.name == "<lambda>"
    assert table.fit(of(A), of(D)) is None
    assert table.fit(of(A, C), of(A, C)) is not None
    assert table.fit(of(A, D), of(A)) is None
    mapped, lifted = table.fit(of(A, many=True), of(C)), table.fit(of(A), of(A, many=True))
    assert mapped is not None
    assert mapped.mapped
    assert lifted is not None
    assert lifted.lifted
    with pytest.raises(ValueError, match="already has a coercion"):
        Coercions([Coercion(A, C, lambda v: C()), Coercion(A, C, lambda v: C())])


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (int, "int"), (Literal["a", "b"], "str"), (int | str, "int | str"), (list[int], "list[int]"),
        (list[int] | None, "list[int]"), (Annotated[int, "x"], "int"), (Literal["auto", 1], "str | int"),
    ],
)  # fmt: skip
def test_port_types_from_annotations(hint: Any, text: str) -> None:
    assert str(PortType.of(hint)) == text


def test_port_types_that_are_none() -> None:
    for hint in (list[list[int]], dict[str, int], list[int] | int, "int"):
        with pytest.raises(TypeError, match="cannot be a port type"):
            PortType.of(hint)


def test_packs_and_registry(tmp_path: Path) -> None:
    file = tmp_path / "acme.py"
    file.write_text(
        "from nodegraph import node\n\n@node(version=1)\n"
        "def double(a: int) -> int:\n    '''Double.'''\n    return a * 2\n"
    )
    registry = Registry(toy.pack(), Pack.from_file(file))
    found = registry.get("acme/Double")
    assert found is not None
    assert found(4) == 8
    assert "Sample" in set(registry)
    assert toy.Image in registry.classes()
    with pytest.raises(ValueError, match="declared twice"):
        Registry(Pack("", (toy.add,)), Pack("", (node(version=1)(toy.add.fn),)))
    with pytest.raises(FileNotFoundError, match="check the path"):
        Pack.from_file(tmp_path / "none.py")
    file.write_text("from nodegraph import node\n\n@node()\ndef one() -> int:\n    return 1\n")
    with pytest.raises(ValueError, match=r"pack '.*acme.py', line 3: TypeError: node\(\) missing"):
        Pack.from_file(file)


def test_a_pack_does_not_take_a_modules_place(tmp_path: Path) -> None:
    file = tmp_path / "colorsys.py"
    file.write_text(
        "from dataclasses import dataclass\nfrom nodegraph import node\n\n@dataclass(frozen=True)\nclass Tone:\n"
        "    hue: float\n\n@node(version=1)\ndef tone(hue: float) -> Tone:\n    '''Tone.'''\n    return Tone(hue)\n"
    )
    (made,) = Pack.from_file(file).nodes
    assert made.category == "colorsys"
    value = made.fn(0.5)
    assert pickle.loads(pickle.dumps(value)) == value
    assert importlib.import_module("colorsys").rgb_to_hsv(1, 0, 0) == (0, 1, 1)


def test_nearest_name() -> None:
    assert nearest("Smaple", ["Sample", "Decode"]) == "; did you mean 'Sample'?"
    assert nearest("sample", ["Sample"]) == "; did you mean 'Sample'?"
    assert nearest("xyz", ["Sample"]) == ""
