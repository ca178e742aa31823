"""Many runs of one workflow: axes, order, cells, and what is left behind."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from harness import Bench, changed, link, ran, step
from nodegraph import InvalidWorkflow, Workflow
from nodegraph.axes import Axis, ordered, points, read_axis
from nodegraph.carrier import read_document
from nodegraph.cli import main
from nodegraph.engine import Cell
from nodegraph.events import Event
from nodegraph.sheet import Sheet, contact_sheet, page
from toy import TXT2IMG

INPUTS = {"seed": {"to": ["sample.seed"]}, "prompt": {"to": ["prompt.text"]}}
WORKFLOWS = Path(__file__).parents[1] / "workflows"


def flow(bench: Bench) -> Workflow:
    return bench.read(TXT2IMG, inputs=INPUTS, outputs={"image": link("decode.image")})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("seed=1,5,9", (1, 5, 9)),
        ("seed=0..3", (0, 1, 2, 3)),
        ("seed=7,0..4..2,9", (7, 0, 2, 4, 9)),
        ("sample.cfg=0.2..0.8..0.2", (0.2, 0.4, 0.6, 0.8)),
        ("sample.cfg=1..2..0.4", (1.0, 1.4, 1.8)),
        ("sample.cfg=-1,1e2", (-1.0, 100.0)),
        ("sample.sampler=euler,heun", ("euler", "heun")),
        ("prompt=a cat, sitting", ("a cat, sitting",)),
        ("prompt=a {red|blue} cat, sitting", ("a red cat, sitting", "a blue cat, sitting")),
        ("prompt=@lines.txt", ("one, two", "{three}")),
        ("prompt={@lines.txt}!", ("one, two!", "{three}!")),
        ("seed=1,x", (1, "x")),
    ],
)
def test_an_axis_as_people_write_it(bench: Bench, tmp_path: Path, text: str, values: tuple[Any, ...]) -> None:
    (tmp_path / "lines.txt").write_text("one, two\n\n{three}\n")
    axis = read_axis(text, flow(bench), bench.engine.registry, tmp_path)
    assert axis == Axis(text.partition("=")[0], values)
    assert [type(v) for v in axis.values] == [type(v) for v in values]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed", "needs name=values"),
        ("seed=", "needs name=values"),
        ("seed=,", "there are no values in it"),
        ("seed=3..1", "counts from low to high"),
        ("seed=0..9..0", "counts from low to high"),
        ("seed=0..99999", "has 100,000 values; at most 10,000"),
        ("prompt=a {b", "is not closed"),
        ("prompt=@gone.txt", "'gone.txt' cannot be read"),
    ],
)
def test_an_axis_that_cannot_be_read_is_said(bench: Bench, tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read_axis(text, flow(bench), bench.engine.registry, tmp_path)


def test_what_more_hangs_on_changes_less_often(bench: Bench) -> None:
    axes = [Axis("sample.cfg", (1.0, 2.0)), Axis("model.source", ("a", "b")), Axis("prompt", ("x", "y"))]
    order = ordered(points(axes, "product"), axes, flow(bench))
    assert [tuple(p.inputs[a.name] for a in (axes[1], axes[2], axes[0])) for p in order] == [
        (model, prompt, cfg) for model in "ab" for prompt in "xy" for cfg in (1.0, 2.0)
    ]


def test_cells_share_what_they_have_in_common(bench: Bench) -> None:
    events: list[Event] = []
    axes: dict[str, Sequence[Any]] = {"sample.cfg": [1.0, 2.0, 3.0, 4.0], "seed": range(4)}
    cells = list(bench.engine.sweep(flow(bench), axes, on_event=events.append))
    counts = {node: ran(events).count(node) for node in ("model", "prompt", "sample", "decode")}
    assert counts == {"model": 1, "prompt": 1, "sample": 16, "decode": 16}
    assert len({cell.place for cell in cells}) == 16
    for cell in cells:
        assert cell.result is not None
        alone = bench.engine.run(flow(bench), inputs=cell.inputs)
        assert alone["image"] == cell.result["image"]
        assert cell.inputs == {"sample.cfg": axes["sample.cfg"][cell.place[0]], "seed": axes["seed"][cell.place[1]]}


def test_a_model_is_opened_once_for_all_its_cells(bench: Bench) -> None:
    events: list[Event] = []
    axes: dict[str, Sequence[Any]] = {"seed": range(3), "model.source": ["a", "b"]}
    cells = list(bench.engine.sweep(flow(bench), axes, on_event=events.append))
    assert [cell.inputs["model.source"] for cell in cells] == ["a"] * 3 + ["b"] * 3
    assert ran(events).count("model") == 2


def test_zipped_axes_go_together(bench: Bench) -> None:
    axes: dict[str, Sequence[Any]] = {"seed": [1, 2], "sample.cfg": [3.0, 4.0]}
    cells = list(bench.engine.sweep(flow(bench), axes, mode="zip", inputs={"prompt": "a dog"}))
    assert [dict(cell.inputs) for cell in cells] == [{"seed": 1, "sample.cfg": 3.0}, {"seed": 2, "sample.cfg": 4.0}]
    assert cells[0].result is not None
    assert cells[0].result["image"] == bench.engine.run(
        flow(bench), inputs={"seed": 1, "sample.cfg": 3.0, "prompt": "a dog"}
    )["image"]  # fmt: skip


@pytest.mark.parametrize(
    ("axes", "mode", "code"),
    [
        ({"seed": [1, "x"]}, "product", "bad_value"),
        ({"sead": [1]}, "product", "unknown_exposed"),
        ({"seed": [1, 2], "sample.cfg": [1.0]}, "zip", "bad_sweep"),
        ({}, "product", "bad_sweep"),
        ({"seed": []}, "product", "bad_sweep"),
        ({"seed": range(200), "sample.cfg": range(200)}, "product", "bad_sweep"),
    ],
)
def test_a_sweep_that_cannot_run_runs_nothing(bench: Bench, axes: Any, mode: Any, code: str) -> None:
    events: list[Event] = []
    with pytest.raises(InvalidWorkflow) as caught:
        bench.engine.sweep(flow(bench), axes, mode=mode, on_event=events.append)
    assert [p.code for p in caught.value.problems] == [code]
    assert events == []


def test_a_cell_that_fails_does_not_stop_the_others(bench: Bench) -> None:
    nodes = {
        "good": step("Picture@1"),
        "bad": step("Boom@1"),
        "choice": step("Switch@1", on=True, yes=link("good.image"), no=link("bad.image")),
    }
    workflow = bench.read(nodes)
    cells = list(bench.engine.sweep(workflow, {"choice.on": [True, False, True]}, targets=["choice"]))
    assert [bool(cell.error) for cell in cells] == [False, True, False]
    assert "no luck" in cells[1].error


class Shown:
    """A value that shows itself."""

    def __init__(self, colour: tuple[int, int, int], size: tuple[int, int] = (40, 30)) -> None:
        self.picture = Pillow.new("RGB", size, colour)

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.picture.save(file, "png")
        return file.getvalue()


def test_the_sheet_shows_each_cell_in_its_place(bench: Bench, tmp_path: Path) -> None:
    from nodegraph import Result

    axes = [Axis("sample.cfg", (1.0, 2.0, 3.0)), Axis("seed", (5, 6))]
    cells = []
    for point in points(axes, "product"):
        colour = (40 + 60 * point.place[0], 40 + 60 * point.place[1], 200)
        failed = point.place == (2, 1)
        cells.append(Cell(point.place, point.inputs, None if failed else Result({"image": Shown(colour)}, []),
                          "it broke" if failed else ""))  # fmt: skip
    file = tmp_path / "sheet.png"
    file.write_bytes(contact_sheet(Sheet(axes, False), cells[::-1], flow(bench).to_json()))
    assert bench.engine.load(file) == flow(bench)
    with Pillow.open(file) as opened:
        picture = opened.convert("RGB")
    found: dict[tuple[int, int, int], tuple[int, int]] = {}
    for y in range(picture.height):
        for x in range(picture.width):
            pixel = picture.getpixel((x, y))
            assert isinstance(pixel, tuple)
            if pixel[2] == 200 and pixel[0] % 60 == 40:
                found.setdefault(pixel, (x, y))  # type: ignore[arg-type]
    corners = {((r - 40) // 60, (g - 40) // 60): at for (r, g, _), at in found.items()}
    assert set(corners) == {(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)}
    assert corners[0, 0][1] == corners[1, 0][1] == corners[2, 0][1] < corners[0, 1][1]
    assert corners[0, 0][0] == corners[0, 1][0] < corners[1, 0][0] < corners[2, 0][0]
    text = page(Sheet(axes, False), cells, "A <title>", tmp_path)
    assert "A &lt;title&gt;" in text
    assert "it broke" in text
    assert "<th>cfg 2.0</th>" in text
    assert "<th>seed 6</th>" in text


def test_the_command_leaves_cells_a_sheet_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = ["run", str(WORKFLOWS / "txt2img.json"), "--set", "steps=2", "--set", "enlarge.method=nearest"]
    plain += ["--out", str(tmp_path), "--no-cache"]
    command = [*plain, "--sweep", "cfg=1,3", "--sweep", "prompt=a {cat|dog}"]
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 0
    folder = tmp_path / "txt2img_sweep_00001"
    out, err = capsys.readouterr()
    assert sorted(Path(line).name for line in out.split()) == sorted(p.name for p in folder.iterdir())
    assert "4 of 4: cfg=3.0, prompt=a dog" in err
    html = (folder / "index.html").read_text()
    sources = re.findall(r'src="([^"]+)"', html)
    assert len(sources) == 4
    assert all((folder / source).is_file() for source in sources)
    made = {(json.loads(read_document(folder / s))["receipt"]["nodes"]["sample"]["inputs"]["cfg"]) for s in sources}
    assert made == {1.0, 3.0}
    with pytest.raises(SystemExit) as ended:
        main([*command, "--zip", "--json"])
    assert ended.value.code == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in told] == ["Cell", "Cell", "Saved", "Saved"]
    assert told[0]["inputs"] == {"cfg": 1.0, "prompt": "a cat"}
    with pytest.raises(SystemExit) as ended:
        main([*plain, "--sweep", "seed=1,2", "--sweep", "cfg=1", "--zip"])
    assert ended.value.code == 1
    assert "need equally many values, but seed has 2, cfg has 1; give as many [bad_sweep]" in capsys.readouterr().err


def test_a_changed_input_that_is_no_axis_is_kept(bench: Bench) -> None:
    workflow = bench.read(changed(TXT2IMG, "sample.steps", 3), inputs=INPUTS)
    (cell,) = bench.engine.sweep(workflow, {"seed": [4]}, inputs={"sample.cfg": 2.0}, targets=["sample"])
    assert cell.result is not None
    assert cell.result["sample.latent"].data[0] == pytest.approx(6.0)
