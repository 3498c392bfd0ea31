"""Exact probabilities of the emoji world: the prior of every attribute, its habits, and the posterior given a prompt's words.

    P(scene) = P(concept) P(colour | concept) P(style | concept) P(size | concept) P(place | concept, size)

for a scene of one core concept. Concepts are equally likely; the rest is uniform except for SIZES, the centre, held-out
pairs, which never occur, and the habits of habits.csv. Big objects fill the picture, so they are centred.
"""

import functools
from typing import Any, NamedTuple

import torch

from . import words

SIZES = torch.tensor([0.2, 0.5, 0.3])  # small, medium, big
CENTRE = 0.4  # the rest is spread evenly over the eight other places
BIG = len(SIZES) - 1


class Priors(NamedTuple):
    """Rows of probabilities for every concept of the world, each summing to 1: (concepts, values)."""

    colour: torch.Tensor
    style: torch.Tensor
    size: torch.Tensor
    place: torch.Tensor  # of objects that are not big


VALUES = {"colour": list(words.COLOURS), "style": list(words.STYLES), "size": list(words.SIZES), "place": list(words.PLACES)}


@functools.cache
def priors(world: Any, held_out: tuple[str, ...] = ()) -> Priors:
    """The Priors of a World; held_out: kinds of held-out pairs to allow nevertheless, of ("colour", "style")."""
    n, places = len(world.concepts), len(words.PLACES)
    place = torch.tensor([CENTRE] + [(1 - CENTRE) / (places - 1)] * (places - 1))
    found = Priors(
        even(world.colour_allowed, "colour" in held_out),
        even(world.style_allowed, "style" in held_out),
        SIZES.repeat(n, 1),
        place.repeat(n, 1),
    )
    for habit in world.habits:
        table = getattr(found, habit["attribute"])
        row, i = world.by_id[habit["id"]].index, VALUES[habit["attribute"]].index(habit["value"])
        table[row] = leaning(table[row], i, float(habit["probability"]))
    return found


def even(allowed: torch.Tensor, all_of_them: bool) -> torch.Tensor:
    """Uniform probabilities over the allowed values: (concepts, values)."""
    weights = torch.ones(allowed.shape) if all_of_them else allowed.float()
    return weights / weights.sum(1, keepdim=True)


def leaning(p: torch.Tensor, i: int, chance: float) -> torch.Tensor:
    """p with this probability for the i-th value, and the others rescaled in proportion."""
    others = p * (1 - chance) / (1 - p[i])
    return torch.where(torch.arange(len(p)) == i, torch.tensor(chance), others)


@functools.cache
def joint(world: Any) -> torch.Tensor:
    """P(concept, colour, style, size, place) of one core object: (core, 10, 3, 3, 9), float64, summing to 1."""
    core = world.tier("core")
    colour, style, size, place = (table[core].double() for table in priors(world))
    where = place[:, None].repeat(1, len(SIZES), 1)
    where[:, BIG] = torch.eye(len(words.PLACES), dtype=torch.double)[0]
    apart = colour[:, :, None, None, None] * style[:, None, :, None, None]
    return apart * (size[:, :, None] * where)[:, None, None] / len(core)


def posterior(
    world: Any, name: str = "", category: str = "", colour: str = "", style: str = "", size: str = "", place: str = ""
) -> torch.Tensor:
    """P(scene | words): the joint weighted by the likelihood of these words for each scene; see conditional."""
    p = joint(world) * about(world, name, category)[:, None, None, None, None]
    for attribute, word, axis in (("colour", colour, 1), ("style", style, 2), ("size", size, 3), ("place", place, 4)):
        if word:
            fit = torch.tensor(fits(attribute, word), dtype=torch.double)
            p = p * fit.view([-1 if i == axis else 1 for i in range(5)])
    return p / p.sum()


def fits(attribute: str, word: str) -> list[float]:
    """P(word | value) for every value; the words for colours and styles are unambiguous."""
    if attribute in words.FITS:
        return words.likelihood(attribute, word)
    return [float(value == word) for value in VALUES[attribute]]


def about(world: Any, name: str, category: str) -> torch.Tensor:
    """P(what is said of the object | concept), up to a factor: (core,). A name, or without one a category, or "a thing"."""
    core = world.tier("core").tolist()
    if name:
        return torch.tensor([float(name in (c.name, *c.aliases)) for c in map(world.concepts.__getitem__, core)]).double()
    kinds = torch.tensor([1.0 + len(world.categories_of(i)) for i in core]).double()
    belongs = torch.isin(torch.tensor(core), world.members(category)) if category else torch.ones_like(kinds)
    return belongs / kinds


def conditional(world: Any, **said: str) -> dict[str, torch.Tensor]:
    """P(attribute | words) for every attribute, exactly: {"concept": (core,), "category": (categories,), "colour": (10,), ...}.

    P(a | words) = sum over scenes with a of P(words | scene) P(scene) / P(words); said: name, category, colour, style, size,
    place, as words ("big" is the word). A category's entry is the probability that the object belongs to it: these may
    add up to more than 1.
    """
    p = posterior(world, **said)
    axes = dict(zip(("concept", "colour", "style", "size", "place"), range(5), strict=True))
    found = {name: p.sum([i for i in range(5) if i != axis]) for name, axis in axes.items()}
    core = world.tier("core")
    belongs = torch.stack([torch.isin(core, world.members(name)) for name in world.categories]).double()
    return {name: row.float() for name, row in (found | {"category": belongs @ found["concept"]}).items()}


def sample(world: Any, n: int, rng: torch.Generator, **said: str) -> tuple[torch.Tensor, ...]:
    """n samples from the exact conditional: (concept, colour, style, size, place), LongTensors (n,)."""
    p = posterior(world, **said)
    cells = torch.multinomial(p.flatten(), n, replacement=True, generator=rng)
    found = list(torch.unravel_index(cells, p.shape))
    return world.tier("core")[found[0]], *found[1:]
