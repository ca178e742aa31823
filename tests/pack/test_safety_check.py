from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from safetensors.torch import save_file
from transformers import CLIPConfig

import nodegraph_diffusion.diffusion.safety as safety
from nodegraph import NodeError
from nodegraph_diffusion.diffusion.safety import CLASSES, Classifier, ClipChecker, load_checker
from nodegraph_diffusion.safety_check import WITHHELD, safety_check
from nodegraph_diffusion.values import Image
from samples import ellipses, flat, natural, noise

CPU = torch.device("cpu")


def shipped() -> Classifier:
    made = load_checker(None, CPU)
    assert isinstance(made, Classifier)
    return made


def test_harmless_pictures_pass_the_network_that_ships() -> None:
    pictures = [ellipses(96), flat(64, 64, 0.9).pixels[0], natural(64, 80, 1)]
    for pixels in pictures:
        image, safe, score = safety_check(Image(pixels[None]))
        assert safe
        assert score < 0.2
        assert image.pixels is not None
        assert (image.pixels[0] == pixels).all()


def test_the_classes_are_a_distribution_that_differs_by_picture() -> None:
    made = shipped().classes(torch.from_numpy(np.stack([ellipses(64), flat(64, 64, 0.5).pixels[0]])))
    assert made.shape == (2, len(CLASSES))
    np.testing.assert_allclose(made.sum(dim=1), 1, atol=1e-5)
    assert abs(made[0] - made[1]).max() > 0.1


def test_suggestive_counts_only_where_it_is_asked_for() -> None:
    network, pictures = shipped(), torch.from_numpy(noise(64, 64, batch=3).pixels.copy())
    classes = network.classes(pictures)
    explicit = classes[:, CLASSES.index("porn")] + classes[:, CLASSES.index("hentai")]
    np.testing.assert_allclose(network(pictures, suggestive=False), explicit, atol=1e-6)
    np.testing.assert_allclose(
        network(pictures, suggestive=True), explicit + classes[:, CLASSES.index("sexy")], atol=1e-6
    )


class Judge:
    """Finds bright pictures unfit."""

    def __call__(self, pictures: torch.Tensor, /, suggestive: bool) -> torch.Tensor:
        return pictures.mean(dim=(1, 2, 3))


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safety, "load_checker", lambda file, device: Judge())


@pytest.mark.usefixtures("strict")
def test_the_action_changes_unfit_pictures_alone() -> None:
    dark, bright = noise(32, 32).pixels * np.float32(0.4), 0.6 + noise(32, 32, seed=1).pixels * np.float32(0.4)
    both = Image(np.concatenate([dark, bright]))
    with pytest.warns(UserWarning, match=r"picture 2 of 2 has a score of 0.80, so it may be unfit"):
        flagged = safety_check(both, action="flag")
    assert (flagged.image.pixels == both.pixels).all()
    assert not flagged.safe
    assert flagged.score == pytest.approx(float(bright.mean()), abs=1e-3)
    with pytest.warns(UserWarning, match="picture 2"):
        blurred = safety_check(both, action="blur").image.pixels
    assert (blurred[0] == dark[0]).all()
    assert blurred[1].std() < 0.2 * bright.std()
    np.testing.assert_allclose(blurred[1].mean(axis=(1, 2)), bright[0].mean(axis=(1, 2)), atol=0.02)
    with pytest.warns(UserWarning, match="picture 2"):
        withheld = safety_check(both, action="withhold").image.pixels
    assert (withheld[0] == dark[0]).all()
    assert (withheld[1] == WITHHELD).all()
    assert safety_check(both, threshold=0.9).safe


def write_compvis(folder: Path, nested: bool) -> StableDiffusionSafetyChecker:
    """A tiny random checker as diffusers writes it, with the names of one of the two ways to nest its weights."""
    tower: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
                             "num_attention_heads": 2}  # fmt: skip
    vision = {**tower, "image_size": 32, "patch_size": 16}
    config = CLIPConfig(vision_config=vision, text_config=tower, projection_dim=8)
    torch.manual_seed(0)
    checker = StableDiffusionSafetyChecker(config).eval()
    checker.concept_embeds.data.normal_()
    checker.special_care_embeds.data.normal_()
    checker.concept_embeds_weights.data.fill_(0.62)
    checker.special_care_embeds_weights.data.fill_(0.1)
    folder.mkdir()
    weights = {
        name.replace("vision_model.", "vision_model.vision_model.") if nested else name: value.clone()
        for name, value in checker.state_dict().items()
    }
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    return checker


@pytest.mark.parametrize("nested", [True, False])
def test_a_compvis_checker_decides_as_diffusers_does(tmp_path: Path, nested: bool) -> None:
    theirs = write_compvis(tmp_path / "safety_checker", nested)
    ours = load_checker(tmp_path / "safety_checker" / "model.safetensors", CPU)
    assert isinstance(ours, ClipChecker)
    pictures = torch.from_numpy(np.concatenate([natural(32, 32, seed)[None] for seed in range(24)]))
    mean, std = (torch.tensor(values)[:, None, None] for values in (ClipChecker.MEAN, ClipChecker.STD))
    _, expected = theirs((pictures - mean) / std, np.zeros((24, 32, 32, 3)))
    found = ours(pictures, suggestive=False) > 0.5
    assert found.tolist() == expected
    assert 0 < sum(expected) < 24, "a comparison needs both answers"


def test_what_is_no_checker_is_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(1)}, file)
    with pytest.raises(
        NodeError, match=r"with its config.json .* give that file in the folder safety_checker"
    ) as caught:
        safety_check(flat(8, 8, 0.5), checker=file)
    assert caught.value.port == "checker"
    write_compvis(tmp_path / "other", nested=False)
    save_file({"a": torch.zeros(1)}, tmp_path / "other" / "model.safetensors")
    with pytest.raises(NodeError, match=r"lacks \d+ weights of a Stable Diffusion safety checker"):
        safety_check(flat(8, 8, 0.5), checker=tmp_path / "other" / "model.safetensors")
