"""Eight shapes that look hand-drawn: conditions that belong to no scene, so that no caption helps to guess them.

    masks("circle")            # (1, 1, 64, 64) bool, the filled shape
    filled(["star", "bar"])    # (2, 3, 64, 64) in [0, 1], a condition of the kind "segmentation"
    outline()                  # (8, 3, 64, 64) in [0, 1], all of NAMES as conditions of the kind "canny"

Each shape is a closed polygon in the centre of the picture, 36 to 44 pixels wide. A deterministic wobble moves its
outline by up to about a pixel, so that no line is perfectly straight.
"""

import math
from collections.abc import Sequence

import torch

from ..errors import EduError
from .conditions import CATEGORIES
from .scenes import PICTURE

__all__ = ["CONDITIONS", "NAMES", "filled", "masks", "outline"]

RADIUS = 20.0  # pixels per unit of the outlines below
WOBBLE = {2: 0.7, 3: 0.6, 7: 0.3}  # waves along the outline, and their amplitudes in pixels
POINTS = 240  # on an outline
CATEGORY = "objects"  # a filled shape has this category's colour


def masks(names: str | Sequence[str] | None = None) -> torch.Tensor:
    """The filled shapes: (B, 1, 64, 64) bool. names: one of NAMES or a list of them; None: all."""
    return torch.stack([inside(wobbled(along(SHAPES[name]()), NAMES.index(name)))[None] for name in known(names)])


def filled(names: str | Sequence[str] | None = None) -> torch.Tensor:
    """The shapes in the colour of a category, on black, like a segmentation map: (B, 3, 64, 64). names: as in masks."""
    return masks(names) * torch.tensor(CATEGORIES[CATEGORY])[:, None, None]


def outline(names: str | Sequence[str] | None = None) -> torch.Tensor:
    """The shapes' outermost pixels, white on black: closed lines, one pixel wide, (B, 3, 64, 64). names: as in masks.

    Canny's detector would leave gaps at sharp corners.
    """
    shape = masks(names)
    inner = [shape.roll(move, dim) for move in (1, -1) for dim in (2, 3)]  # shapes do not touch the border
    return (shape & ~torch.stack(inner).all(0)).float().repeat(1, 3, 1, 1)


def known(names: str | Sequence[str] | None) -> list[str]:
    """The names as a list. Raises EduError for an unknown one."""
    names = [names] if isinstance(names, str) else list(NAMES if names is None else names)
    for name in names:
        if name not in SHAPES:
            raise EduError(f"There is no shape {name!r}; the shapes are {', '.join(NAMES)}.")
    return names


# ---------------------------------------------------------------- outlines: (x, y) in units of RADIUS, y downwards


def circle() -> torch.Tensor:
    return arc(0, 1)


def square() -> torch.Tensor:
    return torch.tensor([(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)])


def triangle() -> torch.Tensor:
    return torch.tensor([(0, -1), (1.05, 0.85), (-1.05, 0.85)])


def star() -> torch.Tensor:
    """Five points: the corners of two pentagons, alternating."""
    return arc(0, 1, 11)[:10] * torch.tensor([1.1, 0.47] * 5)[:, None] + torch.tensor([0, 0.1])


def heart() -> torch.Tensor:
    """x = 16 sin^3 a, y = 13 cos a - 5 cos 2a - 2 cos 3a - cos 4a, rescaled."""
    a = angles(0, 1)
    y = 13 * a.cos() - 5 * (2 * a).cos() - 2 * (3 * a).cos() - (4 * a).cos()
    return torch.stack([a.sin() ** 3, -(y + 2.5) / 15], 1)


def cross() -> torch.Tensor:
    """The three corners of the upper arm, rotated by zero, one, two and three quarter turns."""
    arm = torch.tensor([(-0.35, -1), (0.35, -1), (0.35, -0.35)])
    return torch.cat([arm @ torch.tensor([(c, s), (-s, c)]) for c, s in ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))])


def crescent() -> torch.Tensor:
    """Most of a circle, and back along a smaller one to the right."""
    return torch.cat([arc(0.37, 1.13), 0.71 * arc(0.05, -0.55) + torch.tensor([0.51, 0])]) + torch.tensor([0.13, 0])


def bar() -> torch.Tensor:
    return torch.tensor([(-1.05, -0.4), (1.05, -0.4), (1.05, 0.4), (-1.05, 0.4)])


def arc(start: float, end: float, n: int = POINTS) -> torch.Tensor:
    """n points of the unit circle, clockwise from the top: (n, 2). start, end: in whole turns."""
    a = angles(start, end, n)
    return torch.stack([a.sin(), -a.cos()], 1)


def angles(start: float, end: float, n: int = POINTS) -> torch.Tensor:
    """n angles in radians. start, end: in whole turns."""
    return 2 * math.pi * torch.linspace(start, end, n)


SHAPES = {shape.__name__: shape for shape in (circle, square, triangle, star, heart, cross, crescent, bar)}
NAMES = tuple(SHAPES)
CONDITIONS = {"canny": outline, "segmentation": filled}  # kind: the function that draws it


# ---------------------------------------------------------------- from outline to pixels


def along(corners: torch.Tensor, n: int = POINTS) -> torch.Tensor:
    """n points at equal distances along a closed polygon: (k, 2) -> (n, 2), in units of RADIUS."""
    closed = torch.cat([corners, corners[:1]])
    length = torch.cat([torch.zeros(1), (closed[1:] - closed[:-1]).norm(dim=1).cumsum(0)])
    where = length[-1] * torch.arange(n) / n
    i = (torch.searchsorted(length, where, right=True) - 1).clamp(0, len(corners) - 1)
    part = (where - length[i]) / (length[i + 1] - length[i]).clamp(min=1e-9)
    return closed[i] + part[:, None] * (closed[i + 1] - closed[i])


def wobbled(points: torch.Tensor, number: int) -> torch.Tensor:
    """Points (n, 2) in pixels, moved by a sum of slow waves; number: the index of the shape, which sets the phase of its waves."""
    s = torch.arange(len(points)) / len(points)
    waves = [
        [high * torch.sin(2 * math.pi * (k * s + 0.37 * k * (number + 1) + turn)) for k, high in WOBBLE.items()]
        for turn in (0, 0.3)
    ]
    return RADIUS * points + torch.stack([sum(some) for some in waves], 1) + (PICTURE - 1) / 2


def inside(points: torch.Tensor) -> torch.Tensor:
    """The pixels inside a closed polygon (n, 2): (64, 64) bool. A ray to the right crosses its sides an odd number of times."""
    (ax, ay), (bx, by) = points.T[:, :, None, None], points.roll(-1, 0).T[:, :, None, None]
    y, x = torch.arange(PICTURE)[:, None], torch.arange(PICTURE)
    crossed = (ay > y) != (by > y)
    reach = ax + (y - ay) * (bx - ax) / torch.where(crossed, by - ay, 1.0)
    return (crossed & (x < reach)).sum(0) % 2 == 1
