"""Natural wording of captions: fillers, synonyms, word orders, keyword lists, capitals, occasional typos.

    say(Facts(("a", "cat"), colour="blue", style="noto"), random.Random(0))

The facts are already chosen; this file only puts them into words. Pure text, standard library only. `vocabulary()` lists
the words that it can produce: these occur in training captions, all others do not.
"""

import random
import re
from collections.abc import Sequence
from typing import NamedTuple

from . import words


class Facts(NamedTuple):
    """What a caption names. things: noun phrases in their parts, see `thing`; empty attributes are not mentioned."""

    names: tuple  # one name, or two of different objects
    count: int = 1  # type: ignore[assignment]  # the tuple's own count(), which nobody needs
    size: str = ""
    place: str = ""
    colour: str = ""
    style: str = ""
    said: str = ""  # a whole noun phrase instead of a name: "an animal", "something to wear"


ASKS = ("draw", "please draw", "draw me", "can you draw", "could you draw", "i want", "i would like", "i'd like", "give me",
        "show me", "make", "make me", "create", "generate", "paint", "sketch", "let me see", "i want to see", "i need",
        "we want", "imagine", "here is", "this is", "it is", "look at", "how about", "maybe", "just", "only", "now")
PICTURES = ("a picture of", "a photo of", "an image of", "a drawing of", "an emoji of", "an icon of", "a painting of",
            "a sticker of", "picture of", "photo of", "image of", "emoji of", "a nice picture of", "a little picture of",
            "a cartoon of", "an illustration of")
ENDS = ("please", "!", ".", "pls", "thanks", "thank you", "!!", "?", "for me", "for my daughter", "if you can", "...")
IDLE = ("happy", "cute", "nice", "yummy", "lovely", "funny", "beautiful", "pretty", "cool", "shiny", "old", "new", "friendly",
        "tasty", "fresh", "silly", "simple", "good", "great", "real", "sweet", "amazing", "perfect", "magic", "fancy", "sad",
        "brave", "delicious", "single", "lonely", "strange", "scary", "fun", "awesome", "ordinary", "favourite", "classic")
SIZES = {"small": ("small", "little", "tiny", "very small", "mini", "wee", "really small", "teeny", "small-sized", "miniature"),
         "medium": ("medium-sized", "medium", "normal-sized", "average-sized", "mid-sized", "regular-sized", "medium size",
                    "normal size", "middle-sized"),
         "big": ("big", "large", "huge", "giant", "very big", "enormous", "really big", "great big", "very large", "massive")}
MIDDLE = ("in the middle", "in the centre", "in the center", "centred", "centered", "in the middle of the picture",
          "right in the middle", "at the centre", "at the center")
SIDES = {"left": ("left", "left-hand"), "right": ("right", "right-hand")}
GROUNDS = ("on a {} background", "on {}", "with a {} background", "{} background", "in front of a {} background",
           "against a {} background", "against {}", "on a {} backdrop", "with {} behind it", "over {}", "on top of {}",
           "with {} in the background", "background {}", "the background is {}", "in front of {}", "on a {} wall", "{} backdrop")
SHADES = ("bright", "plain", "solid", "nice", "simple", "all")
LOOKS = ("{} style", "in {} style", "in the {} style", "in the style of {}", "drawn in {} style", "{}", "like {}", "{}-style",
         "as in {}", "{} look", "style {}", "by {}", "the {} version", "using {} style")
THINGS = ("a thing", "something", "an object", "a thing", "any thing", "some thing", "anything")
COUNTS = {2: ("two", "2", "a pair of", "a couple of", "two", "two"), 3: ("three", "3", "three", "a trio of")}
SOME = ("some", "a few", "", "several", "many")  # used for two as well as for three
SPELLINGS = {"gray": ("gray", "grey")}


def say(facts: Facts, rng: random.Random) -> str:
    """One caption, in the words that `rng` (a random.Random) picks. Returns str."""
    keywords = rng.random() < 0.12
    parts = [thing(facts, rng, bare=keywords or rng.random() < 0.1)]
    parts += keyword_tail(facts, rng) if keywords else tail(facts, rng)
    return finish(", ".join(parts) if keywords else framed(parts, rng), rng)


def pick(options: Sequence[str], rng: random.Random, first: float = 0.0) -> str:
    """One of the options; the first with this probability, otherwise uniformly."""
    return options[0] if rng.random() < first else options[int(rng.random() * len(options))]


def thing(facts: Facts, rng: random.Random, bare: bool) -> str:
    """The noun phrase: "a tiny cat", "two cute cats", "an apple and a pear", "something big"; bare: without its article."""
    adjectives = [pick(SIZES[facts.size], rng, 0.4)] if facts.size else []
    adjectives = [pick(IDLE, rng), *adjectives] if rng.random() < 0.1 else adjectives
    if facts.said:
        return with_adjectives(facts.said, adjectives)
    if len(facts.names) > 1:
        return pick((" and ", " and ", " & ", " with ", " next to ", " plus "), rng, 0.5).join(
            name if bare else words.noun_phrase(name) for name in facts.names)
    if facts.count > 1:
        number = pick(SOME, rng) if rng.random() < 0.2 else pick(COUNTS[facts.count], rng, 0.4)
        return words.join(number, *adjectives, words.plural(facts.names[0]))
    name = facts.names[0]
    first = adjectives[0] if adjectives else name
    return words.join("" if bare or not words.article(name) else words.article(first), *adjectives, name)


def with_adjectives(said: str, adjectives: Sequence[str]) -> str:
    """Adjectives inserted into a noun phrase: "a big animal", "something big to wear"."""
    if not adjectives:
        return said
    head, _, rest = said.partition(" ")
    if head not in ("a", "an"):
        return words.join(head, *adjectives, rest)
    return words.join(words.article(adjectives[0]), *adjectives, rest)


def tail(facts: Facts, rng: random.Random) -> list[str]:
    """Place, background and style as they follow a sentence; sometimes shuffled."""
    place = where(facts.place, rng) if facts.place else ""
    ground = background(facts.colour, rng) if facts.colour else ""
    style = look(facts.style, rng) if facts.style else ""
    some = [part for part in (place, ground, style) if part]
    if rng.random() < 0.25:
        some.sort(key=lambda _: rng.random())
    return some


def keyword_tail(facts: Facts, rng: random.Random) -> list[str]:
    """The same as a list of keywords, as people write prompts: "blue background", "top left", "noto style"."""
    some = []
    if facts.place:
        some.append("centered" if facts.place == "centre" else facts.place)
    if facts.colour:
        some.append(f"{spelled(facts.colour, rng)} background")
    if facts.style:
        some.append(pick(("{} style", "{}", "style {}"), rng).format(facts.style))
    return sorted(some, key=lambda _: rng.random())


def where(place: str, rng: random.Random) -> str:
    """Words for a place: "at the left", "in the upper right corner"."""
    if rng.random() < 0.3:
        return words.place_phrase(place)[1:]
    if place == "centre":
        return pick(MIDDLE, rng)
    *vertical, last = place.split()
    if vertical:
        high = pick({"top": ("top", "upper"), "bottom": ("bottom", "lower")}[vertical[0]], rng)
        return pick(("in the {} {} corner", "in the {} {}", "at the {} {}", "{} {}", "{} {} corner", "on the {} {}"),
                    rng).format(high, last)
    if last in SIDES:
        return pick(("on the {} side", "on the {}", "at the {}", "to the {}", "{} side", "on the {} edge", "{}", "far {}",
                     "over on the {}"), rng).format(pick(SIDES[last], rng, 0.8) if rng.random() < 0.3 else last)
    up = "up" if last == "top" else "down"
    return pick(("at the {}", "near the {}", "{up} at the {}", "in the {} part", "{}", "{up} {}", "at the very {}", "on the {}"),
                rng).format(last, up=up)


def background(colour: str, rng: random.Random) -> str:
    """Words for the colour of the background; "grey" as well as "gray"."""
    colour = spelled(colour, rng)
    plain = words.join(pick(SHADES, rng), colour) if rng.random() < 0.05 else colour
    text = pick(GROUNDS, rng, 0.35).format(plain)
    return re.sub(r"\ba (?=[aeiou])", "an ", text)


def spelled(colour: str, rng: random.Random) -> str:
    return pick(SPELLINGS.get(colour, (colour,)), rng)


def look(style: str, rng: random.Random) -> str:
    return pick(LOOKS, rng, 0.4).format(style)


def framed(parts: Sequence[str], rng: random.Random) -> str:
    """The sentence around its parts: fillers before it, and sometimes a part that comes first."""
    first, *rest = parts
    ahead = rest.pop() + ("," if rng.random() < 0.7 else ":") if rest and rng.random() < 0.1 else ""
    asks = pick(ASKS, rng) if rng.random() < 0.2 else ""
    pictured = pick(PICTURES, rng) if rng.random() < 0.15 else ""
    text = first
    for part in rest:
        text += (", " if rng.random() < 0.25 or "style" in part else " ") + part
    return words.join(ahead, asks, pictured, text)


def finish(text: str, rng: random.Random) -> str:
    """The last step: an ending, capitals, a typo."""
    if rng.random() < 0.08:
        end = pick(ENDS, rng)
        text += end if not end[0].isalpha() else f" {end}"
    if rng.random() < 0.06:
        text = misspelled(text, rng)
    u = rng.random()
    if u < 0.02:
        return text.upper()
    return text[:1].upper() + text[1:] if u < 0.12 else text


def misspelled(text: str, rng: random.Random) -> str:
    """The text with a typo in one of its longer words: letters swapped, dropped, doubled, or replaced."""
    spans = [m.span() for m in re.finditer(r"[a-z]{4,}", text)]
    if not spans:
        return text
    low, high = spans[int(rng.random() * len(spans))]
    i = low + 1 + int(rng.random() * (high - low - 2))
    kind = int(rng.random() * 4)
    new = (text[i + 1] + text[i], text[i + 1], text[i] * 2 + text[i + 1], chr(97 + int(rng.random() * 26)) + text[i + 1])[kind]
    return text[:i] + new + text[i + 2:]


def vocabulary() -> set[str]:
    """Every word of the grammar itself, without the names of concepts: set of lower-case strings."""
    tables = (ASKS, PICTURES, ENDS, IDLE, MIDDLE, GROUNDS, SHADES, LOOKS, THINGS, SOME, *SIZES.values(), *COUNTS.values(),
              *SPELLINGS.values(), *SIDES.values(), words.COLOURS, words.STYLES, words.PLACES, words.COUNTS)
    more = "a an and with next to plus upper lower corner in the on at side edge far over up down near part very style medium-sized"
    more += "".join(f" {style}-style" for style in words.STYLES)
    return split(more) | {word for table in tables for text in table for word in split(text)}


def split(text: str) -> set[str]:
    """The lower-case words of a text."""
    return set(re.findall(r"[a-z0-9'-]+", text.lower()))
