"""Prompts are read as people write them and encoded as the diffusers pipeline does."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import CLIPTextModel

from diffusion import layouts
from nodegraph_diffusion.checkpoint import open_model
from nodegraph_diffusion.diffusion.loading import load_text_encoder
from nodegraph_diffusion.diffusion.prompts import HEAVIEST, PromptEncoder, chunks, encode, parse

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def clips(module_folder: Path) -> dict[str, PromptEncoder]:
    """A text encoder of each family with random weights and CLIP's vocabulary."""
    made = {}
    for family in ("sd15", "sd21"):
        path = layouts.save_single(layouts.build(family), module_folder / f"{family}.safetensors")
        made[family] = load_text_encoder(open_model(str(path)), torch.float32, CPU)
    return made


@pytest.fixture(scope="module")
def demo() -> PromptEncoder:
    return load_text_encoder(open_model("demo"), torch.float32, CPU)


def pieces(text: str) -> list[tuple[str, Any]]:
    (section,) = parse(text)
    return [(text, pytest.approx(weight)) for text, weight in section]


def ids(encoder: PromptEncoder, text: str) -> list[int]:
    return [int(i) for i in encoder.tokenizer(text, add_special_tokens=False)["input_ids"]]


def run(encoder: PromptEncoder, tokens: list[int]) -> Tensor:
    """The text encoder itself on one chunk of tokens."""
    with torch.no_grad():
        return torch.as_tensor(encoder.model(torch.tensor([tokens])).last_hidden_state)


# -- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a cat", [("a cat", 1)]),
        ("a (cat)", [("a ", 1), ("cat", 1.1)]),
        ("a [cat]", [("a ", 1), ("cat", 1 / 1.1)]),
        ("a (cat:1.5) here", [("a ", 1), ("cat", 1.5), (" here", 1)]),
        ("(cat: .5 )", [("cat", 0.5)]),
        ("(cat:-1)", [("cat", -1)]),
        ("(a cat:0)", [("a cat", 0)]),
        ("((cat))", [("cat", 1.21)]),
        ("((cat:1.5) dog:2)", [("cat", 3), (" dog", 2)]),
        ("([cat])", [("cat", 1)]),
        ("(a (b) c)", [("a ", 1.1), ("b", 1.21), (" c", 1.1)]),
        ("(12:30:1.2)", [("12:30", 1.2)]),
        ("(a:b)", [("a:b", 1.1)]),
        ("(a:1.2.3)", [("a:1.2.3", 1.1)]),
        ("(a:nan) (b:inf) (c:1e3)", [("a:nan", 1.1), (" ", 1), ("b:inf", 1.1), (" ", 1), ("c:1e3", 1.1)]),
        ("(:1.2)", [(":1.2", 1.1)]),
        ("[cat:1.5]", [("cat:1.5", 1 / 1.1)]),
        (r"\(cat\)", [("(cat)", 1)]),
        (r"(cat \(black\):1.2)", [("cat (black)", 1.2)]),
        (r"\[\]", [("[]", 1)]),
        ("C:\\new", [("C:\\new", 1)]),
        ("(cat", [("(cat", 1)]),
        ("cat)", [("cat)", 1)]),
        (")(", [(")(", 1)]),
        ("((cat)", [("(", 1), ("cat", 1.1)]),
        ("([cat)", [("[cat", 1.1)]),
        ("([)]", [("[", 1.1), ("]", 1)]),
        ("()", []),
    ],
)
def test_grammar(text: str, expected: list[tuple[str, float]]) -> None:
    assert pieces(text) == expected


def test_breaks_begin_sections() -> None:
    assert parse("a BREAK b") == [[("a ", 1)], [(" b", 1)]]
    assert parse("(a BREAK b:2) c") == [[("a ", 2)], [(" b", 2), (" c", 1)]]
    assert parse("BREAKFAST a BREAK, UNBREAK") == [[("BREAKFAST a BREAK, UNBREAK", 1)]]
    assert parse("BREAK") == [[], []]


@given(st.text())
@example("(" * 5000 + "a" + ")" * 5000)
@example("(:" * 3000 + "1)" * 3000)
@example("[" * 3000)
@example("(a:" + "9" * 5000 + ")")
def test_any_text_can_be_read(text: str) -> None:
    found = [piece for section in parse(text) for piece in section]
    assert all(math.isfinite(p.weight) and abs(p.weight) <= HEAVIEST for p in found)
    assert sum(len(p.text) for p in found) <= len(text)
    if not set(text) & set("()[]\\") and "BREAK" not in text:
        assert found == ([(text, 1.0)] if text else [])


@given(st.text(alphabet="()ab "))
def test_brackets_without_a_partner_are_text(text: str) -> None:
    depth = unmatched = 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            depth, unmatched = 0, unmatched + 1
    shown = "".join(p.text for p in parse(text)[0])
    assert sum(shown.count(bracket) for bracket in "()") == unmatched + depth
    assert [c for c in shown if c not in "()"] == [c for c in text if c not in "()"]


words = st.text(alphabet="ab :,1.()[]", min_size=1)
weights = st.floats(-HEAVIEST, HEAVIEST).map(lambda w: round(w, 3))


@given(st.lists(st.tuples(words, weights)))
def test_what_is_written_is_read(parts: list[tuple[str, float]]) -> None:
    def escaped(text: str) -> str:
        return "".join("\\" + c if c in "()[]" else c for c in text)

    text = "".join(f"({escaped(words)}:{weight:.3f})" for words, weight in parts)
    assert parse(text) == [parts]


# -- encoding ---------------------------------------------------------------------------------------------------------

PLAIN = ["", "a photo of a cat", "Ein Bär, naïve café; 東京 🙂", "it's 1,234.56 dollars!!", " ".join(["dog"] * 75)]


@pytest.fixture(scope="module")
def pipelines(clips: dict[str, PromptEncoder]) -> dict[str, StableDiffusionPipeline]:
    made = {}
    scheduler = DDIMScheduler(steps_offset=1, clip_sample=False)
    for family, clip in clips.items():
        parts = layouts.build(family)
        made[family] = StableDiffusionPipeline(
            parts.vae,
            clip.model,
            clip.tokenizer,
            parts.unet,
            scheduler,
            None,
            None,
            requires_safety_checker=False,
        )
    return made


@pytest.mark.parametrize("layer", [1, 2, 3])
@pytest.mark.parametrize("text", PLAIN)
@pytest.mark.parametrize("family", ["sd15", "sd21"])
def test_plain_prompts_are_those_of_the_pipeline(
    family: str,
    text: str,
    layer: int,
    clips: dict[str, PromptEncoder],
    pipelines: dict[str, StableDiffusionPipeline],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The pipeline reaches the last norm through a level that transformers 5.6 took out.
    monkeypatch.setattr(CLIPTextModel, "text_model", property(lambda self: self), raising=False)
    skip = None if layer == 1 else layer - 1
    with torch.no_grad():
        expected, _ = pipelines[family].encode_prompt(text, CPU, 1, False, clip_skip=skip)
    found = encode(clips[family], text, layer)
    assert torch.equal(found, expected)
    assert (found.dtype, found.shape) == (torch.float32, (1, 77, 64 if family == "sd15" else 128))


def test_a_layer_that_is_not_there(clips: dict[str, PromptEncoder]) -> None:
    for layer in (0, 4):
        with pytest.raises(ValueError, match=rf"has layers 1 \(the last\) to 3, got {layer}"):
            encode(clips["sd15"], "a cat", layer)


@pytest.mark.parametrize("family", ["sd15", "sd21"])
def test_weights_move_tokens_away_from_the_empty_prompt(family: str, clips: dict[str, PromptEncoder]) -> None:
    clip = clips[family]
    start, end, padding = 49406, 49407, {"sd15": 49407, "sd21": 0}[family]
    red, cat = ids(clip, "a red"), ids(clip, "cat")
    empty = run(clip, [start, end] + [padding] * 75)[0]
    tokens = [start, *red, *cat, end]
    plain = run(clip, tokens + [padding] * (77 - len(tokens)))[0]
    expected = plain.clone()
    expected[3] = (plain[3] - empty[3]) * 1.4 + empty[3]
    found = encode(clip, "a red (cat:1.4)")[0]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(found[3], plain[3], atol=1e-2)
    torch.testing.assert_close(encode(clip, "(a red cat:0)")[0, 1:4], empty[1:4])
    torch.testing.assert_close(encode(clip, "(a red cat:1)")[0], plain)


def test_long_prompts_go_in_chunks(clips: dict[str, PromptEncoder]) -> None:
    clip = clips["sd15"]
    words = ["cat", "dog", "red", "blue", "tree"] * 40
    found = encode(clip, " ".join(words))
    assert found.shape == (1, 3 * 77, 64)
    parts = [encode(clip, " ".join(words[i : i + 75])) for i in (0, 75, 150)]
    torch.testing.assert_close(found, torch.cat(parts, dim=1))


def test_a_short_piece_is_not_divided(clips: dict[str, PromptEncoder]) -> None:
    clip = clips["sd15"]
    front, short, tail = " ".join(["dog"] * 73), "red blue cat", "tree"
    first, second = chunks(clip, f"{front} ({short}:1.5) {tail}")
    dog, end = ids(clip, "dog")[0], 49407
    assert first == [(49406, 1.0)] + [(dog, 1.0)] * 73 + [(end, 1.0)] * 3
    assert second[:6] == [(49406, 1.0), *((i, 1.5) for i in ids(clip, short)), (ids(clip, tail)[0], 1.0), (end, 1.0)]


def test_a_long_piece_fills_the_chunk(clips: dict[str, PromptEncoder]) -> None:
    clip = clips["sd15"]
    first, second = chunks(clip, " ".join(["dog"] * 73) + " (" + " ".join(["cat"] * 8) + ":1.5)")
    cat = ids(clip, "cat")[0]
    assert [token for token, weight in first if weight == 1.5] == [cat] * 2
    assert [token for token, weight in second if weight == 1.5] == [cat] * 6
    assert len(first) == len(second) == 77


def test_a_break_begins_a_chunk(clips: dict[str, PromptEncoder]) -> None:
    clip = clips["sd15"]
    both = torch.cat([encode(clip, "a cat"), encode(clip, "a dog")], dim=1)
    for text in ("a cat BREAK a dog", "BREAK a cat BREAK BREAK a dog BREAK"):
        torch.testing.assert_close(encode(clip, text), both)
    torch.testing.assert_close(encode(clip, "BREAK"), encode(clip, ""))


# -- the demo model ---------------------------------------------------------------------------------------------------


def test_the_demo_models_chunks_are_its_own(demo: PromptEncoder) -> None:
    assert demo.capacity == 30
    assert encode(demo, "a dog on a blue background").shape == (1, 32, 128)
    assert encode(demo, "a dog on a blue background, " * 10).shape == (1, 3 * 32, 128)


@settings(max_examples=40, deadline=None)
@given(st.text())
@example("\ud800 (\udfff:1.2)")
@example("<|startoftext|><|endoftext|> (" * 20)
def test_any_text_can_be_encoded(demo: PromptEncoder, text: str) -> None:
    found = encode(demo, text)
    assert found.shape[1] % 32 == 0
    assert found.isfinite().all()


def test_encoders_run_in_half_precision(demo: PromptEncoder) -> None:
    half = load_text_encoder(open_model("demo"), torch.bfloat16, CPU)
    whole = encode(demo, "a (dog:1.2) on a blue background")
    found = encode(half, "a (dog:1.2) on a blue background")
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, whole, rtol=0, atol=0.25)
    assert not torch.equal(found, whole)
