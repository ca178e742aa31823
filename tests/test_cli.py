"""The command line as a process, with the toy pack: what it prints where, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness import changed, link, step
from nodegraph.cli.cache import _bytes
from nodegraph.cli.console import size
from toy import TXT2IMG

TOY = Path(__file__).parent / "toy.py"


def toy_types(nodes: dict[str, Any]) -> dict[str, Any]:
    return {id: {**n, "type": f"toy/{n['type']}"} for id, n in nodes.items()}


class Cli:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {**os.environ, "NODEGRAPH_CACHE": str(folder / "cache"), "NODEGRAPH_MODELS": str(folder / "models")}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", "from nodegraph.cli import main; main()", *arguments, "--pack", str(TOY)]

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def write(self, nodes: dict[str, Any], name: str = "flow.json", **rest: Any) -> str:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"nodes": toy_types(nodes), **rest}))
        return str(path)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


SAVED = {**TXT2IMG, "keep": step("Keep@1", image=link("decode.image"))}


def test_run_prints_the_files_it_wrote_and_nothing_else(cli: Cli) -> None:
    flow = cli.write(SAVED, inputs={"prompt": {"to": ["prompt.text"]}})
    done = cli("run", flow, "--set", "prompt=a dragon", "--set", "sample.steps=3", "--out", "there")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [str(cli.folder / "there" / "toy_00001.txt")]
    assert f"{float(len('toy:a dragon'))}" in Path(done.stdout.strip()).read_text()


def test_run_json_prints_events(cli: Cli) -> None:
    done = cli("run", cli.write(SAVED), "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [e["event"] for e in events if e["node"] == "sample"] == [
        "Started",
        "Progress",
        *["Progress"] * 5,
        "Finished",
    ]
    assert events[-2]["event"] == "Saved"


def test_targets_choose_what_runs(cli: Cli) -> None:
    done = cli("run", cli.write({**SAVED, "else": step("absent/Thing@1")}), "--targets", "prompt", "--json")
    warned, *events = [json.loads(line) for line in done.stdout.splitlines()]
    assert (warned["event"], warned["node"]) == ("Warned", "else")
    assert {e["node"] for e in events} == {"model", "prompt"}


def test_problems_are_lines_with_codes_and_status_one(cli: Cli) -> None:
    flow = cli.write(changed(changed(SAVED, "sample.steps", 0), "prompt.txt", "x"))
    for command in ("run", "check"):
        done = cli(command, flow)
        assert done.returncode == 1
        assert done.stdout == ""
        lines = sorted(done.stderr.splitlines())
        assert len(lines) == 2
        assert lines[0].startswith("error: prompt.txt: EncodePrompt has no such input; did you mean 'text'?")
        assert lines[1].endswith("[bad_value]")
    found = json.loads(cli("check", flow, "--json").stdout)
    assert {p["code"] for p in found["problems"]} == {"bad_value", "unknown_input"}


def test_check_lists_the_inputs_and_plan_says_what_would_run(cli: Cli) -> None:
    flow = cli.write(SAVED, inputs={"seed": {"to": ["sample.seed"], "title": "Seed"}})
    shown = cli("check", flow).stdout
    assert "no problems, 5 nodes" in shown
    assert "--set seed=\tint\t" in shown
    rows = [line.split("\t") for line in cli("check", flow, "--plan").stdout.splitlines()]
    assert [(r[0], r[2]) for r in rows] == [
        ("model", "run"), ("prompt", "run"), ("sample", "run"), ("decode", "run"), ("keep", "always"),
    ]  # fmt: skip


def test_a_failing_node_is_one_line_without_a_traceback(cli: Cli) -> None:
    nodes = {"bad": step("Boom@1"), "keep": step("Keep@1", image=link("bad.image"))}
    done = cli("run", cli.write(nodes))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: bad: ValueError: no luck (--debug shows where)\n"
    assert "Traceback" in cli("run", cli.write(nodes), "--debug").stderr


def test_files_on_the_command_line_are_relative_to_it(cli: Cli) -> None:
    flow = cli.write({"r": step("Read@1", file="note.txt")}, "deep/flow.json", inputs={"note": {"to": ["r.file"]}})
    (cli.folder / "deep" / "note.txt").write_text("from the document")
    (cli.folder / "note.txt").write_text("from here")
    assert cli("run", flow, "--json").returncode == 0
    assert cli("run", flow, "--set", "note=note.txt").returncode == 0
    missing = cli("run", flow, "--set", "note=nota.txt")
    assert missing.returncode == 1
    assert str(cli.folder / "nota.txt") in missing.stderr
    assert "did you mean 'note.txt'" in missing.stderr


def test_ctrl_c_ends_with_130_and_keeps_what_finished(cli: Cli) -> None:
    flow = cli.write(changed(changed(SAVED, "sample.steps", 1000), "sample.pause", 0.01))
    process = subprocess.Popen(
        cli.command("run", flow, "--json"),
        cwd=cli.folder,
        env=cli.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # jobs of a shell's background ignore it
    )
    assert process.stdout is not None
    while "Progress" not in process.stdout.readline():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == "error: interrupted; what had finished is kept in the cache\n"
    assert not (cli.folder / "output").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "none.json"], "no such file"),
        (["run", "flow.json", "--set", "seed"], "needs name=value"),
        (["run", "flow.json", "--set", "sed=3"], "did you mean 'sample.seed'"),
        (["run", "flow.json", "--targets", "sampel"], "did you mean 'sample'"),
        (["nodes", "Smaple"], "near it: "),
        (["upgrade", "none.json"], "no such file"),
        (["cache", "--trim", "much"], "write 500M"),
        (["frobnicate"], "invalid choice"),
    ],
)
def test_bad_usage_is_one_clear_message(cli: Cli, arguments: list[str], words: str) -> None:
    cli.write(changed(TXT2IMG, "sample.seed", 1))
    done = cli(*arguments)
    assert done.returncode != 0
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_nodes_schema_upgrade_models_and_cache(cli: Cli) -> None:
    assert "toy/Sample\ttoy\tDenoise." in cli("nodes").stdout.splitlines()
    assert "| `cfg` | float | `7.0` | How strictly to follow the prompt. |" in cli("nodes", "toy/Sample").stdout
    assert json.loads(cli("nodes", "toy/Sample", "--json").stdout)["toy/Sample"]["version"] == 2
    assert json.loads(cli("schema").stdout)["properties"]["format"]["const"] == "nodegraph/1"
    old = cli.write({"s": {"type": "Sample@1", "inputs": {"guidance": 3.0}}})
    assert cli("upgrade", old).stdout.strip() == f"{old}: written in format nodegraph/1"
    assert json.loads(Path(old).read_text())["nodes"]["s"] == step("toy/Sample@2", cfg=3.0)
    assert "is up to date" in cli("upgrade", old).stdout
    assert f"looked in {cli.folder / 'models'} (not there)" in cli("models").stdout
    assert cli("cache").stdout.strip() == f"{cli.folder / 'cache'}: 0 results, 0 B"


def test_sizes() -> None:
    assert (_bytes("500M"), _bytes("1.5G"), _bytes("12")) == (500_000_000, 1_500_000_000, 12)
    assert (size(999), size(3_400_000_000)) == ("999 B", "3.4 GB")


def test_a_broken_pack_does_not_take_the_others_down(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    from nodegraph import Engine, Registry, pack

    broken = EntryPoint("acme", "no_such_module_at_all:pack", "nodegraph.packs")
    monkeypatch.setattr(pack, "entry_points", lambda group: [broken])
    engine = Engine(Registry.installed([pack.Pack.from_file(TOY)]))
    assert engine.registry.get("toy/Add") is not None
    workflow = engine.read({"nodes": {"a": step("acme/Thing@1"), "b": step("toy/Add@1", a=1)}})
    (problem,) = engine.check(workflow)
    assert problem.code == "missing_pack"
    assert "No module named 'no_such_module_at_all'" in problem.message
    engine.close()
