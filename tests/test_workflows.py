"""Every shipped workflow runs on the demo model, and does what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from nodegraph import Engine, Folders, Registry
from nodegraph.ports import exposed
from nodegraph.verify import verify
from nodegraph_diffusion.values import Image

FOLDER = Path(__file__).parents[1] / "workflows"
DOCUMENTS = sorted(path.stem for path in FOLDER.glob("*.json"))
EXPOSED = {
    "txt2img": {"prompt", "negative", "seed", "steps", "cfg", "width", "height"},
    "img2img": {"prompt", "negative", "seed", "steps", "cfg", "image", "strength"},
    "inpaint": {"prompt", "negative", "seed", "steps", "cfg", "image", "mask"},
    "upscale": {"image", "factor"},
}
QUICK = {"steps": 3}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    output = tmp_path_factory.mktemp("output")
    with Engine(Registry.installed(), folders=Folders(base=FOLDER, output=output)) as made:
        yield made


@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_is_up_to_date_and_tells_its_inputs(name: str, engine: Engine) -> None:
    workflow = engine.load(FOLDER / f"{name}.json")
    assert (FOLDER / f"{name}.json").read_text() == workflow.to_json(), "run `nodegraph upgrade`"
    assert engine.check(workflow) == []
    assert workflow.name
    assert workflow.description
    assert all(item.title for item in workflow.inputs.values())
    assert set(exposed(workflow, engine.registry)) == set(workflow.inputs) >= EXPOSED.get(name, {"prompt", "seed"})


@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_runs(name: str, engine: Engine) -> None:
    workflow = engine.load(FOLDER / f"{name}.json")
    result = engine.run(workflow, inputs={k: v for k, v in QUICK.items() if k in workflow.inputs})
    assert isinstance(result["image"], Image)
    (file,) = result.files
    with Pillow.open(file) as picture:
        assert min(picture.size) >= 64
        assert np.asarray(picture.convert("RGB")).std() > 5
    assert engine.load(file).name == workflow.name
    verdict = verify(file, engine.registry, engine.folders)
    assert verdict.identical, verdict


def test_inpainting_keeps_what_is_outside_of_the_mask(engine: Engine) -> None:
    result = engine.run(engine.load(FOLDER / "inpaint.json"), steps=3)
    with (
        Pillow.open(FOLDER / "pictures" / "scene.png") as picture,
        Pillow.open(FOLDER / "pictures" / "mask.png") as mask,
    ):
        before, hole = np.asarray(picture.convert("RGB")), np.asarray(mask.convert("L"))
    after = result["image"].to_bytes()[0]
    assert np.array_equal(after[hole == 0], before[hole == 0])
    assert not np.array_equal(after[hole == 255], before[hole == 255])
