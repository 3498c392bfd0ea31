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
from . import chances, school, words
from .arguments import check_batch
from .captions import NAMED, say
from .world import world

__all__ = [
    "ALL_STYLES",
    "COLOURS",
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

PICTURE = 64
COLOURS = list(words.COLOURS)
STYLES = list(words.STYLES)
SIZES = list(words.SIZES)
PLACES = list(words.PLACES)
ALL_STYLES = [*STYLES, words.NEW_STYLE]
APART = 32  # pixels between the corners of neighbouring copies: more than their edge, so that they do not touch
GRID = 4  # objects are moved by whole latent cells: a sprite then has the same latent of a given size at every place
PALETTE = torch.tensor(list(words.COLOURS.values())) / 127.5 - 1
MANY = 0.2  # share of training scenes with more than one object: half of them copies, half two different objects


class Spec(NamedTuple):
    """The content of each picture: LongTensors of shape (B,), indices into the lists of this module.

    count: copies of the object, 1 to 3. other: a second, different object, or -1; then place is that of the first one, and
    the other is placed opposite.
    """

    concept: torch.Tensor
    colour: torch.Tensor
    style: torch.Tensor
    size: torch.Tensor
    place: torch.Tensor
    count: torch.Tensor
    other: torch.Tensor


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


def spec_of(rows: Sequence[dict]) -> Spec:
    """The Spec of prompt rows (dicts with id, colour, style, size, place; count and other where there are any).

    Unspecified attributes get a placeholder for rendering, which is not the right answer: white, twemoji, medium, centre.
    """
    index = lambda id: world().by_id[id].index if id else -1
    concept, other = ([index(r.get(key, "")) for r in rows] for key in ("id", "other"))
    colour, size = [COLOURS.index(r["colour"] or "white") for r in rows], [SIZES.index(r["size"] or "medium") for r in rows]
    style, place = [ALL_STYLES.index(r["style"] or "twemoji") for r in rows], [PLACES.index(r["place"] or "centre") for r in rows]
    count = [int(r.get("count") or 1) for r in rows]
    several = [c > 1 or o >= 0 for c, o in zip(count, other)]
    size = [0 if s else v for s, v in zip(several, size)]
    place = [1 if o >= 0 and not p else p for o, p in zip(other, place)]
    return Spec(*map(torch.tensor, (concept, colour, style, size, place, count, other)))


def render(spec: Spec, rng: torch.Generator | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Render the scenes: images (B, 3, 64, 64) in [-1, 1] and masks (B, 1, 64, 64).

    rng jitters the background by up to 6 grey levels; None: the exact palette colour.
    """
    images = _background(spec.colour, rng)
    masks = torch.zeros(len(images), 1, PICTURE, PICTURE, dtype=torch.bool)
    corners = _corners(spec)
    for k in range(int(_pieces(spec).max())):
        _paste_copy(images, masks, spec, k, corners[:, k])
    return images, masks


def copies(spec: Spec) -> torch.Tensor:
    """The shape of each copy separately, ignoring occlusion: (B, copies, 64, 64) bool."""
    masks = torch.zeros(int(_pieces(spec).max()), len(spec.count), 1, PICTURE, PICTURE, dtype=torch.bool)
    corners = _corners(spec)
    for k, mask in enumerate(masks):
        _paste_copy(torch.zeros(len(mask), 3, PICTURE, PICTURE), mask, spec, k, corners[:, k])
    return masks[:, :, 0].transpose(0, 1)


def _pieces(spec):
    """The number of objects of each picture: (B,)."""
    return torch.where(spec.other >= 0, 2, spec.count)


def _background(colour, rng):
    flat = PALETTE[colour][:, :, None, None]
    if rng is not None:
        flat = flat + (torch.rand(len(flat), 3, 1, 1, generator=rng) - 0.5) * (12 / 127.5)
    return flat.clamp(-1, 1).repeat(1, 1, PICTURE, PICTURE)


def _corners(spec):
    """Top-left corner (y, x) of each object: (B, objects, 2). Copies are side by side, two different objects opposite."""
    edge = torch.tensor(list(words.SIZES.values()))[spec.size]
    free, n = (PICTURE - edge) // 2, int(_pieces(spec).max())
    shift = (torch.tensor(list(words.PLACES.values()))[spec.place] * free[:, None])[:, None].float()
    opposite = torch.where((spec.other >= 0)[:, None] & (torch.arange(n) == 1), -1, 1)[:, :, None]
    row = torch.arange(n) - (spec.count[:, None] - 1) / 2
    apart = torch.where(spec.count > 2, APART / 2, torch.where(spec.count > 1, APART, 0))[:, None]
    zigzag = torch.where(spec.count[:, None] > 2, (row % 2 - 0.5) * APART, torch.zeros(()))
    shift = shift * opposite + torch.stack([row * apart, zigzag], dim=2)
    corner = free[:, None, None] + (shift / GRID).fix().long() * GRID
    return corner.flip(2).minimum((PICTURE - edge)[:, None, None]).clamp(min=0)


def _paste_copy(images, masks, spec, k, corner):
    """Paste the k-th object of every scene that has one at its corner (y, x), (B, 2), in place."""
    concept = torch.where((spec.other >= 0) & torch.tensor(k == 1), spec.other, spec.concept)
    for style in spec.style.unique().tolist():
        for size in spec.size.unique().tolist():
            rows = ((spec.style == style) & (spec.size == size) & (_pieces(spec) > k)).nonzero()[:, 0]
            if len(rows):
                _paste(images, masks, rows, concept[rows], corner[rows], ALL_STYLES[style], SIZES[size])


def _paste(images, masks, rows, concept, corner, style, size):
    """Alpha-composite sprites of one style and size onto images[rows], in place."""
    edge = words.SIZES[size]
    sprite = world().sprites(style, edge)[concept].float() / 255
    span = torch.arange(edge)
    y = (corner[:, 0, None] + span)[:, :, None].expand(-1, edge, edge)
    x = (corner[:, 1, None] + span)[:, None, :].expand(-1, edge, edge)
    where = (rows[:, None, None].expand_as(y), slice(None), y, x)
    colour, alpha = sprite[:, :3].permute(0, 2, 3, 1), sprite[:, 3:].permute(0, 2, 3, 1)
    images[where] = 2 * colour - alpha + (1 - alpha) * images[where]
    masks[where] |= alpha > 0.5
