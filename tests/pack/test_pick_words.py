from __future__ import annotations

from pathlib import Path

import pytest

from harness import step
from nodegraph import Engine, Folders, NodeError, Pack, Registry, RunFailed
from nodegraph_diffusion import pick_words as module
from nodegraph_diffusion.pick_words import pick_words


def test_a_seed_is_a_choice() -> None:
    chosen = [pick_words("a {red|blue|green} {cat|dog}", seed=seed) for seed in range(40)]
    assert len(set(chosen)) == 6
    assert pick_words("a {red|blue}", seed=3) == pick_words("a {red|blue}", seed=3)
    assert pick_words("a cat") == "a cat"


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(NodeError, match="is not closed") as caught:
        pick_words("a {cat")
    assert caught.value.port == "text"
    with pytest.raises(NodeError, match=r"'gone.txt' cannot be read .* give the name of a text file"):
        pick_words("{@gone.txt}")


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("one\n")
    with Engine(Registry(Pack.of("", module)), folders=Folders(base=tmp_path)) as engine:
        workflow = engine.read({"nodes": {"pick": step("PickWords@1", text="{@words.txt}")}})
        assert engine.run(workflow)["pick.str"] == "one"
        (tmp_path / "words.txt").write_text("two\n")
        assert engine.run(workflow)["pick.str"] == "two"


def test_names_lead_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret\n")
    (tmp_path / "key").write_text("secret\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "models" / "wildcards" / "deep").mkdir(parents=True)
    (tmp_path / "models" / "wildcards" / "deep" / "colours.txt").write_text("red\n")
    folders = Folders(base=tmp_path / "data", models=(tmp_path / "models",))
    with Engine(Registry(Pack.of("", module)), folders=folders) as engine:
        for name in ("../secret.txt", str(tmp_path / "secret.txt"), "../key", "deep/../../../secret.txt", "key"):
            workflow = engine.read({"nodes": {"pick": step("PickWords@1", text=f"{{@{name}}}")}})
            with pytest.raises(RunFailed, match="it is no name of a"):
                engine.run(workflow)
        workflow = engine.read({"nodes": {"pick": step("PickWords@1", text="{@deep/colours.txt}")}})
        assert engine.run(workflow)["pick.str"] == "red"
        assert engine.registry.choices("wildcards", folders) == {"deep/colours.txt": "red"}
