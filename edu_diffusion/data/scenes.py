"""Captioned pictures composed on demand: concept x style x colour x size x place, sometimes with more than one object.

    scenes = batch(64, seed=0)
    scenes.images      # (64, 3, 64, 64) in [-1, 1]
    scenes.captions    # "a tiny cat on blue", "please draw a pear at the bottom, noto style", ...

Every attribute is sampled first, as chances.py says; then the caption names each with its own probability (NAMED). What
it leaves unspecified has no default. Pairs in heldout.csv never appear unless they are asked for.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from ..errors import EduError
from . import chances, school
from .arguments import check_batch
from .captions import NAMED, say
from .compositing import GRID, PALETTE, PICTURE, copies, render
from .spec import ALL_STYLES, COLOURS, PLACES, SIZES, STYLES, Spec, spec_of
from .world import world

__all__ = [
    "ALL_STYLES",
    "COLOURS",
    "GRID",
    "MANY",
    "NAMED",
    "PALETTE",
    "PICTURE",
    "PLACES",
    "SIZES",
    "STYLES",
    "Scenes",
    "Spec",
    "batch",
    "copies",
    "draw_spec",
    "mixed",
    "render",
    "say",
    "spec_of",
]

MANY = 0.2  # share of training scenes with more than one object: half of them copies, half two different objects


class Scenes(NamedTuple):
    """images (B, 3, 64, 64) in [-1, 1]; masks (B, 1, 64, 64) bool, the objects; captions; spec."""

    images: torch.Tensor
    masks: torch.Tensor
    captions: list
    spec: Spec


def batch(
    n: int,
    seed: int = 0,
    tier: str = "core",
    counts: Sequence[int] = (1,),
    held_out: Sequence[str] = (),
    styles: Sequence[str] = STYLES,
    many: float = 0.0,
    plain: bool = False,
    always: Sequence[str] = (),
) -> Scenes:
    """n random scenes, the same for the same arguments on every machine.

    tier: "core", "wide" or "heldout". counts: possible numbers of copies. held_out: kinds of pairs of heldout.csv to include,
    of ("colour", "style"). styles: which drawing styles. many: share of the scenes with more than one object.
    plain: canonical captions that name everything. always: what every caption names, of NAMED. Returns Scenes.
    """
    n, seed = check_batch(n, seed)
    rng = torch.Generator().manual_seed(seed)
    spec = draw_spec(n, rng, tier, counts, held_out, styles, many)
    images, masks = render(spec, rng)
    return Scenes(images, masks, [say(spec, i, rng, plain, always) for i in range(n)], spec)


def mixed(n: int, seed: int = 0, wide: float = 0.5, **more: Any) -> Scenes:
    """n scenes, a share `wide` of them from the whole vocabulary and the others from the core alone; more: as in batch."""
    n, seed = check_batch(n, seed)
    n = int(n)
    shares = {"core": (n - round(wide * n), seed), "wide": (round(wide * n), seed + 500_000_000)}
    one, *other = (batch(k, own, tier, **more) for tier, (k, own) in shares.items() if k)
    return (
        one
        if not other
        else Scenes(
            torch.cat([one.images, other[0].images]),
            torch.cat([one.masks, other[0].masks]),
            one.captions + other[0].captions,
            Spec(*map(torch.cat, zip(one.spec, other[0].spec))),
        )
    )


def draw_spec(
    n: int,
    rng: torch.Generator,
    tier: str = "core",
    counts: Sequence[int] = (1,),
    held_out: Sequence[str] = (),
    styles: Sequence[str] = STYLES,
    many: float = 0.0,
) -> Spec:
    """Random attributes, sampled from the world's priors."""
    pool, prior = _allowed(world().tier(tier)), chances.priors(world(), tuple(held_out))
    concept = pool[torch.randint(len(pool), (n,), generator=rng)]
    colour = _choose(prior.colour, concept, rng)
    style = _choose_style(prior.style, styles, concept, rng)
    size, place = _choose(prior.size, concept, rng), _choose(prior.place, concept, rng)
    place = torch.where(size == chances.BIG, 0, place)
    count = torch.tensor(counts)[torch.randint(len(counts), (n,), generator=rng)]
    spec = _several(Spec(concept, colour, style, size, place, count, torch.full((n,), -1)), pool, prior, many, rng)
    alone = (spec.count == 1) & (spec.other < 0)
    return spec._replace(size=torch.where(alone, size, 0), place=torch.where(spec.count == 1, spec.place, 0))


def _allowed(pool):
    """The concepts to choose from: for a school class the next one in place of a listed one, so that other scenes stay the same."""
    if not school.on():
        return pool
    listed = school.excluded()
    free = torch.tensor([i for i in pool.tolist() if world().concepts[i].id not in listed])
    return free[torch.searchsorted(free, pool).clamp(max=len(free) - 1)]


def _choose(weights, concept, rng):
    """One sample per concept, from its row of weights."""
    if not weights[concept].sum(1).all():
        raise EduError("Every requested pair is held out: name its kind in held_out=, or ask for more styles.")
    return torch.multinomial(weights[concept], 1, generator=rng)[:, 0]


def _choose_style(weights, styles, concept, rng):
    """The same for the requested drawing styles; the new one is allowed for every concept."""
    wanted = torch.tensor([ALL_STYLES.index(s) for s in styles])
    free = torch.cat([weights, torch.ones(len(weights), 1)], dim=1)
    return wanted[_choose(free[:, wanted], concept, rng)]


def _several(spec, pool, prior, many, rng):
    """Give this share of the scenes two or three copies, or two different objects side by side, of pairs that are not held out."""
    if not many:
        return spec
    u, n = torch.rand(len(spec.concept), generator=rng), len(spec.concept)
    copies = 2 + (torch.rand(n, generator=rng) < 0.5).long()
    other = pool[torch.randint(len(pool), (n,), generator=rng)]
    styles = torch.cat([prior.style, torch.ones(len(prior.style), 1)], dim=1)
    fine = (other != spec.concept) & (prior.colour[other, spec.colour] > 0) & (styles[other, spec.style] > 0)
    paired = (u > 1 - many / 2) & fine
    side = 1 + torch.randint(4, (n,), generator=rng)
    return spec._replace(
        count=torch.where(u < many / 2, copies, spec.count),
        other=torch.where(paired, other, -1),
        place=torch.where(paired, side, spec.place),
    )
