"""Images of scenes, composed on the device: pixel for pixel what data/scenes.py renders.

A Layout says where each sprite goes; the corners come from the world's own code. Every sprite is stored in the top
left corner of a 64 x 64 cell that is transparent elsewhere, so moving it to its corner is a roll.
"""

from typing import NamedTuple

import torch

from edu_diffusion.data import compositing, scenes, words
from edu_diffusion.data.world import world

THINGS = 3  # at most so many in a picture
JITTER = 12 / 127.5  # range of the background's random shift


class Layout(NamedTuple):
    """Scenes in the composer's format: LongTensors, the first dimension being the scenes."""

    things: torch.Tensor  # (B, K) concepts; -1 is none
    corners: torch.Tensor  # (B, K, 2), each thing's top left corner (y, x)
    style: torch.Tensor  # (B,) like all that follow
    size: torch.Tensor
    colour: torch.Tensor
    place: torch.Tensor

    def take(self, rows):
        """The Layout of some of the scenes."""
        return Layout(*(field[rows] for field in self))


def layout_of(spec):
    """The Layout of a scenes.Spec."""
    order = torch.arange(THINGS)
    two = spec.other[:, None] >= 0
    things = torch.where(two & (order == 1), spec.other[:, None], spec.concept[:, None])
    things = torch.where(order < torch.where(two, 2, spec.count[:, None]), things, -1)
    corners = compositing.corners(spec)
    corners = torch.nn.functional.pad(corners, (0, 0, 0, THINGS - corners.shape[1]))
    return Layout(things, corners, spec.style, spec.size, spec.colour, spec.place)


def drawings(device, styles=scenes.STYLES):
    """Every sprite in every style and size: (styles, sizes, concepts, 64, 64, 4) uint8, colour times alpha, then alpha."""
    edge, n = scenes.PICTURE, len(world().concepts)
    cells = torch.zeros(len(styles), len(scenes.SIZES), n, edge, edge, 4, dtype=torch.uint8, device=device)
    for s, style in enumerate(styles):
        for z, size in enumerate(words.SIZES.values()):
            cells[s, z, :, :size, :size] = world().sprites(style, size).permute(0, 2, 3, 1).to(device)
    return cells


def grounds(colour, rng=None):
    """Background colours (B, 3) in [-1, 1] of palette indices (B,), jittered by the generator `rng` of their device."""
    flat = scenes.PALETTE.to(colour.device)[colour]
    if rng is not None:
        flat = flat + (torch.rand(flat.shape, generator=rng, device=flat.device) - 0.5) * JITTER
    return flat.clamp(-1, 1)


def compose(cells, layout, ground):
    """Render scenes: images (B, 3, 64, 64) in [-1, 1] and masks (B, 1, 64, 64) bool. ground: (B, 3)."""
    edge = scenes.PICTURE
    images = ground[:, :, None, None].repeat(1, 1, edge, edge)
    masks = torch.zeros(len(images), 1, edge, edge, dtype=torch.bool, device=images.device)
    for k in range(layout.things.shape[1]):
        colour, alpha = moved(cells, layout, k)
        images = 2 * colour - alpha + (1 - alpha) * images
        masks |= alpha > 0.5
    return images, masks


def moved(cells, layout, k):
    """The k-th object of every scene in its place: colour times alpha (B, 3, 64, 64), and alpha (B, 1, 64, 64)."""
    at = torch.arange(scenes.PICTURE, device=cells.device)
    y, x = ((at - layout.corners[:, k, axis, None]) % scenes.PICTURE for axis in (0, 1))
    which = (layout.style, layout.size, layout.things[:, k].clamp(min=0))
    drawn = cells[(*(i[:, None, None] for i in which), y[:, :, None], x[:, None, :])]
    drawn = drawn.float() / 255 * (layout.things[:, k] >= 0)[:, None, None, None]
    drawn = drawn.permute(0, 3, 1, 2)
    return drawn[:, :3], drawn[:, 3:]
