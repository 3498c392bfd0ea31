"""Paste sprites onto a background of one colour: images, and the masks of their objects."""

import torch

from . import words
from .spec import ALL_STYLES, SIZES, Spec
from .world import world

PICTURE = 64
APART = 32  # pixels between the corners of neighbouring copies: more than their edge, so that they do not touch
GRID = 4  # objects are moved by whole latent cells: a sprite then has the same latent of a given size at every place
PALETTE = torch.tensor(list(words.COLOURS.values())) / 127.5 - 1


def render(spec: Spec, rng: torch.Generator | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Render the scenes: images (B, 3, 64, 64) in [-1, 1] and masks (B, 1, 64, 64).

    rng jitters the background by up to 6 grey levels; None: the exact palette colour.
    """
    images = _background(spec.colour, rng)
    masks = torch.zeros(len(images), 1, PICTURE, PICTURE, dtype=torch.bool)
    places = corners(spec)
    for k in range(int(_pieces(spec).max())):
        _paste_copy(images, masks, spec, k, places[:, k])
    return images, masks


def copies(spec: Spec) -> torch.Tensor:
    """The shape of each copy separately, ignoring occlusion: (B, copies, 64, 64) bool."""
    masks = torch.zeros(int(_pieces(spec).max()), len(spec.count), 1, PICTURE, PICTURE, dtype=torch.bool)
    places = corners(spec)
    for k, mask in enumerate(masks):
        _paste_copy(torch.zeros(len(mask), 3, PICTURE, PICTURE), mask, spec, k, places[:, k])
    return masks[:, :, 0].transpose(0, 1)


def _pieces(spec):
    """The number of objects of each picture: (B,)."""
    return torch.where(spec.other >= 0, 2, spec.count)


def _background(colour, rng):
    flat = PALETTE[colour][:, :, None, None]
    if rng is not None:
        flat = flat + (torch.rand(len(flat), 3, 1, 1, generator=rng) - 0.5) * (12 / 127.5)
    return flat.clamp(-1, 1).repeat(1, 1, PICTURE, PICTURE)


def corners(spec: Spec) -> torch.Tensor:
    """The top left corner (y, x) of each object: (B, objects, 2). Copies are side by side, two different objects opposite."""
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
