"""Which attributes of a scene a caption names, and which it leaves unspecified; phrases.py chooses the wording."""

import random
from collections.abc import Sequence
from typing import Any

import torch

from . import phrases, school, words
from .world import world

COLOURS = list(words.COLOURS)
SIZES = list(words.SIZES)
PLACES = list(words.PLACES)
STYLES = (*words.STYLES, words.NEW_STYLE)
NAMED = {"concept": 0.9, "colour": 0.7, "style": 0.5, "size": 0.5, "place": 0.5}  # the probability that a caption names each
CANONICAL = 0.2  # share of captions with the canonical wording


def say(
    spec: Any, i: int, rng: torch.Generator, plain: bool = False, always: Sequence[str] = (), unnamed: float | None = None
) -> str:
    """The caption of scene i. plain: the canonical sentence, which names everything; otherwise see phrases.py and NAMED.

    always: attributes that are always named. unnamed: the share of captions without a concept, if not NAMED's; this does
    not change what such a caption leaves unspecified, nor the probabilities of its meanings. Only core concepts may be
    unnamed; several objects are small and spread over the picture, and the caption says only how many there are.
    For a school class a caption that is refused, such as by a typing error, gives way to the canonical one.
    """
    u = torch.rand(7, generator=rng).tolist()
    chances = NAMED if unnamed is None else NAMED | {"concept": 1 - unnamed}
    named = {part for part, v in zip(chances, u) if plain or v < chances[part] or part in always}
    own = random.Random(int(u[5] * 2**24))
    facts = _facts(spec, i, named, plain, own)
    caption = _canonical(facts) if plain or u[6] < CANONICAL else phrases.say(facts, own)
    return caption if school.allowed([caption]) else _canonical(_facts(spec, i, {*named, "concept"}, True, own))


def _facts(spec, i, named, plain, own):
    """What the caption of scene i names, its words already chosen: phrases.Facts."""
    things = [world().concepts[int(x)] for x in (spec.concept[i], spec.other[i]) if x >= 0]
    count, alone = int(spec.count[i]), len(things) == 1 and int(spec.count[i]) == 1
    words_for = lambda part, values, v: values[v] if plain else words.choose_word(part, values[v], own.random())
    return phrases.Facts(
        tuple(thing.name if plain else _name(thing, own) for thing in things),
        count,
        words_for("size", SIZES, spec.size[i]) if alone and "size" in named else "",
        words_for("place", PLACES, spec.place[i]) if alone and "place" in named else "",
        COLOURS[spec.colour[i]] if "colour" in named else "",
        STYLES[spec.style[i]] if "style" in named else "",
        _unnamed(things[0], own) if alone and "concept" not in named and things[0].tier == "core" else "",
    )


def _name(concept, rng):
    """The word for a concept: in three of five cases its name, else one of its aliases."""
    return concept.name if not concept.aliases or rng.random() < 0.6 else phrases.pick(concept.aliases, rng)


def _unnamed(concept, rng):
    """One of its categories, or only that there is something; all equally likely."""
    kinds = ["", *world().categories_of(concept.index)]
    kind = phrases.pick(kinds, rng)
    return world().said[kind] if kind else phrases.pick(phrases.THINGS, rng, 0.3)


def _canonical(facts):
    """The canonical sentence of facts."""
    rest = facts.colour, facts.place, facts.style
    if facts.said:
        return words.sentence(phrases.with_adjectives(facts.said, [words.size_word(facts.size)] if facts.size else []), *rest)
    if len(facts.names) > 1:
        return words.sentence(" and ".join(map(words.noun_phrase, facts.names)), *rest)
    return words.sentence(words.noun_phrase(facts.names[0], facts.size, facts.count), *rest)
