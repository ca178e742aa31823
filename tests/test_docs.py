"""What the documentation shows works."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from nodegraph import Engine, Folders, Pack, Registry
from nodegraph.cli import parser
from nodegraph.cli.setup import assignments
from nodegraph.interop.reasons import OWN, REASONS, UNKNOWN
from nodegraph.reference import markdown
from nodegraph_diffusion import pack
from nodegraph_diffusion.values import Image

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [DOCS.parent / "README.md", *sorted(DOCS.glob("*.md"))]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(), re.M | re.S)


def test_the_python_of_the_readme_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "workflows").symlink_to(DOCS.parent / "workflows")
    monkeypatch.chdir(tmp_path)
    for block in blocks("../README.md", "python"):
        names: dict[str, object] = {}
        exec(block, names)
        image = names["image"] if "image" in names else names["result"]["image"]  # type: ignore[index]
        assert isinstance(image, Image)


def test_the_python_of_the_craft_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DOCS.parent)
    for block in blocks("craft.md", "python"):
        exec(block, {})


def test_the_node_reference_is_fresh() -> None:
    assert (DOCS / "nodes.md").read_text() == markdown(Registry.installed()), "run `make docs`"


def test_the_document_of_the_format_page_is_one() -> None:
    (document,) = blocks("format.md", "json")
    with Engine() as engine:
        assert engine.check(engine.read(json.loads(document))) == []


def test_the_node_that_is_written_on_the_page(tmp_path: Path) -> None:
    declared, upgrade, _ = blocks("write-a-node.md", "python")
    file = tmp_path / "my_nodes.py"
    file.write_text(declared.replace("version=1", "version=2") + upgrade)
    registry = Registry.installed([Pack.from_file(file)])
    with Engine(registry) as engine:
        old = {"type": "my_nodes/Posterise@1", "inputs": {"colours": 3}}
        assert engine.read({"nodes": {"p": old}}).nodes["p"].inputs == {"levels": 3}
    posterise = registry.get("my_nodes/Posterise")
    assert posterise is not None
    image = Image(np.linspace(0, 1, 30, dtype=np.float32).reshape(1, 3, 2, 5))
    assert set(np.unique(posterise(image, levels=3).pixels)) == {0, 0.5, 1}


def test_the_commands_of_the_pages_are_understood(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Their options are, and for a workflow that ships and files of one's own its inputs too. Models are one's own."""
    (tmp_path / "workflows").symlink_to(DOCS.parent / "workflows")
    (tmp_path / "picture.png").touch()
    monkeypatch.chdir(tmp_path)
    lines = [line for page in PAGES for line in re.findall(r"^nodegraph .+", page.read_text(), re.M)]
    with Engine() as engine:
        for line in lines:
            options = parser().parse_args(shlex.split(line, comments=True)[1:])
            if options.command == "run" and options.file.startswith("workflows/"):
                workflow = engine.load(options.file)
                inputs = assignments(workflow, engine.registry, options.given)
                folders = Folders(Path(options.file).parent)
                problems = engine.check(workflow, inputs, folders)
                assert all((p.code, p.port) == ("unusable", "source") for p in problems), line
    assert len(lines) > 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_standard_pack_is_wholly_said_in_german() -> None:
    """Descriptions are found by their English text: one that is new or was changed since needs its German again."""
    german = json.loads((DOCS.parent / "web" / "src" / "text" / "de.pack.json").read_text(encoding="utf-8"))
    assert set(german["nodes"]) == {node.name for node in pack.nodes}
    assert set(german["categories"]) == {node.category for node in pack.nodes}
    ports, docs = set(), set()
    for node in pack.nodes:
        schema = node.schema()
        described = {**schema["inputs"]["properties"], **{f"{name} ": of for name, of in schema["outputs"].items()}}
        ports |= {f"{node.name}.{name.strip()}" for name in described}
        docs |= {schema["description"], *(of.get("description", "") for of in described.values())}
    names = {port.partition(".")[2] for port in ports}
    assert {name for name in german["ports"] if "." not in name} == names
    assert {name for name in german["ports"] if "." in name} <= ports
    assert set(german["docs"]) == docs - {""}
    shipped = [json.loads(path.read_text(encoding="utf-8")) for path in (DOCS.parent / "workflows").glob("*.json")]
    assert set(german["templates"]) == {each[what] for each in shipped for what in ("name", "description")}
    assert all(text.strip() for part in german.values() for text in part.values())


ROOT = DOCS.parent
SAYING = (
    *(ROOT / "nodegraph" / f"{name}.py" for name in ("plan", "expand", "modes", "facts", "engine", "jobs/documents")),
    *(path for path in (ROOT / "nodegraph" / "interop").glob("*.py") if path.stem != "outward"),
    *(ROOT / "nodes" / "nodegraph_diffusion").glob("*.py"),
)
"""The modules whose sentences the editor shows: while a document is edited or opened, and when a node fails."""
CALLS = {"Problem": 3, "note": 3, "refuse": 1, "Planned": 3, "NodeError": 0, "warn": 0}
"""What says a sentence, and in which argument."""
UNFIT = {"unfit", "_unfit", "_unread", "unlike"}
"""Functions that give one."""
OTHERS = {"message", "text", "error", "what", "why", "reason", "hint"}
HINTS = {"hint", "nearest", "_known_ports", "_near_input"}
"""Names of what says sentences of its own, or adds one behind."""


def _templates(said: ast.expr) -> Iterator[str]:
    """What an expression makes of words, with {} for what is named."""
    if isinstance(said, ast.Constant) and isinstance(said.value, str):
        yield said.value
    elif isinstance(said, ast.IfExp):
        yield from (*_templates(said.body), *_templates(said.orelse))
    elif isinstance(said, ast.BinOp):
        yield from _templates(said.left)
    elif isinstance(said, ast.JoinedStr):
        values = [v.value if isinstance(v, ast.FormattedValue) else v for v in said.values]
        if not any(isinstance(v, ast.Name) and v.id in OTHERS for v in values):
            values = [v for v in values if getattr(getattr(v, "func", v), "id", "") not in HINTS]
            made = (str(v.value) if isinstance(v, ast.Constant) else "{}" for v in values)
            yield "".join(made)


def _sentences(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        said: list[ast.expr] = []
        if isinstance(node, ast.Assign | ast.AugAssign):
            target = node.target if isinstance(node, ast.AugAssign) else node.targets[0]
            said = [node.value] if isinstance(target, ast.Name) and target.id in {"message", "advice", "why"} else []
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            said = node.args[CALLS.get(called, 99) :][:1]
        elif isinstance(node, ast.FunctionDef) and node.name in UNFIT:
            said = [inner.value for inner in ast.walk(node) if isinstance(inner, ast.Return) and inner.value]
        yield from (sentence for expression in said for text in _templates(expression) for sentence in text.split("; "))


def _texts(folder: str) -> str:
    """All that stands in quotes in a folder's modules."""
    trees = (ast.parse(file.read_text(encoding="utf-8")) for file in (ROOT / folder).rglob("*.py"))
    constants = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return "\n".join(node.value for node in constants if isinstance(node.value, str))


def test_problems_are_said_in_german_and_in_no_english_that_is_gone() -> None:
    german = json.loads((ROOT / "web" / "src" / "text" / "de.problems.json").read_text(encoding="utf-8"))
    sources = _texts("nodegraph") + _texts("nodes/nodegraph_diffusion")
    known = set()
    for english, other in german["sentences"].items():
        assert set(re.findall(r"\{\d\}", english)) == set(re.findall(r"\{\d\}", other)), english
        known.add(re.sub(r"\{\d\}", "{}", english))
        if not english.startswith("input should be"):  # pydantic's
            pieces = [piece for piece in re.split(r"\{\d\}|: |, ", english) if len(piece) > 8]
            assert all(piece.strip("? ") in sources for piece in pieces), english
    assert {part for _, why in (*REASONS, ("", UNKNOWN), ("", OWN)) for part in why.split("; ")} <= known
    said = {re.sub(r"\{\}(\.\{\})+", "{}", sentence) for file in SAYING for sentence in _sentences(file)}
    said = {sentence for sentence in said if re.search("[a-z]{3}", sentence)}
    assert len(said) > 200
    assert sorted(s for s in said if not any(s in each for each in known)) == []
