"""Captioned pictures composed on demand: concept x style x colour x size x place x count.

    scenes = batch(64, seed=0)
    scenes.images      # (64, 3, 64, 64) in [-1, 1]
    scenes.captions    # "a small cat face at the left on a blue background, twemoji style", ...

The caption is exact, because the picture was made from the same numbers. Pairs that heldout.csv names never
appear unless they are asked for.
"""

from typing import NamedTuple

import torch

from ..errors import EduError
from . import words
from .world import world

PICTURE = 64
COLOURS, STYLES, SIZES, PLACES = list(words.COLOURS), list(words.STYLES), list(words.SIZES), list(words.PLACES)
ALL_STYLES = [*STYLES, words.NEW_STYLE]
P_SIZE = torch.tensor([0.15, 0.6, 0.25])  # small, medium, big
P_CENTRE = 0.75  # the rest is spread over the eight other places
GRID = 4  # things are moved by whole latent cells: a drawing then has one latent for each size, wherever it stands
PALETTE = torch.tensor(list(words.COLOURS.values())) / 127.5 - 1


class Spec(NamedTuple):
    """What is in each picture: LongTensors of shape (B,), indices into the lists of this module."""

    concept: torch.Tensor
    colour: torch.Tensor
    style: torch.Tensor
    size: torch.Tensor
    place: torch.Tensor
    count: torch.Tensor


class Scenes(NamedTuple):
    """images (B, 3, 64, 64) in [-1, 1]; masks (B, 1, 64, 64) bool, the sprite; captions; spec."""

    images: torch.Tensor
    masks: torch.Tensor
    captions: list
    spec: Spec


def batch(n, seed=0, tier="core", counts=(1,), held_out=(), styles=STYLES, usual=0.0, plain=False, unnamed=0.0):
    """n random scenes, the same for the same arguments on every machine.

    tier: "core", "wide" or "heldout". held_out: kinds of pairs of heldout.csv to draw as well, of ("colour",
    "style"). styles: which drawing styles. usual: this share of the scenes is drawn in the usual style whatever
    else is allowed, where that pair is not held out. plain: canonical captions that name everything; otherwise about a
    fifth is said in other words or left unsaid. unnamed: this share of the captions says "a thing" and not what it is.
    Returns Scenes.
    """
    rng = torch.Generator().manual_seed(seed)
    spec = draw_spec(n, rng, tier, counts, held_out, styles, usual)
    images, masks = render(spec, rng)
    return Scenes(images, masks, [say(spec, i, rng, plain, unnamed) for i in range(n)], spec)


def mixed(n, seed=0, wide=0.5, **more):
    """n scenes of which that share is drawn from the whole vocabulary and the others from the core alone; more: as in batch."""
    shares = {"core": (n - round(wide * n), seed), "wide": (round(wide * n), seed + 500_000_000)}
    one, *other = (batch(k, own, tier, **more) for tier, (k, own) in shares.items() if k)
    return one if not other else Scenes(torch.cat([one.images, other[0].images]), torch.cat([one.masks, other[0].masks]),
                                        one.captions + other[0].captions, Spec(*map(torch.cat, zip(one.spec, other[0].spec))))


def draw_spec(n, rng, tier="core", counts=(1,), held_out=(), styles=STYLES, usual=0.0):
    """Random attributes, uniform over what is allowed."""
    pool = world().tier(tier)
    concept = pool[torch.randint(len(pool), (n,), generator=rng)]
    free = torch.ones(len(world().concepts), len(ALL_STYLES), dtype=torch.bool)
    colour = _choose(world().colour_allowed | torch.tensor("colour" in held_out), concept, rng)
    free[:, :len(STYLES)] = world().style_allowed | torch.tensor("style" in held_out)
    wanted = torch.tensor([ALL_STYLES.index(s) for s in styles])
    style = wanted[_choose(free[:, wanted], concept, rng)]
    common = ALL_STYLES.index(words.USUAL_STYLE)
    style = torch.where((torch.rand(n, generator=rng) < usual) & free[concept, common], common, style)
    count = torch.tensor(counts)[torch.randint(len(counts), (n,), generator=rng)]
    size = torch.multinomial(P_SIZE, n, replacement=True, generator=rng)
    size = torch.where(count > 1, 0, size)
    moved = (torch.rand(n, generator=rng) > P_CENTRE) & (size < 2) & (count == 1)
    place = torch.where(moved, torch.randint(1, len(PLACES), (n,), generator=rng), 0)
    return Spec(concept, colour, style, size, place, count)


def _choose(allowed, concept, rng):
    """One allowed column for each concept."""
    weights = allowed[concept].float()
    if not weights.sum(1).all():
        raise EduError("Every pair asked for is held out: name it in held_out=, or ask for more styles.")
    return torch.multinomial(weights, 1, generator=rng)[:, 0]


def spec_of(rows):
    """The Spec of prompt rows (dicts with id, colour, style, size, place); an unsaid colour is the first, an unsaid style the usual one."""
    concept = torch.tensor([world().by_id[r["id"]].index for r in rows])
    colour = [COLOURS.index(r["colour"]) if r["colour"] else 0 for r in rows]
    style = [ALL_STYLES.index(r["style"] or words.USUAL_STYLE) for r in rows]
    size, place = [SIZES.index(r["size"]) for r in rows], [PLACES.index(r["place"]) for r in rows]
    return Spec(concept, *map(torch.tensor, (colour, style, size, place)), torch.ones(len(rows), dtype=torch.long))


def render(spec, rng=None):
    """Paint the scenes: images (B, 3, 64, 64) in [-1, 1] and masks (B, 1, 64, 64).

    rng jitters the background by up to 6 grey levels; None: the palette's colour itself.
    """
    images = _background(spec.colour, rng)
    masks = torch.zeros(len(images), 1, PICTURE, PICTURE, dtype=torch.bool)
    corners = _corners(spec)
    for k in range(int(spec.count.max())):
        _paste_copy(images, masks, spec, k, corners[:, k])
    return images, masks


def copies(spec):
    """The shape of each copy by itself, whatever covers it: (B, copies, 64, 64) bool."""
    masks = torch.zeros(int(spec.count.max()), len(spec.count), 1, PICTURE, PICTURE, dtype=torch.bool)
    corners = _corners(spec)
    for k, mask in enumerate(masks):
        _paste_copy(torch.zeros(len(mask), 3, PICTURE, PICTURE), mask, spec, k, corners[:, k])
    return masks[:, :, 0].transpose(0, 1)


def _background(colour, rng):
    flat = PALETTE[colour][:, :, None, None]
    if rng is not None:
        flat = flat + (torch.rand(len(flat), 3, 1, 1, generator=rng) - 0.5) * (12 / 127.5)
    return flat.clamp(-1, 1).repeat(1, 1, PICTURE, PICTURE)


def _corners(spec):
    """Top-left corner (y, x) of each copy: (B, copies, 2). Several copies stand side by side."""
    edge = torch.tensor(list(words.SIZES.values()))[spec.size]
    free = (PICTURE - edge) // 2
    shift = (torch.tensor(list(words.PLACES.values()))[spec.place] * free[:, None])[:, None].float()
    row = torch.arange(int(spec.count.max())) - (spec.count[:, None] - 1) / 2
    apart = torch.where(spec.count > 2, 17, 32)[:, None]
    zigzag = torch.where(spec.count[:, None] > 2, (row % 2 - 0.5) * 24, torch.zeros(()))
    shift = shift + torch.stack([row * apart, zigzag], dim=2)
    corner = free[:, None, None] + (shift / GRID).fix().long() * GRID
    return corner.flip(2).minimum((PICTURE - edge)[:, None, None]).clamp(min=0)


def _paste_copy(images, masks, spec, k, corner):
    """Paste the k-th copy of every scene that has so many at its corner (y, x), (B, 2), in place."""
    for style in spec.style.unique().tolist():
        for size in spec.size.unique().tolist():
            rows = ((spec.style == style) & (spec.size == size) & (spec.count > k)).nonzero()[:, 0]
            if len(rows):
                _paste(images, masks, rows, spec.concept[rows], corner[rows], ALL_STYLES[style], SIZES[size])


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


def say(spec, i, rng, plain=False, unnamed=0.0):
    """The caption of scene i. Unless plain: other names, other word orders, colour or the usual style left unsaid."""
    concept = world().concepts[int(spec.concept[i])]
    style = ALL_STYLES[spec.style[i]]
    u = torch.ones(4) if plain else torch.rand(4, generator=rng)
    name = concept.aliases[int(u[0] * 1e6) % len(concept.aliases)] if u[0] < 0.2 and concept.aliases else concept.name
    if unnamed and torch.rand(1, generator=rng) < unnamed:
        name = words.THING
    return words.caption(
        name, COLOURS[spec.colour[i]] if u[1] > 0.07 else "", SIZES[spec.size[i]], PLACES[spec.place[i]],
        "" if u[2] < 0.6 and style == words.USUAL_STYLE else style, int(spec.count[i]),
        template=0 if u[3] > 0.2 else 1 + int(u[3] * 1e6) % 3)
