"""Condition maps: a ControlNet's input beside the prompt. All are (B, 3, H, W) in [0, 1] on a black background.

    canny           the lines where the colour changes most
    segmentation    the object's shape, in the colour of its category
    depth           the object's shape, brighter where nearer
    pose            the bones of a stick figure, each in its own colour (drawn in stick.py)

    some = batch("canny", 64, seed=0)
    some.images, some.captions, some.conditions

For training they are computed from the scene's parameters, so they are exact. `of_pictures` estimates them from any
picture on a plain background; this is how a generated image is compared with its condition.
"""

from typing import Any, NamedTuple

import torch

from ..errors import EduError
from . import pose, scenes
from .canny import canny, grow
from .world import world

__all__ = [
    "CATEGORIES",
    "KINDS",
    "Conditioned",
    "batch",
    "canny",
    "depth",
    "foreground",
    "of_pictures",
    "of_scenes",
    "segmentation",
]

KINDS = ("canny", "segmentation", "depth", "pose")
CATEGORIES = {  # the colour of each in a segmentation map, in [0, 1]
    "animals": (0.84, 0.37, 0.0),
    "food": (0.0, 0.62, 0.45),
    "objects": (0.0, 0.45, 0.7),
    "travel": (0.34, 0.71, 0.91),
    "activities": (0.8, 0.47, 0.65),
    "smileys": (0.94, 0.89, 0.26),
    "people": (0.9, 0.62, 0.0),
}
SHADES = torch.tensor(list(CATEGORIES.values()))
SEEN = 0.25  # a pixel belongs to an object if a channel differs by more from the background's, in units of [-1, 1]
FRAME = 2  # width in pixels of the border that determines the background colour


class Conditioned(NamedTuple):
    """images (B, 3, 64, 64) in [-1, 1]; captions; conditions (B, 3, 64, 64) in [0, 1]."""

    images: torch.Tensor
    captions: list
    conditions: torch.Tensor


def batch(kind: str, n: int, seed: int = 0, tier: str = "core", **more: Any) -> Conditioned:
    """n random pictures with captions and condition maps, the same for the same arguments on every machine.

    kind: one of KINDS. tier and more: as for scenes.batch; ignored for the stick figures of "pose".
    Returns Conditioned.
    """
    if known(kind) == "pose":
        some = pose.batch(n, seed)
        return Conditioned(some.images, some.captions, some.skeletons)
    some = scenes.batch(n, seed, tier, **more)
    return Conditioned(some.images, some.captions, of_scenes(kind, some))


def of_scenes(kind: str, some: scenes.Scenes) -> torch.Tensor:
    """The condition maps of scenes, from their parameters. kind: "canny", "segmentation" or "depth"."""
    if known(kind) == "canny":
        return canny(some.images)
    if kind == "pose":
        raise EduError("Scenes have no pose; use the stick figures of batch('pose', ...).")
    return depth(some.spec) if kind == "depth" else segmentation(some.masks, some.spec)


def of_pictures(kind: str, images: torch.Tensor) -> torch.Tensor:
    """The condition maps estimated from any pictures (B, 3, H, W) in [-1, 1] on a plain background.

    A picture does not reveal its category, so objects are white in "segmentation". Of a pose only the coloured ends
    of stick.py's figures are found, so the result has dots and no bones.
    """
    if known(kind) == "canny":
        return canny(images)
    if kind == "pose":
        return pose.dots(pose.find(images))
    mask = foreground(images)
    return (mask if kind == "segmentation" else nearness(mask) * mask).float().repeat(1, 3, 1, 1)


def known(kind: str) -> str:
    """Return kind, or raise EduError."""
    if kind not in KINDS:
        raise EduError(f"There is no condition {kind!r}; the conditions are {', '.join(KINDS)}.")
    return kind


def segmentation(masks: torch.Tensor, spec: scenes.Spec) -> torch.Tensor:
    """Objects in the colour of their category: (B, 3, H, W). masks: (B, 1, H, W) bool. spec: of the scenes."""
    names = [world().concepts[i].category for i in spec.concept.tolist()]
    shade = SHADES[[list(CATEGORIES).index(name) for name in names]]
    return masks * shade[:, :, None, None]


def depth(spec: scenes.Spec) -> torch.Tensor:
    """Objects in grey, brighter where nearer: (B, 3, H, W). As on a floor, what reaches lower is nearer.

    A big object in the centre reaches lower than a small one, and one at the bottom lower than one at the top.
    """
    shapes = scenes.copies(spec)
    low = torch.stack([lowest(shapes[:, k : k + 1]) for k in range(shapes.shape[1])], 1)[..., None, None]
    return (shapes * low).amax(1, keepdim=True).repeat(1, 3, 1, 1)


def lowest(mask: torch.Tensor) -> torch.Tensor:
    """The nearness of a mask (B, 1, H, W), by its lowest row: (B,), 0 where it is empty."""
    return (mask.any(-1)[:, 0] * floor(mask.shape[-2])).amax(1)


def nearness(mask: torch.Tensor) -> torch.Tensor:
    """The nearness of the connected component that each pixel of a mask (B, 1, H, W) belongs to: (B, 1, H, W), 0 outside."""
    near = mask * floor(mask.shape[-2]).to(mask.device)[:, None]
    while True:
        wider = torch.nn.functional.max_pool2d(near, 3, stride=1, padding=1) * mask
        if torch.equal(wider, near):
            return near
        near = wider


def floor(high: int) -> torch.Tensor:
    """The nearness of each row of a picture: 1 at the bottom, close to 0 at the top; squared, for visible contrast."""
    return torch.linspace(1 / high, 1, high).square()


def foreground(images: torch.Tensor) -> torch.Tensor:
    """Where objects are: everything that the background colour, flood-filled from the border, does not reach. (B, 1, H, W) bool."""
    rim = torch.ones_like(images[:, :1], dtype=torch.bool)
    rim[..., FRAME:-FRAME, FRAME:-FRAME] = False
    edge = rim[0, 0].nonzero().T
    ground = images[:, :, edge[0], edge[1]].median(dim=2).values[:, :, None, None]
    plain = (images - ground).abs().amax(1, keepdim=True) <= SEEN
    return ~grow(plain & rim, plain)
