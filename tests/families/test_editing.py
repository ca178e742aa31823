"""Models that look at a picture while they make another: what diffusers makes with the same weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from transformers import BatchFeature
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from families import models
from families.parity import (
    NEGATIVE,
    PROMPT,
    SEED,
    close,
    document,
    engine,
    hole,
    noise,
    picture,
    run,
    save,
    theirs,
)
from families.test_parity import mean
from harness import link, step
from nodegraph import Engine, RunFailed
from nodegraph_diffusion.comfyui import editing
from nodegraph_diffusion.load_model import load_model
from nodegraph_diffusion.values import Conditioning, Image

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def shown() -> torch.Tensor:
    return torch.from_numpy(picture().pixels.copy())


TEXTS = link("model.text_encoder")


def encoded(made: Engine, source: str, prompts: dict[str, dict[str, Any]]) -> dict[str, Conditioning]:
    """What nodes give that encode prompts with the text encoders of one model."""
    nodes = {"model": step("LoadModel@1", source=source), **prompts}
    outputs = {name: link(f"{name}.conditioning") for name in prompts}
    return dict(made.run(made.read({"nodes": nodes, "outputs": outputs})))


def edited(source: str, folder: Path, negative: bool = True, **settings: Any) -> dict[str, Any]:
    """A document whose latent is that of InstructPixToPixConditioning."""
    nodes = document(source, negative=negative, **settings)
    nodes["picture"] = step("LoadImage@1", file=save(picture(), folder / "picture.png"))
    other_side = link("negative.conditioning") if negative else link("prompt.conditioning")
    nodes["seen"] = step(
        "comfyui/InstructPixToPixConditioning@1", positive=link("prompt.conditioning"), negative=other_side,
        vae=link("model.vae"), pixels=link("picture.image"),
    )  # fmt: skip
    nodes["sample"]["inputs"]["latent"] = link("seen.latent")
    return nodes


def test_flux_reads_a_picture_beside_the_latent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models.flux_canny().save_pretrained(tmp_path / "flux_canny")
    distribution = diffusers.models.autoencoders.vae.DiagonalGaussianDistribution
    monkeypatch.setattr(distribution, "sample", lambda self, generator=None: self.mode())
    expected = theirs(
        models.flux_canny(), prompt=PROMPT, control_image=shown() * 2 - 1, num_inference_steps=4, height=64, width=64,
        guidance_scale=30.0, latents=_packed(noise(1, 16, 8, 8)),
    )  # fmt: skip
    with engine(tmp_path) as made:
        nodes = edited("flux_canny", tmp_path, negative=False, guidance=30.0, cfg=1.0)
        close(run(made, nodes), expected)
        nodes["sample"]["inputs"]["latent"] = link("latent.latent")
        (problem,) = [p for p in made.check(made.read({"nodes": nodes})) if p.port == "latent"]
        assert "model" in problem.message


def test_kontext_looks_at_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models.flux_dev().save_pretrained(tmp_path / "kontext")
    monkeypatch.setattr(diffusers.pipelines.flux.pipeline_flux_kontext, "retrieve_latents", mean)
    pipeline = models.quiet(diffusers.FluxKontextPipeline(**models.flux_dev().components))
    expected = theirs(
        pipeline, prompt=PROMPT, image=shown(), num_inference_steps=4, height=64, width=64, max_area=64 * 64,
        guidance_scale=2.5, latents=_packed(noise(1, 16, 8, 8)), _auto_resize=False,
    )  # fmt: skip
    nodes = document("kontext", negative=False, guidance=2.5, cfg=1.0)
    nodes["picture"] = step("LoadImage@1", file=save(picture(), tmp_path / "picture.png"))
    nodes["encoded"] = step("EncodeImage@1", vae=link("model.vae"), image=link("picture.image"))
    nodes["seen"] = step(
        "comfyui/ReferenceLatent@1", conditioning=link("prompt.conditioning"), latent=link("encoded.latent")
    )
    nodes["sample"]["inputs"]["positive"] = link("seen.conditioning")
    with engine(tmp_path) as made:
        one = run(made, nodes)
        close(one, expected)
        nodes["twice"] = step(
            "comfyui/ReferenceLatent@1", conditioning=link("seen.conditioning"), latent=link("encoded.latent")
        )
        nodes["sample"]["inputs"]["positive"] = link("twice.conditioning")
        assert np.abs(run(made, nodes) - one).max() > 1e-3


@pytest.mark.parametrize("name", ["flux2_dev", "flux2_klein"])
def test_flux2_looks_at_references(name: str, tmp_path: Path) -> None:
    models.FAMILIES[name]().save_pretrained(tmp_path / name)
    turned = Image(picture(96, 64).pixels[:, ::-1].copy())
    expected = theirs(
        models.FAMILIES[name](), prompt=PROMPT, height=64, width=64, num_inference_steps=4, guidance_scale=1.0,
        image=[Pillow.fromarray(each.to_bytes()[0]) for each in (picture(), turned)], latents=noise(1, 128, 4, 4),
    )  # fmt: skip
    nodes = document(name, negative=False, guidance=1.0, cfg=1.0)
    before = "prompt"
    for number, image in enumerate((picture(), turned)):
        nodes[f"picture_{number}"] = step("LoadImage@1", file=save(image, tmp_path / f"{number}.png"))
        nodes[f"encoded_{number}"] = step("EncodeImage@1", vae=link("model.vae"), image=link(f"picture_{number}.image"))
        nodes[f"seen_{number}"] = step(
            "comfyui/ReferenceLatent@1", conditioning=link(f"{before}.conditioning"),
            latent=link(f"encoded_{number}.latent"),
        )  # fmt: skip
        before = f"seen_{number}"
    nodes["sample"]["inputs"]["positive"] = link(f"{before}.conditioning")
    with engine(tmp_path) as made:
        close(run(made, nodes), expected)


def test_klein_paints_into_the_picture_it_looks_at(tmp_path: Path) -> None:
    models.flux2_klein().save_pretrained(tmp_path / "klein")
    pipeline = models.quiet(diffusers.Flux2KleinInpaintPipeline(**models.flux2_klein().components))
    expected = theirs(
        pipeline, prompt=PROMPT, image=shown(), mask_image=torch.from_numpy(hole().values.copy())[:, None],
        strength=0.75, num_inference_steps=4, height=64, width=64, guidance_scale=1.0,
        generator=torch.Generator().manual_seed(SEED),
    )  # fmt: skip
    start = step("EncodeImage@1", vae=link("model.vae"), image=link("picture.image"), mask=link("hole.image"))
    nodes = document("klein", start, negative=False, strength=0.75, cfg=1.0)
    for name, image in (("picture", picture()), ("hole", hole())):
        nodes[name] = step("LoadImage@1", file=save(image, tmp_path / f"{name}.png"))
    nodes["encoded"] = step("EncodeImage@1", vae=link("model.vae"), image=link("picture.image"))
    nodes["seen"] = step(
        "comfyui/ReferenceLatent@1", conditioning=link("prompt.conditioning"), latent=link("encoded.latent")
    )
    nodes["sample"]["inputs"]["positive"] = link("seen.conditioning")
    with engine(tmp_path) as made:
        close(run(made, nodes), expected)


def _packed(latents: torch.Tensor) -> torch.Tensor:
    made: torch.Tensor = diffusers.FluxPipeline._pack_latents(latents, *latents.shape)
    return made


def test_instruct_pix2pix_changes_a_picture_as_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = models.sd1(channels=8)
    whole.save_pretrained(tmp_path / "edit")
    cls = diffusers.StableDiffusionInstructPix2PixPipeline
    monkeypatch.setattr(diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_instruct_pix2pix,
                        "retrieve_latents", mean)  # fmt: skip
    parts = {k: v for k, v in whole.components.items() if k != "image_encoder"}
    # with a weight of 1 for the picture, its three answers are those of the two prompts that both look at it
    expected = theirs(
        models.quiet(cls(**parts, requires_safety_checker=False)), prompt=PROMPT, negative_prompt=NEGATIVE,
        image=shown(), num_inference_steps=4, guidance_scale=5.0, image_guidance_scale=1.0,
        latents=noise(1, 4, 8, 8),
    )  # fmt: skip
    kept = theirs(
        models.quiet(cls(**parts, requires_safety_checker=False)), prompt=PROMPT, negative_prompt=NEGATIVE,
        image=shown(), num_inference_steps=4, guidance_scale=5.0, image_guidance_scale=1.7,
        latents=noise(1, 4, 8, 8),
    )  # fmt: skip
    with engine(tmp_path) as made:
        nodes = edited("edit", tmp_path, schedule="leading")
        close(run(made, nodes), expected)
        nodes["sample"]["inputs"] |= {"middle": link("negative.conditioning"), "middle_cfg": 1.7}
        close(run(made, nodes), kept)
        del nodes["sample"]["inputs"]["negative"]
        with pytest.raises(RunFailed, match="there is no negative; link one"):
            run(made, nodes)


def test_hidream_makes_a_picture_of_the_one_beside_it(tmp_path: Path) -> None:
    """By its network asked about both, of which the right half is dropped; diffusers has no pipeline for E1."""
    pipeline = models.hidream()
    pipeline.save_pretrained(tmp_path / "edit")
    network, vae, scheduler = pipeline.transformer, pipeline.vae, pipeline.scheduler
    t5, t5_against, llama, llama_against, pooled, pooled_against = pipeline.encode_prompt(
        PROMPT, negative_prompt=NEGATIVE
    )
    x = noise(1, 16, 8, 8)
    scheduler.set_timesteps(4)
    with torch.no_grad():
        encoded = vae.encode(shown() * 2 - 1).latent_dist.mode()
        seen = (encoded - vae.config.shift_factor) * vae.config.scaling_factor
        places = torch.tensor([[0.0, i, j] for i in range(4) for j in range(8)])[None]

        def both(time: torch.Tensor, *said: torch.Tensor) -> torch.Tensor:
            pair = torch.cat([x, seen], dim=3)
            cut = [pair[0, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] for i in range(4) for j in range(8)]
            tokens = torch.stack([each.permute(1, 2, 0).reshape(-1) for each in cut])[None]
            made: torch.Tensor = network(
                tokens,
                time[None],
                *said,
                img_ids=places,
                img_sizes=[(4, 8)],
                hidden_states_masks=torch.ones(1, 32),
                return_dict=False,
            )[0]
            return -made[..., :8]

        for time in scheduler.timesteps:
            alone = -network(x, time[None], t5_against, llama_against, pooled_against, return_dict=False)[0]
            against = both(time, t5_against, llama_against, pooled_against)
            told = both(time, t5, llama, pooled)
            x = scheduler.step(alone + 1.5 * (against - alone) + 3 * (told - against), time, x).prev_sample
        decoded = vae.decode(x / vae.config.scaling_factor + vae.config.shift_factor).sample
        expected = pipeline.image_processor.postprocess(decoded, "np")[0]
    nodes = edited("edit", tmp_path, cfg=3.0)
    nodes["sample"]["inputs"] |= {"middle": link("negative.conditioning"), "middle_cfg": 1.5}
    with engine(tmp_path) as made:
        close(run(made, nodes), expected)
        nodes["sample"]["inputs"]["tile"] = 64
        nodes["picture"]["inputs"]["file"] = save(picture(128, 64), tmp_path / "wide.png")
        with pytest.raises(RunFailed, match="looks at the whole picture"):
            run(made, nodes)


def test_prompts_of_hidream_are_encoded_each_by_its_own(tmp_path: Path) -> None:
    """T5 gives 128 tokens and Llama as many as are needed, but never less."""
    models.hidream().save_pretrained(tmp_path / "hidream")
    long = "cat " * 60
    own = dict.fromkeys(("clip_l", "clip_g", "t5xxl", "llama"), PROMPT)
    places = {"clip_l": slice(0, 64), "clip_g": slice(64, 128), "t5xxl": slice(0, 48), "llama": slice(48, None)}
    others = {name: own | {name: NEGATIVE} for name in places} | {"long": own | {"llama": long}}
    prompts = {name: step("comfyui/CLIPTextEncodeHiDream@1", clip=TEXTS, **texts) for name, texts in others.items()}
    prompts["alike"] = step("EncodePrompt@1", text_encoder=TEXTS, text=PROMPT, comfyui=True)
    with engine(tmp_path) as made:
        found = encoded(made, "hidream", prompts)
        nodes = document("hidream", negative=False, cfg=1.0)
        nodes["prompt"] = step("comfyui/CLIPTextEncodeHiDream@1", clip=TEXTS, **own)
        short = run(made, nodes)
        nodes["prompt"]["inputs"]["llama"] = long
        assert np.abs(run(made, nodes) - short).max() > 1e-3
    alike = found["alike"]
    assert alike.pooled is not None
    assert alike.tokens.shape == (1, 128, 48 + 4 * 32)
    for name, place in places.items():
        said = found[name]
        assert said.pooled is not None
        for value, before, here in (
            (said.tokens, alike.tokens, not name.startswith("clip")),
            (said.pooled, alike.pooled, name.startswith("clip")),
        ):
            changed = np.abs(value - before).max(axis=tuple(range(value.ndim - 1))) > 1e-4
            assert changed[place].any() == here
            changed[place] = False
            assert not (here and changed.any())
    length = len(models.hidream().tokenizer_4(long).input_ids)
    assert length > 128
    assert found["long"].tokens.shape[1] == length
    np.testing.assert_array_equal(found["long"].tokens[:, :128, :48], alike.tokens[..., :48])


class Processor:
    """What comes with Qwen-Image Edit and needs torchvision, of parts that do not."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.pictures = Qwen2VLImageProcessorPil(size={"shortest_edge": 3136, "longest_edge": 12_845_056})

    def __call__(self, text: list[str], images: Any, padding: bool, return_tensors: str) -> Any:
        seen = self.pictures(images=images, return_tensors="pt")
        parts = text[0].split("<|image_pad|>")
        counts = [int(grid.prod()) // 4 for grid in seen["image_grid_thw"]]
        whole = "".join(part + "<|image_pad|>" * n for part, n in zip(parts, [*counts, 0], strict=True))
        return BatchFeature({**self.tokenizer([whole], return_tensors="pt"), **seen})


def seeing(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The pipeline, whose text encoder is told which of its tokens are of a picture, which diffusers forgets."""
    encoder = pipeline.text_encoder
    plain = encoder.forward

    def forward(input_ids: Any = None, **given: Any) -> Any:
        return plain(input_ids=input_ids, mm_token_type_ids=(input_ids == 261).int(), **given)

    monkeypatch.setattr(encoder, "forward", forward)
    return pipeline


def test_qwen_makes_one_of_several_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = models.qwen_image()
    base.save_pretrained(tmp_path / "edit")
    module = diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus
    for owner, names in ((module, ("VAE_IMAGE_SIZE", "CONDITION_IMAGE_SIZE")), (editing, ("WHOLE", "SMALL"))):
        for name in names:
            monkeypatch.setattr(owner, name, 64 * 64)
    pipeline = models.quiet(module.QwenImageEditPlusPipeline(**base.components, processor=Processor(base.tokenizer)))
    turned = Image(picture().pixels[:, ::-1].copy())
    shown_to_it = [Pillow.fromarray(each.to_bytes()[0]) for each in (picture(), turned)]
    nodes = document("edit")
    for port, image in (("image1", picture()), ("image2", turned)):
        nodes[port] = step("LoadImage@1", file=save(image, tmp_path / f"{port}.png"))
    images = {port: link(f"{port}.image") for port in ("image1", "image2")}
    for name, text in (("prompt", PROMPT), ("negative", NEGATIVE)):
        nodes[name] = step(
            "comfyui/TextEncodeQwenImageEditPlus@1", clip=link("model.text_encoder"), prompt=text,
            vae=link("model.vae"), **images,
        )  # fmt: skip
    with engine(tmp_path) as made:
        found = run(made, nodes)
        nodes["prompt"]["inputs"].pop("image2")
        assert np.abs(run(made, nodes) - found).max() > 1e-3
        texts = load_model(str(tmp_path / "edit")).text_encoder
        one = editing.TextEncodeQwenImageEdit(texts, PROMPT, image=picture()).tokens
    expected = theirs(
        seeing(pipeline, monkeypatch), image=shown_to_it, prompt=PROMPT, negative_prompt=NEGATIVE, true_cfg_scale=5.0,
        num_inference_steps=4, height=64, width=64, latents=_packed(noise(1, 16, 8, 8)),
    )  # fmt: skip
    close(found, expected)
    edit = diffusers.QwenImageEditPipeline(**base.components, processor=Processor(base.tokenizer))
    with torch.no_grad():
        wanted, _ = edit._get_qwen_prompt_embeds(PROMPT, [shown_to_it[0]])
    np.testing.assert_allclose(one, wanted.numpy(), atol=1e-4)


def test_what_looks_at_nothing_refuses_references(tmp_path: Path) -> None:
    models.sd1().save_pretrained(tmp_path / "sd1")
    nodes = document("sd1")
    nodes["picture"] = step("LoadImage@1", file=save(picture(), tmp_path / "picture.png"))
    nodes["encoded"] = step("EncodeImage@1", vae=link("model.vae"), image=link("picture.image"))
    nodes["seen"] = step(
        "comfyui/ReferenceLatent@1", conditioning=link("prompt.conditioning"), latent=link("encoded.latent")
    )
    nodes["sample"]["inputs"]["positive"] = link("seen.conditioning")
    with engine(tmp_path) as made, pytest.raises(RunFailed, match="looks at no further pictures"):
        run(made, nodes)


def test_prompts_of_sd3_are_encoded_each_by_its_own(tmp_path: Path) -> None:
    """And T5 is filled up to 77 tokens behind those of both CLIPs."""
    pipeline = models.sd3()
    pipeline.save_pretrained(tmp_path / "sd3")
    nodes = document("sd3", negative=False, cfg=1.0)
    nodes["prompt"]["inputs"]["comfyui"] = True
    own = {"clip_l": PROMPT, "clip_g": PROMPT, "t5xxl": PROMPT}
    texts = {"long": {"clip_l": PROMPT, "clip_g": "cat " * 100, "t5xxl": ""}}
    empties = {"t5": ("t5xxl",), "clips": ("clip_l", "clip_g"), "one": ("clip_l",), "all": tuple(own)}
    for name, empty in empties.items():
        given = own | dict.fromkeys(empty, "")
        texts |= {f"{name}_whole": given | {"empty_padding": "empty_prompt"}, f"{name}_part": given}
    prompts = {name: step("comfyui/CLIPTextEncodeSD3@1", clip=TEXTS, **given) for name, given in texts.items()}
    with engine(tmp_path) as made:
        found = encoded(made, "sd3", {"alike": nodes["prompt"], **prompts})
        assert found["alike"].tokens.shape[1] == 2 * 77
        alike = run(made, nodes)
        nodes["prompt"] = step("comfyui/CLIPTextEncodeSD3@1", clip=TEXTS, **own)
        close(run(made, nodes), alike)
        nodes["prompt"]["inputs"]["t5xxl"] = NEGATIVE
        assert np.abs(run(made, nodes) - alike).max() > 1e-4
        nodes["prompt"]["inputs"]["t5xxl"] = ""
        assert np.abs(run(made, nodes) - alike).max() > 1e-4
    with torch.no_grad():
        end = pipeline.text_encoder_3(torch.tensor([[pipeline.tokenizer_3.eos_token_id]]))[0].numpy()
    for name, empty in empties.items():
        whole, part = found[f"{name}_whole"], found[f"{name}_part"]
        gone = {"clip_l", "clip_g"} <= set(empty)
        clips, t5 = np.split(whole.tokens, [77], axis=1)
        expected = np.concatenate([clips[:, : 0 if gone else 77], end if "t5xxl" in empty else t5], axis=1)
        np.testing.assert_allclose(part.tokens, expected, atol=1e-5)
        assert whole.pooled is not None
        np.testing.assert_array_equal(part.pooled, whole.pooled * (not gone))
    assert found["long"].tokens.shape[1] == 2 * 77 + 1
