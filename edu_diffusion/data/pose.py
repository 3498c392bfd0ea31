"""Stick figures in random poses, with their keypoints: a domain that the base was not trained on.

    some = batch(64, seed=0)
    some.images       # (64, 3, 64, 64) in [-1, 1]
    some.captions     # "a stick figure with both arms up on a pink background", ...
    some.keypoints    # (64, 11, 2): (x, y) of POINTS, in pixels
    some.skeletons    # (64, 3, 64, 64) in [0, 1]: the bones on black, each in its own colour

Head, hands and feet have distinct colours, so that `find` can locate them in a generated image. Left and right
are the viewer's.
"""

import colorsys
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from . import words
from .arguments import check_batch
from .scenes import COLOURS, PALETTE, PICTURE

__all__ = ["BONES", "ENDS", "GROUNDS", "POINTS", "Figures", "batch", "dots", "draw", "ends", "find", "pose", "skeleton"]

POINTS = (
    "head",
    "neck",
    "hip",
    "left elbow",
    "left hand",
    "right elbow",
    "right hand",
    "left knee",
    "left foot",
    "right knee",
    "right foot",
)
BONES = ((1, 0), (1, 2), (1, 3), (3, 4), (1, 5), (5, 6), (2, 7), (7, 8), (2, 9), (9, 10))  # from, to
ENDS = {"head": "yellow", "left hand": "red", "right hand": "green", "left foot": "blue", "right foot": "purple"}
GROUNDS = ("white", "gray", "pink")  # colours of words.py that no end has
LENGTHS = {"neck": 8.0, "trunk": 14.0, "arm": 8.0, "leg": 9.0}  # pixels; an arm or leg consists of two such segments
HEAD = 5.0  # radius in pixels
DOT = 2.6  # radius in pixels
LIMB = 1.6  # half the width in pixels
BONE = 1.2  # half the width in pixels
RIM = 6  # margin around the figure, in pixels
HUES = [colorsys.hsv_to_rgb(i / len(BONES), 1, 1) for i in range(len(BONES))]


class Figures(NamedTuple):
    """images (B, 3, 64, 64) in [-1, 1]; captions; keypoints (B, 11, 2); skeletons (B, 3, 64, 64) in [0, 1]."""

    images: torch.Tensor
    captions: list
    keypoints: torch.Tensor
    skeletons: torch.Tensor


def batch(n: int, seed: int = 0) -> Figures:
    """n stick figures, the same for the same arguments on every machine. Returns Figures."""
    n, seed = check_batch(n, seed)
    rng = torch.Generator().manual_seed(seed)
    points = pose(n, rng)
    colour = torch.randint(len(GROUNDS), (n,), generator=rng)
    captions = [say(p, GROUNDS[c]) for p, c in zip(points, colour.tolist())]
    return Figures(draw(points, [GROUNDS[c] for c in colour.tolist()]), captions, points, skeleton(points))


def pose(n: int, rng: torch.Generator) -> torch.Tensor:
    """Random keypoints inside the picture: (n, 11, 2)."""

    def angle(low, high):  # measured from straight down, in radians
        return low + (high - low) * torch.rand(n, generator=rng)

    def step(start, turn, length):
        return start + length * torch.stack([turn.sin(), turn.cos()], 1)

    hip, lean = torch.zeros(n, 2), angle(-0.3, 0.3)
    neck = step(hip, math.pi + lean, LENGTHS["trunk"])
    points = [step(neck, math.pi + lean + angle(-0.3, 0.3), LENGTHS["neck"]), neck, hip]
    for start, length, far, bend in ((neck, LENGTHS["arm"], 2.8, 1.2), (hip, LENGTHS["leg"], 1.1, 0.6)):
        for side in (-1, 1):
            first = angle(0.2, far)
            joint = step(start, side * first, length)
            points += [joint, step(joint, side * (first + angle(-bend, bend)), length)]
    points = torch.stack(points, 1)
    low, high = points.amin(1, keepdim=True) - RIM, points.amax(1, keepdim=True) + RIM
    return points - low + (PICTURE - (high - low)).clamp(min=0) * torch.rand(n, 1, 2, generator=rng)


def say(points: torch.Tensor, ground: str) -> str:
    """The caption of one figure (11, 2): which arms are up, and the background colour."""
    up = [side for side in ("left", "right") if points[POINTS.index(f"{side} hand"), 1] < points[1, 1]]
    arms = {0: "arms down", 1: f"the {up[0]} arm up" if up else "", 2: "both arms up"}[len(up)]
    return f"a stick figure with {arms} on {words.article(ground)} {ground} background"


def draw(points: torch.Tensor, grounds: Sequence[str]) -> torch.Tensor:
    """Render figures: (B, 3, 64, 64) in [-1, 1]. points: (B, 11, 2). grounds: B colours of words.py."""
    images = PALETTE[[COLOURS.index(g) for g in grounds]][:, :, None, None].expand(-1, -1, PICTURE, PICTURE)
    ink = PALETTE[COLOURS.index("black")]
    images = paint(images, ink, line(points, LIMB).amax(1, keepdim=True))
    images = paint(images, ink, disc(points[:, 0], HEAD + 1))
    for name, colour in ENDS.items():
        radius = HEAD if name == "head" else DOT
        images = paint(images, PALETTE[COLOURS.index(colour)], disc(points[:, POINTS.index(name)], radius))
    return images


def skeleton(points: torch.Tensor) -> torch.Tensor:
    """The condition map of poses (B, 11, 2): bones in rainbow colours on black, (B, 3, 64, 64) in [0, 1]."""
    image = torch.zeros(len(points), 3, PICTURE, PICTURE)
    for hue, cover in zip(HUES, line(points, BONE).unbind(1)):
        image = paint(image, torch.tensor(hue), cover[:, None])
    return image


def dots(ends: torch.Tensor) -> torch.Tensor:
    """A map of the ends alone, each a dot in its colour: (B, 3, 64, 64) in [0, 1]. ends: (B, 5, 2), as from `find`."""
    image = torch.zeros(len(ends), 3, PICTURE, PICTURE)
    for i, colour in enumerate(ENDS.values()):
        image = paint(image, PALETTE[COLOURS.index(colour)] / 2 + 0.5, disc(ends[:, i], DOT))
    return image


def find(images: torch.Tensor) -> torch.Tensor:
    """Locate head, hands and feet in pictures of stick figures, by their colours: (B, 5, 2), (x, y) in the order of ENDS.

    images: (B, 3, 64, 64) in [-1, 1]. Every picture gets an answer; it is meaningful for stick figures only.
    """
    colours = PALETTE[[COLOURS.index(c) for c in ENDS.values()]].to(images)
    far = (images[:, None] - colours[:, :, None, None]).square().sum(2)
    like = torch.exp(-far / 0.18)  # (B, 5, H, W): 1 for an exact match
    thick = torch.nn.functional.avg_pool2d(like, 5, stride=1, padding=2)
    y, x = thick.flatten(2).argmax(2) // thick.shape[-1], thick.flatten(2).argmax(2) % thick.shape[-1]
    place = torch.stack([x, y], 2).float()
    near = (grid(images.shape[-1]).to(images) - place[..., None, None, :]).abs().amax(-1) <= HEAD
    weight = (like * near).flatten(2)
    spots = grid(images.shape[-1]).to(images).flatten(0, 1)
    return weight @ spots / weight.sum(2, keepdim=True).clamp(min=1e-6)


def ends(points: torch.Tensor) -> torch.Tensor:
    """The keypoints that `find` looks for, in its order: (B, 5, 2)."""
    return points[:, [POINTS.index(name) for name in ENDS]]


def grid(edge: int) -> torch.Tensor:
    """(x, y) of every pixel: (edge, edge, 2)."""
    span = torch.arange(edge, dtype=torch.float32)
    return torch.stack(torch.meshgrid(span, span, indexing="xy"), -1)


def line(points: torch.Tensor, half: float) -> torch.Tensor:
    """Coverage of each pixel by every bone, 0 to 1: (B, bones, 64, 64). half: half the width of a bone."""
    (ax, ay), (bx, by) = ([points[:, [bone[end] for bone in BONES], None, None, i] for i in (0, 1)] for end in (0, 1))
    wide, high = bx - ax, by - ay
    x, y = grid(PICTURE)[0, :, 0] - ax, grid(PICTURE)[:, :1, 1] - ay
    length = (wide.square() + high.square()).clamp(min=1e-6)
    part = (x * (wide / length) + y * (high / length)).clamp(0, 1)  # position of the nearest point along the bone
    away = (x - part * wide).square() + (y - part * high).square()
    return (half + 0.5 - away.sqrt()).clamp(0, 1)


def disc(centre: torch.Tensor, radius: float) -> torch.Tensor:
    """Coverage of each pixel by a disc, 0 to 1: (B, 1, 64, 64). centre: (B, 2)."""
    away = (grid(PICTURE) - centre[:, None, None]).norm(dim=-1)
    return (radius + 0.5 - away).clamp(0, 1)[:, None]


def paint(images: torch.Tensor, colour: torch.Tensor, cover: torch.Tensor) -> torch.Tensor:
    """Blend a colour (3,) over images (B, 3, H, W) with the opacity cover (B, 1, H, W)."""
    return images + cover * (colour[:, None, None].to(images) - images)
