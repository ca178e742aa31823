from __future__ import annotations

import numpy as np
import pytest

from nodegraph_diffusion.training.grammar import Scene, Thing
from nodegraph_diffusion.training.scenes import Split, compose
from training import toys


def test_examples_are_a_function_of_seed_split_and_index() -> None:
    one, two = toys.scenes(), toys.scenes()
    for index in (0, 1, 77):
        assert one.caption(Split.DENOISER, index) == two.caption(Split.DENOISER, index)
        assert np.array_equal(one.pixels(Split.DENOISER, index), two.pixels(Split.DENOISER, index))


def test_splits_share_no_scene() -> None:
    scenes = toys.scenes()
    drawn = [{scenes.scene(split, index) for index in range(200)} for split in Split]
    assert len(set.union(*drawn)) == 200 * len(Split)


@pytest.mark.parametrize(("name", "across", "down"), [("slab", 0.5, 0.5), ("bar", 0.5, 0.25)])
def test_a_thing_covers_its_extent_around_its_centre(name: str, across: float, down: float) -> None:
    scene = Scene((Thing(name, "", 0.5, 0.25, 0.5),), "{0}", "", "black", (1, 2, 3), "glossy", True, False)
    picture = compose(scene, toys.sprites(), 64)
    rows, columns = np.nonzero((picture == (0, 255, 128)).all(axis=2))
    assert (columns.max() - columns.min() + 1, rows.max() - rows.min() + 1) == (64 * across, 64 * down)
    assert ((columns.min() + columns.max() + 1) / 2, (rows.min() + rows.max() + 1) / 2) == (32, 16)
    assert tuple(picture[-1, -1]) == (25, 26, 27)
