"""Every shipped workflow runs on the demo model, and does what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

from nodegraph import Engine, Folders, Registry
from nodegraph.ports import exposed
from nodegraph.verify import verify
from nodegraph_diffusion.values import Floats, Image

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


@pytest.mark.parametrize("look", ["demo_outlined.safetensors", "demo_blocks.safetensors"])
def test_a_look_is_seen(look: str, engine: Engine) -> None:
    workflow = engine.load(FOLDER / "lora.json")
    plain, made = (
        engine.run(workflow, inputs={"look": look, "strength": strength}, targets=["image"])["image"].pixels[0]
        for strength in (0, 1)
    )
    measure = dark if "outlined" in look else blocky
    assert measure(made) > 1.5 * measure(plain)


def dark(picture: Floats) -> float:
    """The share of a picture (3, H, W) that is nearly black."""
    return float((picture.max(0) < 0.3).mean())


def blocky(picture: Floats) -> float:
    """How much of a picture's (3, H, W) change from column to column lies at the edges of blocks of 8."""
    change = np.abs(np.diff(picture, axis=2)).mean((0, 1))
    return float(change[7::8].sum() / change.sum())


def test_edges_say_where_things_are(engine: Engine, tmp_path: Path) -> None:
    """A thing lies where the picture's edges are, and in the middle without them."""
    workflow = engine.load(FOLDER / "controlnet.json")
    with Pillow.open(FOLDER / "pictures" / "scribble.png") as scribble:
        picture = Pillow.new("RGB", (128, 128), scribble.convert("RGB").getpixel((0, 0)))
        picture.paste(scribble.convert("RGB").resize((90, 90)), (5, 30))
    picture.save(tmp_path / "picture.png")
    shape = thing(np.asarray(picture, np.float32).transpose(2, 0, 1) / np.float32(255))
    given = {"image": tmp_path / "picture.png", "prompt": "a cat on a blue background"}
    held, free = (
        thing(engine.run(workflow, inputs={**given, "strength": strength}, targets=["image"])["image"].pixels[0])
        for strength in (2, 0)
    )
    assert overlap(held, shape) > 0.75
    assert overlap(free, shape) < 0.5


def thing(picture: Floats) -> npt.NDArray[np.bool_]:
    """What of a picture (3, H, W) is not like its corners."""
    corners = picture[:, [0, 0, -1, -1], [0, -1, 0, -1]].mean(1)
    found: npt.NDArray[np.bool_] = np.abs(picture - corners[:, None, None]).max(0) > 0.2
    return found


def overlap(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())
