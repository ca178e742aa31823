from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch
from PIL import Image

from nodegraph_diffusion.training.evaluation import Judge, Scores, judge_pictures
from nodegraph_diffusion.training.grammar import COLOURS
from nodegraph_diffusion.training.judge import Classifier, centre_of, colour_of, cut, worn
from nodegraph_diffusion.training.scenes import Split
from training import toys


@pytest.mark.parametrize("name", COLOURS)
def test_a_colour_is_told_by_the_border_even_behind_an_object(name: str) -> None:
    picture = np.full((64, 64, 3), COLOURS[name], np.uint8)
    picture[10:50, 30:64] = (0, 255, 0)
    assert colour_of(picture) == name


def test_the_middle_of_what_is_drawn_is_found_and_dust_is_not() -> None:
    picture = np.full((64, 64, 3), 200, np.uint8)
    assert centre_of(picture) is None
    picture[8:24, 32:40] = (10, 10, 10)
    picture[60, 2] = 0
    assert centre_of(picture) == ((32 + 40) / 2 / 64, (8 + 24) / 2 / 64)


def test_cut_takes_the_square_and_continues_the_border() -> None:
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:20, :20] = 100
    picture[:, 20:] = 200
    inside = cut(picture, (0.25, 0.25, 0.5), 10)
    assert (inside[:-1, :-1] == 100).all()
    beyond = cut(picture, (1.0, 0.5, 0.5), 10)
    assert (beyond[:, 1:] == 200).all()


def test_worn_pictures_are_reproducible_and_still_alike() -> None:
    picture = Image.fromarray(toys.scenes(64).pixels(Split.JUDGE, 0))
    one, other = (np.asarray(worn(picture, Random(4))).astype(int) for _ in range(2))
    assert np.array_equal(one, other)
    assert 0 < np.abs(one - np.asarray(picture)).mean() < 40


def test_scores_count_what_was_asked() -> None:
    scenes = toys.scenes(64)
    classifier = Classifier(8, len(toys.NAMES))
    torch.nn.init.zeros_(classifier.conv_out.weight)
    with torch.no_grad():
        classifier.conv_out.bias.copy_(torch.tensor([0.0, 5.0, 0.0, 0.0]))  # always says "slab"
    judge = Judge(classifier, toys.NAMES, 24)
    drawn = [scenes.scene(Split.TEST, i) for i in range(60)]
    rates = judge_pictures(judge, scenes, (scenes.pixels(Split.TEST, i) for i in range(60)), Split.TEST).rates()
    single = [scene.things[0].name == "slab" for scene in drawn if len(scene.things) == 1]
    assert rates["object"] == sum(single) / len(single)
    assert rates["both objects of two"] == 0
    assert rates["background colour"] == rates["position"] == 1
    red = [np.full((64, 64, 3), COLOURS["red"], np.uint8)] * 60
    blank = judge_pictures(judge, scenes, red, Split.TEST).rates()
    said = [scene.colour == "red" for scene in drawn if scene.says_colour]
    assert blank["background colour"] == sum(said) / len(said)
    assert blank["position"] == 0


def test_rates_and_counts_are_by_question() -> None:
    scores = Scores()
    scores.add("object", True)
    scores.add("object", False)
    scores.add("position", True)
    assert scores.rates() == {"object": 0.5, "position": 1}
    assert scores.counts() == {"object": 2, "position": 1}
