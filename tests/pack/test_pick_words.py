from __future__ import annotations

from pathlib import Path

import pytest

from harness import step
from nodegraph import Engine, Folders, NodeError, Pack, Registry
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
    with pytest.raises(NodeError, match=r"'gone.txt' cannot be read .* give the path of a text file"):
        pick_words("{@gone.txt}")


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("one\n")
    with Engine(Registry(Pack.of("", module)), folders=Folders(base=tmp_path)) as engine:
        workflow = engine.read({"nodes": {"pick": step("PickWords@1", text="{@words.txt}")}})
        assert engine.run(workflow)["pick.str"] == "one"
        (tmp_path / "words.txt").write_text("two\n")
        assert engine.run(workflow)["pick.str"] == "two"
