"""What the shipped model can draw: objects that Noto Emoji and Fluent Emoji both show, and the two styles.

The marks that the licences of those sets do not cover (flags, logos) are left out, and so are people and objects that
the two sets draw as different things. The order is the classes' and the random scenes': a change to it is another run.
"""

from __future__ import annotations

from typing import Final

ICONS: Final[dict[str, str]] = {
    # animals
    "cat": "cat-face",
    "dog": "dog-face",
    "mouse": "mouse-face",
    "rabbit": "rabbit-face",
    "fox": "fox",
    "bear": "bear",
    "panda": "panda",
    "koala": "koala",
    "tiger": "tiger-face",
    "lion": "lion",
    "cow": "cow-face",
    "pig": "pig-face",
    "frog": "frog",
    "monkey": "monkey-face",
    "penguin": "penguin",
    "owl": "owl",
    "elephant": "elephant",
    "fish": "fish",
    "whale": "spouting-whale",
    "octopus": "octopus",
    "crab": "crab",
    "snail": "snail",
    "butterfly": "butterfly",
    "bee": "honeybee",
    "ladybug": "lady-beetle",
    "turtle": "turtle",
    "duck": "duck",
    "chick": "baby-chick",
    "dolphin": "dolphin",
    "unicorn": "unicorn",
    "parrot": "parrot",
    # food
    "apple": "red-apple",
    "banana": "banana",
    "pear": "pear",
    "lemon": "lemon",
    "watermelon": "watermelon",
    "bunch of grapes": "grapes",
    "strawberry": "strawberry",
    "cherry": "cherries",
    "pineapple": "pineapple",
    "avocado": "avocado",
    "carrot": "carrot",
    "broccoli": "broccoli",
    "mushroom": "mushroom",
    "pizza": "pizza",
    "hamburger": "hamburger",
    "doughnut": "doughnut",
    "cookie": "cookie",
    "cupcake": "cupcake",
    "ice cream": "soft-ice-cream",
    "lollipop": "lollipop",
    "cup of coffee": "hot-beverage",
    "egg": "egg",
    # vehicles
    "car": "automobile",
    "taxi": "taxi",
    "bus": "bus",
    "fire engine": "fire-engine",
    "tractor": "tractor",
    "locomotive": "locomotive",
    "rocket": "rocket",
    "airplane": "airplane",
    "helicopter": "helicopter",
    "sailboat": "sailboat",
    # places, plants, sky
    "house": "house",
    "castle": "castle",
    "tent": "tent",
    "tree": "deciduous-tree",
    "fir": "evergreen-tree",
    "palm": "palm-tree",
    "cactus": "cactus",
    "sunflower": "sunflower",
    "rose": "rose",
    "tulip": "tulip",
    "mountain": "snow-capped-mountain",
    "volcano": "volcano",
    "rainbow": "rainbow",
    "sun": "sun",
    "moon": "crescent-moon",
    "star": "star",
    "cloud": "cloud",
    "snowman": "snowman",
    "flame": "fire",
    "drop": "droplet",
    "globe": "globe-showing-europe-africa",
    # things
    "heart": "red-heart",
    "crown": "crown",
    "diamond": "gem-stone",
    "bell": "bell",
    "key": "key",
    "padlock": "locked",
    "umbrella": "umbrella",
    "clock": "alarm-clock",
    "light bulb": "light-bulb",
    "guitar": "guitar",
    "drum": "drum",
    "book": "closed-book",
    "balloon": "balloon",
    "gift": "wrapped-gift",
    "trophy": "trophy",
    "football": "soccer-ball",
    "teddy bear": "teddy-bear",
    "ghost": "ghost",
    "robot": "robot",
    "alien": "alien",
    "pumpkin": "jack-o-lantern",
    "skull": "skull",
    "hat": "top-hat",
    "candle": "candle",
    "anchor": "anchor",
}
"""Name in captions to icon id, the same id in both sets."""

SETS: Final[dict[str, str]] = {"glossy": "noto", "flat": "fluent-emoji-flat"}
"""Style in captions to the iconify set that shows it."""

PACKAGES: Final[dict[str, str]] = {
    "@iconify-json/noto": "1.2.9",  # Apache-2.0, Google
    "@iconify-json/fluent-emoji-flat": "1.2.6",  # MIT, Microsoft
}
"""npm packages the icons come from; pinned, since the trained weights are a function of them."""
