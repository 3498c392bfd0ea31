"""The vocabulary of the emoji world, and the canonical sentence. For natural wording see phrases.py.

A caption may name a concept, a size, a place, a background colour and a style, or any part of these:

    "a small cat face at the top left on a blue background, twemoji style"
    "a cat face"

What is not mentioned is unspecified. A word for a size or a place is evidence, not a switch: FITS says how well each word
fits each value; P(word | value) is its weight divided by the sum of that value's weights. Standard library only.
"""

import csv
import functools
import re

from .checksums import checked

COLOURS = {  # the ten backgrounds, sRGB
    "white": (250, 250, 250),
    "black": (24, 24, 28),
    "gray": (140, 140, 146),
    "red": (214, 48, 49),
    "orange": (243, 140, 40),
    "yellow": (250, 215, 70),
    "green": (70, 170, 90),
    "blue": (60, 120, 216),
    "purple": (130, 80, 190),
    "pink": (250, 160, 200),
}
STYLES = ("noto", "twemoji", "fluent")  # the base is trained on these three
THING = "thing"  # any core concept
NEW_STYLE = "contrast"  # the fourth, which the base is not trained on: that of the LoRA lesson
SIZES = {"small": 30, "medium": 42, "big": 56}  # edge of the sprite in pixels, in a 64-pixel picture
PLACES = {  # (x, y) in units of the free margin: -1 is the left or top edge, 0 the centre
    "centre": (0, 0),
    "left": (-1, 0),
    "right": (1, 0),
    "top": (0, -1),
    "bottom": (0, 1),
    "top left": (-1, -1),
    "top right": (1, -1),
    "bottom left": (-1, 1),
    "bottom right": (1, 1),
}
CORNER = {"own": 0.8, "side": 0.4}  # the top left is called "top left", and half as often "top" or "left"
FITS = {  # attribute -> word -> value -> weight
    "size": {
        "small": {"small": 0.8, "medium": 0.2},
        "medium": {"small": 0.2, "medium": 0.6, "big": 0.2},
        "big": {"medium": 0.2, "big": 0.8},
    },
    "place": {
        word: {
            place: CORNER["own"] if place == word else CORNER["side"] for place in PLACES if place == word or word in place.split()
        }
        for word in PLACES
    },
}

COUNTS = ("", "", "two", "three")
TEMPLATES = (  # the first is the canonical one
    "{thing}{place}{on}{style}",
    "{style_first}{colour_first}{thing}{place}",
    "a picture of {thing}{place}{on}{style}",
    "{thing}{place}{behind}{style}",
)


def article(name: str) -> str:
    """ "a", "an" or nothing: plural names such as "french fries" take none."""
    if is_plural(name):
        return ""
    return "an" if re.match(r"(?!un[iu]|ufo|eu|one)[aeiou]|8|11|hour", name.lower()) else "a"


def noun_phrase(name: str, size: str = "", count: int = 1) -> str:
    """ "a cat face", "a medium-sized cat face", "two small cat faces"."""
    word = size_word(size)
    if count > 1:
        return join(COUNTS[count], word, plural(name))
    return join(article(word or name) if article(name) else "", word, name)


def size_word(size: str) -> str:
    """The canonical adjective of a size; "" for none."""
    return "medium-sized" if size == "medium" else size


def place_phrase(place: str) -> str:
    """The canonical words for a place, with a leading space; "" for none."""
    if not place:
        return ""
    return " in the middle" if place == "centre" else f" at the {place}"


def caption(
    name: str, colour: str = "", size: str = "", place: str = "", style: str = "", count: int = 1, template: int = 0
) -> str:
    """The sentence that says exactly this; empty attributes are not mentioned.

    name: a concept's name or alias, or THING. template: index into TEMPLATES. Returns str.
    """
    return sentence(noun_phrase(name, size, count), colour, place, style, template)


def sentence(thing: str, colour: str = "", place: str = "", style: str = "", template: int = 0) -> str:
    """The same around a noun phrase: "an animal", "a cat face and a tree"."""
    return TEMPLATES[template].format(
        thing=thing,
        place=place_phrase(place),
        on=f" on {article(colour)} {colour} background" if colour else "",
        behind=f" with {colour} behind it" if colour else "",
        colour_first=f"{colour} background, " if colour else "",
        style=f", {style} style" if style else "",
        style_first=f"{style} style, " if style else "",
    )


def join(*words: str) -> str:
    return " ".join(word for word in words if word)


@functools.cache
def irregular() -> dict[str, str]:
    """Irregular plurals: {singular: plural}; a name that is plural already maps to itself."""
    with open(checked("emoji") / "plurals.csv", encoding="utf-8", newline="") as file:
        return {row["singular"]: row["plural"] for row in csv.DictReader(file)}


def is_plural(name: str) -> bool:
    """Whether a name takes no article: "french fries", but not "glass" or "bus"."""
    if name in irregular():
        return irregular()[name] == name or irregular()[name].endswith(f"of {name}")
    return name.endswith("s") and not name.endswith(("ss", "us", "is", "as"))


def plural(name: str) -> str:
    """ "cat faces", "cherries", "boxes"; what is plural already stays."""
    if name in irregular():
        return irregular()[name]
    if is_plural(name):
        return name
    if name.endswith(("s", "x", "z", "ch", "sh")):
        return name + "es"
    return name[:-1] + "ies" if name.endswith("y") and name[-2:-1] not in "aeiou" else name + "s"


def likelihood(attribute: str, word: str) -> list[float]:
    """P(word | value) for every value, in the order of SIZES or PLACES: list of floats."""
    table = FITS[attribute]
    values = SIZES if attribute == "size" else PLACES
    totals = {value: sum(row.get(value, 0.0) for row in table.values()) for value in values}
    return [table[word].get(value, 0.0) / totals[value] for value in values]


def choose_word(attribute: str, value: str, u: float) -> str:
    """The word for a value, where u, in [0, 1), decides among those that fit."""
    fitting = {word: row[value] for word, row in FITS[attribute].items() if value in row}
    left = u * sum(fitting.values())
    for word, weight in fitting.items():
        left -= weight
        if left < 0:
            break
    return word
