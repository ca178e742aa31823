from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from nodegraph_diffusion.training.objects import OBJECTS
from nodegraph_diffusion.training.recipe import DEMO
from nodegraph_diffusion.training.scenes import EmojiScenes, Split
from nodegraph_diffusion.training.tokenizer import make_tokenizer

SCENES = EmojiScenes({}, tuple(OBJECTS), 1, 128)


@pytest.fixture(scope="module")
def tokenizer() -> CLIPTokenizer:
    return make_tokenizer(SCENES.sentences(), DEMO.denoiser.tokens)


def test_every_word_of_new_captions_is_one_token_and_none_is_cut(tokenizer: CLIPTokenizer) -> None:
    for index in range(1500):
        caption = SCENES.caption(Split.TEST, index)
        pieces = tokenizer.tokenize(caption)
        assert pieces == [word + "</w>" for word in re.findall(r"[a-z]+|,", caption)]
        assert len(pieces) + 2 <= DEMO.denoiser.tokens


@given(words=st.lists(st.text("abcde", min_size=1, max_size=7), min_size=1, max_size=30))
def test_any_words_become_one_token_each(words: list[str]) -> None:
    made = make_tokenizer(words, 8)
    assert all(made.tokenize(word) == [word + "</w>"] for word in words)


def test_other_text_has_tokens_too_and_comes_back(tokenizer: CLIPTokenizer) -> None:
    ids = tokenizer("Zwölf Boxkämpfer, 12 zebras!").input_ids
    assert tokenizer.unk_token_id not in ids[1:-1]
    assert tokenizer.decode(ids[1:-1]) == "zwölf boxkämpfer , 1 2 zebras !"
