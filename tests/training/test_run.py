"""The whole chain on a toy: what it writes is a pipeline that diffusers loads and that has the trained weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, StableDiffusionPipeline
from PIL import Image

from nodegraph import Folders
from nodegraph_diffusion.apply_control_net import CONTROL_NETS
from nodegraph_diffusion.apply_lora import opened
from nodegraph_diffusion.training import latents
from nodegraph_diffusion.training.__main__ import main
from nodegraph_diffusion.training.autoencoder import AutoencoderStage, make_autoencoder, normalise, psnr, to_tensor
from nodegraph_diffusion.training.control import Control, hints, make_control
from nodegraph_diffusion.training.denoiser import tokenize
from nodegraph_diffusion.training.evaluation import generate
from nodegraph_diffusion.training.growth import Parent
from nodegraph_diffusion.training.learner import restore
from nodegraph_diffusion.training.lora import Lora, with_lora
from nodegraph_diffusion.training.run import Run
from nodegraph_diffusion.training.scenes import Split
from nodegraph_diffusion.training.styles import STYLES, StyledScenes
from nodegraph_diffusion.training.trained import load_trained, picture_size
from nodegraph_diffusion.training.tuning import Tuning
from training import toys

# diffusers' own: DPMSolverMultistepScheduler hands a tensor to numpy.array
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latents, "SHARD", 10)
        run = toys.run(made)
        run.train_autoencoder()
        run.train_judge()
        run.train_denoiser()
        run.train_decoder()
        run.export()
        run.evaluate(prompts=10)
    return made


def test_the_pipeline_has_the_averaged_weights_in_half_precision(folder: Path) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(folder / "model", local_files_only=True)
    saved = {name: torch.load(folder / f"{name}.checkpoint", weights_only=True) for name in ("denoiser", "decoder")}
    unet, text_encoder = saved["denoiser"]["learner"]["averages"]
    for module, state in (
        (pipeline.unet, unet),
        (pipeline.text_encoder, text_encoder),
        (pipeline.vae, saved["decoder"]["learner"]["averages"][0]),
    ):
        values = module.state_dict()
        assert values.keys() == state.keys()
        assert all(torch.equal(values[name].half(), state[name].half()) for name in state)
    assert pipeline.scheduler.config.prediction_type == "v_prediction"
    assert (folder / "model" / "tokenizer" / "merges.txt").read_text().startswith("#version")
    tokenizer = json.loads((folder / "model" / "tokenizer" / "tokenizer.json").read_text())
    assert (tokenizer["truncation"], tokenizer["padding"]) == (None, None)


def test_every_channel_of_the_latents_is_normal(folder: Path) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(folder / "model", local_files_only=True)
    assert pipeline.vae.config.scaling_factor == 1
    made = torch.cat([torch.load(path)["latents"] for path in (folder / "latents").glob("denoiser-?*0.pt")]).float()
    assert made.shape[1:] == (toys.RECIPE.autoencoder.latents, 8, 8)
    assert made.std((0, 2, 3)).tolist() == pytest.approx([1] * made.shape[1], rel=0.2)
    assert made.mean((0, 2, 3)).tolist() == pytest.approx([0] * made.shape[1], abs=0.2)


def test_the_encoder_is_left_alone_by_the_decoders_stage(folder: Path) -> None:
    before, after = (
        torch.load(folder / f"{name}.checkpoint", weights_only=True)["learner"]["averages"][0]
        for name in ("autoencoder", "decoder")
    )
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if name.startswith("encoder")} <= same
    assert not any(name.startswith("decoder") and name.endswith("conv1.weight") for name in same)


def test_normal_latents_are_the_same_pictures() -> None:
    model = make_autoencoder(toys.RECIPE.autoencoder, toys.RECIPE.size)
    examples = toys.scenes()
    pictures = to_tensor([examples.pixels(Split.TEST, i) for i in range(8)])
    with torch.no_grad():
        latents = model.encode(pictures).latent_dist.mean
        before = model.decode(latents).sample
        normalise(model, latents, first=2)
        found = model.encode(pictures).latent_dist.mean
        after = model.decode(found).sample
    assert torch.allclose(before, after, atol=1e-4)
    assert torch.equal(found[:, :2], latents[:, :2])
    assert found[:, 2:].std((0, 2, 3)).tolist() == pytest.approx([1] * (found.shape[1] - 2), rel=1e-3)
    assert found[:, 2:].mean((0, 2, 3)).tolist() == pytest.approx([0] * (found.shape[1] - 2), abs=1e-3)


def test_a_larger_model_begins_with_what_a_smaller_one_knows(folder: Path, tmp_path: Path) -> None:
    autoencoder = replace(toys.RECIPE.autoencoder, channels=(8, 8, 8, 16), latents=16)
    recipe = replace(toys.RECIPE, size=2 * toys.RECIPE.size, autoencoder=autoencoder)
    examples = replace(toys.scenes(recipe.size), names=(*toys.NAMES[:3], "zeppelin"))
    larger = Run(tmp_path, recipe, examples, list[str]().append, folder / "model")
    smaller = load_trained(folder / "model")
    start = larger._start()
    tokens, old_tokens = (tokenize(made, ["a bar"]) for made in (larger._tokenizer, smaller.tokenizer))
    latents, times = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([300])
    latents[:, 12:] = 0  # what the smaller one has no channels for
    with torch.no_grad():
        old_words = smaller.text_encoder(old_tokens).last_hidden_state[:, :4]
        words = start.text_encoder(tokens).last_hidden_state[:, :4]
        assert torch.allclose(words, old_words, atol=1e-5)
        known = smaller.unet(latents[:, :12], times, old_words).sample
        grown = start.denoiser(latents, times, words).sample
    assert torch.allclose(grown[:, :12], known, atol=1e-5)
    assert not grown[:, 12:].any()
    assert torch.isfinite(start.text_encoder(tokenize(larger._tokenizer, ["a zeppelin"])).last_hidden_state).all()


def test_the_first_channels_follow_the_guide(folder: Path) -> None:
    guide = Parent(folder / "model", 2 * toys.RECIPE.size, 8).guide
    recipe = replace(toys.RECIPE.autoencoder, channels=(8, 8, 8, 16), latents=16, crop=32, crop_steps=40, guided=10.0)
    stage = AutoencoderStage(recipe, toys.scenes(2 * toys.RECIPE.size), toys.SEED, guide)
    pictures = to_tensor([stage.examples.pixels(Split.TEST, i) for i in range(4)])
    wanted = guide.latents(pictures)

    def distance() -> float:
        with torch.no_grad():
            error = stage.model.encode(pictures).latent_dist.mean[:, :12] - wanted
            return float(error.square().mean())

    before = distance()
    for index in range(40):
        stage.step(index)
    assert distance() < before / 2


def test_a_model_of_other_latents_cannot_be_grown_from(folder: Path) -> None:
    with pytest.raises(ValueError, match="pictures of 32 from latents of 8 x 8: a model of 64 with latents of 16 x 16"):
        Parent(folder / "model", 64, 16)


def test_pictures_come_from_their_own_seed_whatever_the_batch(folder: Path) -> None:
    prompts = ["a disc on a red background", "a bar", "a small wedge on the left"]
    together = list(generate(folder / "model", prompts, 5, steps=2))
    alone = list(generate(folder / "model", prompts[1:2], 6, steps=2))
    assert together[1].shape == (toys.RECIPE.size, toys.RECIPE.size, 3)
    assert np.abs(together[1].astype(int) - alone[0]).max() <= 1


def test_scores_are_written_with_what_the_judge_gets_wrong_itself(folder: Path) -> None:
    scores = json.loads((folder / "scores.json").read_text())
    assert scores["counts"]["background colour"] <= 10
    assert scores["judge on real pictures"]["background colour"] == 1
    assert scores["judge on real pictures"]["position"] == 1
    assert set(scores["model"]) == set(scores["judge on real pictures"])
    assert (folder / "samples.png").is_file()


def test_psnr_of_a_known_error() -> None:
    picture = torch.zeros(2, 3, 4, 4)
    assert psnr(picture + 0.2, picture).tolist() == pytest.approx([20, 20])
    assert psnr(picture + 5, picture).tolist() == pytest.approx([6.0206, 6.0206], abs=1e-3)  # clamped to white


def test_the_command_trains_on_a_folder_of_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latents, "SHARD", 12)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for i in range(12):
        Image.new("RGB", (50, 40), (20 * i, 99, 200 - 10 * i)).save(pictures / f"{i}.png")
        (pictures / f"{i}.txt").write_text(f"colour number {'abcdefghijkl'[i]}")
    main(["run-all", "--folder", str(tmp_path / "run"), "--pictures", str(pictures)], toys.RECIPE)
    pipeline = StableDiffusionPipeline.from_pretrained(tmp_path / "run" / "model", local_files_only=True)
    assert pipeline.tokenizer.tokenize("colour number c") == ["colour</w>", "number</w>", "c</w>"]
    assert not (tmp_path / "run" / "scores.json").exists()
    with pytest.raises(TypeError, match="knows the icons' scenes only"):
        main(["judge", "--folder", str(tmp_path / "run"), "--pictures", str(pictures)], toys.RECIPE)


def test_a_model_is_gone_on_with(folder: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    Tuning(tmp_path, folder / "model", toys.RECIPE, toys.scenes(), lines.append).run(prompts=10)
    before, after = (
        StableDiffusionPipeline.from_pretrained(path / "model", local_files_only=True) for path in (folder, tmp_path)
    )
    for name, value in before.vae.state_dict().items():
        assert torch.equal(after.vae.state_dict()[name], value)
    assert after.vae.config.scaling_factor == before.vae.config.scaling_factor
    assert after.scheduler.config.prediction_type == before.scheduler.config.prediction_type
    moved = [
        name
        for name, value in before.unet.state_dict().items()
        if not torch.equal(after.unet.state_dict()[name], value)
    ]
    assert len(moved) > len(before.unet.state_dict()) / 2
    assert any(line.startswith("before: ") for line in lines)
    assert not any(str(folder) in path.read_text() for path in (tmp_path / "model").rglob("*.json"))
    assert json.loads((tmp_path / "scores.json").read_text())["prompts"] == 10


def test_a_model_is_gone_on_with_at_its_own_size(folder: Path, tmp_path: Path) -> None:
    assert picture_size(folder / "model") == toys.RECIPE.size
    with pytest.raises(ValueError, match="is no StableDiffusionPipeline folder"):
        picture_size(tmp_path)


def test_a_control_net_learns_beside_a_model(folder: Path, tmp_path: Path) -> None:
    pipeline = load_trained(folder / "model")
    fresh = make_control(pipeline.unet, 8, pipeline.vae_scale_factor)
    noisy, times, words = torch.randn(1, 12, 8, 8), torch.tensor([300]), torch.randn(1, 32, 32)
    shown = hints([toys.scenes().pixels(Split.TEST, 0)])
    assert shown.shape == (1, 3, 32, 32)
    assert np.unique(shown.numpy()).tolist() == [0, 1]
    with torch.no_grad():
        residuals = fresh(noisy, times, words, controlnet_cond=shown, return_dict=False)
    assert not any(residual.any() for residual in (*residuals[0], residuals[1]))

    Control(tmp_path, folder / "model", toys.RECIPE, toys.scenes(), list[str]().append).run()
    control = ControlNetModel.from_pretrained(tmp_path / "control", local_files_only=True)
    with torch.no_grad():
        heard = [
            control(noisy, times, words, controlnet_cond=edges, return_dict=False)[1] for edges in (shown, 0 * shown)
        ]
    assert heard[0].any()
    assert not torch.equal(*heard)
    assert CONTROL_NETS.open(str(tmp_path / "control"), Folders()).family == "sd1"
    lines = [json.loads(line) for line in (tmp_path / "control.jsonl").read_text().splitlines()]
    assert {"loss", "held_out", "by_other_edges"} <= lines[-1].keys()


def test_a_lora_learns_beside_a_model(folder: Path, tmp_path: Path) -> None:
    examples = StyledScenes(toys.scenes(), "outlined")
    Lora(tmp_path, folder / "model", toys.RECIPE, examples, list[str]().append).run()
    model = load_trained(folder / "model")
    noisy, times, words = torch.randn(1, 12, 8, 8), torch.tensor([300]), torch.randn(1, 32, 32)
    with torch.no_grad():
        before = model.unet(noisy, times, words).sample
        trained = with_lora(model.unet, 2, 0)
        assert torch.equal(trained(noisy, times, words).sample, before)
        restore([trained], torch.load(tmp_path / "lora.checkpoint", weights_only=True)["learner"]["averages"][:1])
        wanted = trained(noisy, times, words).sample
        model.load_lora_weights(tmp_path / "lora.safetensors")
        found = model.unet(noisy, times, words).sample
    assert (found - wanted).abs().max() < 0.1 * (wanted - before).abs().max(), "not all of it is read"
    assert opened(str(tmp_path / "lora.safetensors"), Folders()).width == toys.RECIPE.denoiser.text_width


def test_latents_of_another_look_are_not_taken(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        Image.new("RGB", (32, 32), (20 * number, 99, 200)).save(tmp_path / f"{number}.png")
        (tmp_path / f"{number}.txt").write_text("a colour")
    given = ["lora", "--folder", str(tmp_path / "run"), "--pictures", str(tmp_path), "--model", str(folder / "model")]
    main(given, toys.RECIPE, toys.RECIPE)
    main(given, toys.RECIPE, toys.RECIPE)  # the same again goes on
    for number in range(12):
        Image.new("RGB", (32, 32), (99, 20 * number, 0)).save(tmp_path / f"{number}.png")
    with pytest.raises(SystemExit):
        main(given, toys.RECIPE, toys.RECIPE)
    assert "has latents of other pictures" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("style", STYLES)
def test_a_style_changes_the_look_and_not_what_is_said(style: str) -> None:
    scenes = toys.scenes(64)
    styled = StyledScenes(scenes, style)
    assert styled.caption(Split.TEST, 3) == scenes.caption(Split.TEST, 3)
    before, after = (each.pixels(Split.TEST, 3) for each in (scenes, styled))
    assert (after.shape, after.dtype) == (before.shape, before.dtype)
    assert np.abs(after.astype(int) - before).mean() > 3


@pytest.mark.parametrize("wrong", ["--model", "--pictures"])
def test_a_wrong_folder_is_said_in_a_line(wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["tune", "--folder", str(tmp_path), wrong, str(tmp_path / "nothing")], toys.RECIPE)
    assert str(tmp_path / "nothing") in capsys.readouterr().err.splitlines()[-1]
