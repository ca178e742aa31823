from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodegraph_diffusion.training.grammar import BESIDE, COLOURS, PLACES, STACKED, Scene, Thing, draw_scene
from nodegraph_diffusion.training.objects import OBJECTS

NAMES = tuple(OBJECTS)


def scene(relation: str, *things: tuple[str, str], opening: str = "", says_style: bool = False) -> Scene:
    placed = tuple(Thing(name, size, 0.5, 0.5, 0.3) for name, size in things)
    return Scene(placed, relation, "", "orange", (0, 0, 0), "flat", True, says_style, opening)


@pytest.mark.parametrize(
    ("given", "caption"),
    [
        (scene("{0}", ("unicorn", "")), "a unicorn on an orange background"),
        (scene("{0}", ("owl", "small")), "a small owl on an orange background"),
        (scene("{1} below {0}", ("cat", ""), ("egg", "")), "an egg below a cat on an orange background"),
        (scene("{0}", ("axe", ""), says_style=True), "an axe on an orange background, flat style"),
        (scene("{0}", ("axe", ""), opening="a picture of"), "a picture of an axe on an orange background"),
        (scene("", opening="a picture of"), "a picture of an orange background"),
    ],
)
def test_a_caption_says_what_the_scene_holds(given: Scene, caption: str) -> None:
    assert given.caption == caption


@given(st.integers(0, 10**9))
def test_a_scene_is_a_function_of_its_random_state(seed: int) -> None:
    assert draw_scene(Random(seed), NAMES) == draw_scene(Random(seed), NAMES)


@given(st.integers(0, 10**9))
def test_things_differ_stay_inside_and_are_named(seed: int) -> None:
    drawn = draw_scene(Random(seed), NAMES)
    assert len({thing.name for thing in drawn.things}) == len(drawn.things)
    for thing in drawn.things:
        assert thing.extent / 2 < min(thing.x, thing.y) + 0.03
        assert max(thing.x, thing.y) + thing.extent / 2 < 1.03
        assert thing.name in drawn.caption
    colour = "gray" if drawn.colour == "grey" and drawn.american else drawn.colour
    said = f"on {'an' if colour == 'orange' else 'a'} {colour} background" in drawn.caption
    assert said == drawn.says_colour


@given(st.integers(0, 10**9))
def test_flat_is_always_said_so_that_unsaid_means_glossy(seed: int) -> None:
    drawn = draw_scene(Random(seed), NAMES)
    assert drawn.says_style or drawn.style == "glossy"


@given(st.integers(0, 10**9))
def test_words_of_relation_and_place_agree_with_coordinates(seed: int) -> None:
    drawn = draw_scene(Random(seed), NAMES)
    if drawn.relation in BESIDE:
        assert drawn.things[0].x < drawn.things[1].x - 0.3
    elif drawn.relation in STACKED:
        assert drawn.things[0].y < drawn.things[1].y - 0.3
    elif len(drawn.things) == 1:
        thing, said = drawn.things[0], drawn.caption
        assert (thing.x < 0.4) == bool(re.search(r"\bleft\b", said))
        assert (thing.x > 0.6) == bool(re.search(r"\bright\b", said))
        assert (thing.y < 0.4) == bool(re.search(r"\btop\b", said))
        assert (thing.y > 0.6) == bool(re.search(r"\bbottom\b", said))


def test_all_places_colours_and_numbers_of_things_occur() -> None:
    drawn = [draw_scene(Random(seed), NAMES) for seed in range(3000)]
    assert {one.colour for one in drawn} == set(COLOURS)
    assert {one.place for one in drawn} >= set(PLACES)
    shares = [sum(len(one.things) == count for one in drawn) / len(drawn) for count in (1, 2, 3)]
    assert shares == pytest.approx([0.6, 0.3, 0.1], abs=0.03)


def test_a_share_of_scenes_is_empty_and_says_its_colour() -> None:
    drawn = [draw_scene(Random(seed), NAMES, empty=0.2) for seed in range(1000)]
    bare = [one for one in drawn if not one.things]
    assert len(bare) / len(drawn) == pytest.approx(0.2, abs=0.04)
    assert all(re.search(r"\b\w+ background\b", one.caption) and " on " not in one.caption for one in bare)
