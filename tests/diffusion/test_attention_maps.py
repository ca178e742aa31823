from __future__ import annotations

import pytest
import torch

from diffusion import tiny
from nodegraph_diffusion.diffusion.attention_maps import Record, Word, of_words, recorded, words
from nodegraph_diffusion.load_model import load_model


def ask(x: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    made: torch.Tensor = tiny.unet()(x, torch.tensor(500.0), encoder_hidden_states=tokens, return_dict=False)[0]
    return made


@pytest.mark.parametrize(("height", "width"), [(8, 8), (16, 8), (9, 13)])
def test_the_shares_of_tokens_sum_to_one_and_the_output_stays(height: int, width: int) -> None:
    x, tokens = torch.randn(2, 4, height, width), tiny.tokens(0, batch=2)
    before = dict(tiny.unet().attn_processors)
    plain = ask(x, tokens)
    with torch.no_grad(), recorded(tiny.unet(), (height, width)) as record:
        assert torch.equal(ask(x, tokens), plain)
        maps = record.take()
    assert maps.shape == (2, tokens.shape[1], height, width)
    torch.testing.assert_close(maps.sum(dim=1), torch.ones(2, height, width))
    assert maps.std(dim=(2, 3)).max() > 1e-3
    assert tiny.unet().attn_processors == before


def test_each_evaluation_is_taken_by_itself() -> None:
    x, tokens = torch.randn(1, 4, 8, 8), tiny.tokens(0)
    with torch.no_grad(), recorded(tiny.unet(), (8, 8)) as record:
        ask(x, tokens)
        first = record.take()
        ask(x + 1, tokens)
        second = record.take()
        ask(x, tokens)
        assert torch.equal(record.take(), first)
        assert not torch.equal(first, second)
        with pytest.raises(ValueError, match="recorded no attention to a prompt"):
            record.take()


def test_the_processors_go_back_after_an_error() -> None:
    before = dict(tiny.unet().attn_processors)
    with pytest.raises(KeyboardInterrupt), recorded(tiny.unet(), (8, 8)):
        raise KeyboardInterrupt
    assert tiny.unet().attn_processors == before


def test_places_that_fit_no_level_are_refused() -> None:
    with pytest.raises(ValueError, match="15 places are no level of a UNet for latents of 8 x 8"):
        Record((8, 8)).add(torch.zeros(1, 15, 3))


def test_words_know_their_tokens() -> None:
    text_encoder = load_model("demo")[1].encoder
    encoder = text_encoder.load(lambda done, total: None)
    found = words(encoder, "a cat on a (blue:1.3) background, zyx")
    assert [word.text for word in found] == ["a", "cat", "on", "a", "blue", "background", ",", "zyx"]
    assert [word.tokens[0] for word in found[:6]] == [1, 2, 3, 4, 5, 6]
    assert len(found[-1].tokens) > 1, "a word that the vocabulary does not have"
    maps = torch.arange(12.0).reshape(12, 1, 1).expand(12, 2, 2)
    made = of_words(maps, [Word("cat", (2,)), Word("zyx", (8, 9, 10))])
    assert made[:, 0, 0].tolist() == [2, 27]
    assert words(encoder, "") == []
