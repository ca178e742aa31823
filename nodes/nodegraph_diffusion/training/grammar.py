"""The grammar of captions: what a scene holds, where, and the sentence that says so.

A scene is drawn from a `random.Random` and is complete: its caption and its pixels are functions of it alone.
Coordinates and sizes are fractions of the picture's side, y down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

COLOURS: Final[dict[str, tuple[int, int, int]]] = {
    "white": (247, 247, 247),
    "black": (24, 24, 24),
    "grey": (136, 136, 140),
    "red": (200, 50, 48),
    "orange": (222, 146, 52),
    "yellow": (246, 216, 96),
    "green": (66, 152, 80),
    "blue": (64, 104, 208),
    "purple": (136, 80, 184),
    "pink": (236, 148, 180),
}
"""Background colours, 8-bit sRGB; the colour drawn differs by up to `TINT` in each channel."""

TINT: Final = 6

PLACES: Final[dict[str, tuple[float, float]]] = {
    "in the middle": (0.5, 0.5),
    "on the left": (0.22, 0.5),
    "on the right": (0.78, 0.5),
    "at the top": (0.5, 0.22),
    "at the bottom": (0.5, 0.78),
    "at the top left": (0.22, 0.22),
    "at the top right": (0.78, 0.22),
    "at the bottom left": (0.22, 0.78),
    "at the bottom right": (0.78, 0.78),
}
"""Where the centre of a small object is."""

SIDES: Final[dict[str, tuple[float, float]]] = {
    "on the left": (0.27, 0.5),
    "on the right": (0.73, 0.5),
    "at the top": (0.5, 0.27),
    "at the bottom": (0.5, 0.73),
}
"""Where the centre of a middle-sized object is, and of either one of two."""

BESIDE: Final = ("{0} on the left and {1} on the right", "{0} to the left of {1}", "{1} to the right of {0}")
STACKED: Final = ("{0} above {1}", "{1} below {0}", "{0} at the top and {1} at the bottom")
ROW: Final = ((0.18, 0.5), (0.5, 0.5), (0.82, 0.5))

SIZES: Final[dict[str, tuple[float, float]]] = {
    "small": (0.30, 0.36),
    "medium": (0.42, 0.48),
    "large": (0.58, 0.66),
    "big": (0.80, 0.90),
    "third": (0.27, 0.31),
}
"""Least and greatest extent (the longer side) of an object; of these words only small and big are said."""

OPENINGS: Final = ("a picture of", "a drawing of", "an emoji of", "an icon of")
"""What people write before the thing they want; now and then before a caption, so that it does no harm."""

_NUDGE: Final = 0.02
_SAID: Final = {"small", "big"}
_ARTICLES: Final = {"unicorn": "a"}
_AMERICAN: Final = {"grey": "gray"}


@dataclass(frozen=True, slots=True)
class Thing:
    """`name` is of `objects.OBJECTS`, `size` a word or "", (`x`, `y`) the centre, `extent` the longer side."""

    name: str
    size: str
    x: float
    y: float
    extent: float

    @property
    def phrase(self) -> str:
        """The object with its article: "a small fire engine"."""
        words = f"{self.size} {self.name}" if self.size else self.name
        return f"{article(words)} {words}"


@dataclass(frozen=True, slots=True)
class Scene:
    """Things on a background. `relation` is the sentence with `{0}`, `{1}` ... for the things' noun phrases, or empty
    where there are none."""

    things: tuple[Thing, ...]
    relation: str
    place: str
    colour: str
    tint: tuple[int, int, int]
    style: str
    says_colour: bool
    says_style: bool
    opening: str = ""
    american: bool = False

    @property
    def background(self) -> tuple[int, int, int]:
        """The background as drawn, 8-bit sRGB."""
        r, g, b = (min(255, max(0, c + t)) for c, t in zip(COLOURS[self.colour], self.tint, strict=True))
        return r, g, b

    @property
    def caption(self) -> str:
        colour = _AMERICAN.get(self.colour, self.colour) if self.american else self.colour
        ground = f"{article(colour)} {colour} background"
        sentence = self.relation.format(*(thing.phrase for thing in self.things))
        if self.says_colour:
            sentence = f"{sentence} on {ground}" if sentence else ground
        if self.opening:
            sentence = f"{self.opening} {sentence}"
        return f"{sentence}, {self.style} style" if self.says_style else sentence


def article(words: str) -> str:
    """ "a" or "an", whichever `words` begin with."""
    return _ARTICLES.get(words, "an" if words[0] in "aeiou" else "a")


def draw_scene(random: Random, names: Sequence[str], empty: float = 0.0) -> Scene:
    """A scene of one (60 %), two (30 %) or three (10 %) different objects out of `names` (at least three).

    Of all scenes a share `empty` shows a background alone.

    Glossy is what an unsaid style means, so that a short prompt asks for one thing and not for a mixture; an unsaid
    colour means any.
    """
    relation, place, centres, size = _layout(random, empty)
    chosen = random.sample(names, len(centres))
    low, high = SIZES[size]
    things = tuple(
        Thing(
            name=name,
            size=size if size in _SAID else "",
            x=x + random.uniform(-_NUDGE, _NUDGE),
            y=y + random.uniform(-_NUDGE, _NUDGE),
            extent=random.uniform(low, high),
        )
        for name, (x, y) in zip(chosen, centres, strict=True)
    )
    style = "glossy" if random.random() < 0.55 else "flat"
    return Scene(
        things=things,
        relation=relation,
        place=place,
        colour=random.choice(tuple(COLOURS)),
        tint=(random.randint(-TINT, TINT), random.randint(-TINT, TINT), random.randint(-TINT, TINT)),
        style=style,
        says_colour=random.random() < 0.85 or not things,
        says_style=style != "glossy" or random.random() < 0.4,
        opening=random.choice(OPENINGS) if random.random() < 0.1 else "",
        american=random.random() < 0.5,
    )


_Layout = tuple[str, str, tuple[tuple[float, float], ...], str]


def _layout(random: Random, empty: float) -> _Layout:
    if empty and random.random() < empty:
        return "", "", (), "small"
    draw = random.random()
    if draw < 0.6:
        return _one(random)
    if draw < 0.9:
        return _two(random)
    return "{0} on the left, {1} in the middle and {2} on the right", "row", ROW, "third"


def _one(random: Random) -> _Layout:
    draw = random.random()
    if draw < 0.35:
        place = random.choice(tuple(PLACES))
        return "{0} " + place, place, (PLACES[place],), "small"
    if draw < 0.5:
        place = random.choice(tuple(SIDES))
        return "{0} " + place, place, (SIDES[place],), "medium"
    size = "large" if draw < 0.8 else "big"
    return "{0}", "in the middle", ((0.5, 0.5),), size


def _two(random: Random) -> _Layout:
    if random.random() < 0.6:
        return random.choice(BESIDE), "beside", (SIDES["on the left"], SIDES["on the right"]), "medium"
    return random.choice(STACKED), "stacked", (SIDES["at the top"], SIDES["at the bottom"]), "medium"
