"""Canny's edge detector (Canny 1986): smoothing, gradient, non-maximum suppression, two thresholds, hysteresis.

By hand, since equal gradients must give equal lines on every machine, and scikit-image, its twin in a test, takes 180 MB.

canny(images)      # (B, 3, 64, 64) in [-1, 1] -> (B, 3, 64, 64), 1 on a line and 0 elsewhere
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ..errors import EduError

__all__ = ["canny"]

LOW = 0.06
HIGH = 0.15
SIGMA = 1.0
NEIGHBOURS = ((0, 1), (1, 1), (1, 0), (1, -1))  # (down, right): horizontal, diagonal, vertical, other diagonal
EIGHTH = math.tan(math.pi / 8)  # half-way between two of these directions
GRAIN = 2**16  # squared gradients are rounded to multiples of 1 / GRAIN: equal ones are then equal on every machine


def canny(images: torch.Tensor, low: float = LOW, high: float = HIGH, sigma: float = SIGMA) -> torch.Tensor:
    """Lines, one pixel wide, where the colour changes most.

    images: (B, 3, H, W) in [-1, 1]. low, high: a line starts where the gradient is at least `high`, and continues while
    it is at least `low`; a gradient of 1 is the step from black to white, unsmoothed. sigma: of the smoothing, in
    pixels. Returns (B, 3, H, W), 0 or 1, the same in all three channels. Raises EduError for invalid arguments.
    """
    check(images, low, high, sigma)
    across, down = slopes(smooth(images.float() / 2 + 0.5, sigma))
    square, across, down = steepest(across, down)
    ridge = is_ridge(square, across, down)
    strong, weak = (ridge & (square >= round(level**2 * GRAIN)) for level in (high, low))
    return grow(strong, weak).float().repeat(1, 3, 1, 1)


def smooth(x: torch.Tensor, sigma: float) -> torch.Tensor:
    """Gaussian blur, along x and along y."""
    reach = math.ceil(3 * sigma)
    bell = [math.exp(-(i**2) / (2 * sigma**2)) if i else 1.0 for i in range(-reach, reach + 1)]
    bell = [weight / sum(bell) for weight in bell]
    return along(along(x, bell, 3), bell, 2)


def slopes(x: torch.Tensor) -> list[torch.Tensor]:
    """Sobel gradients: right minus left neighbours, and lower minus upper ones, with double weight for the middle row."""
    return [along(along(x, (-0.5, 0, 0.5), dim), (0.5, 1, 0.5), 5 - dim) for dim in (3, 2)]


def along(x: torch.Tensor, weights: Sequence[float], dim: int) -> torch.Tensor:
    """Each pixel becomes a weighted sum of itself and its neighbours along a dimension; border pixels are repeated."""
    n, reach = x.shape[dim], len(weights) // 2
    rim = (reach, reach, 0, 0) if dim == 3 else (0, 0, reach, reach)
    x = F.pad(x, rim, "replicate")
    return sum(w * x.narrow(dim, i, n) for i, w in enumerate(weights) if w)


def steepest(across: torch.Tensor, down: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The gradient of the channel that changes most at each pixel: its square, in units of 1 / GRAIN, and its two components."""
    square = across.square().addcmul_(down, down).mul_(GRAIN).round_()
    square, colour = square.max(1, keepdim=True)
    return square, across.gather(1, colour), down.gather(1, colour)


def is_ridge(square: torch.Tensor, across: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    """Non-maximum suppression: whether a pixel's gradient exceeds both neighbours' along it; of two equal ones the first counts."""
    padded, (high, wide) = F.pad(square, (1, 1, 1, 1)), square.shape[-2:]
    ridge = torch.zeros_like(square, dtype=torch.bool)
    for (dy, dx), along in zip(NEIGHBOURS, directions(across, down)):
        before = padded[..., 1 - dy : 1 - dy + high, 1 - dx : 1 - dx + wide]
        after = padded[..., 1 + dy : 1 + dy + high, 1 + dx : 1 + dx + wide]
        ridge |= along & (square > before) & (square >= after)
    return ridge


def directions(across: torch.Tensor, down: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Which of the four directions of NEIGHBOURS each gradient is closest to: four masks."""
    flat = down.abs() <= EIGHTH * across.abs()
    upright = ~flat & (across.abs() <= EIGHTH * down.abs())
    slanted, same = ~(flat | upright), (across > 0) == (down > 0)
    return flat, slanted & same, upright, slanted & ~same


def grow(seeds: torch.Tensor, ground: torch.Tensor) -> torch.Tensor:
    """All of `ground` that is connected to `seeds`, in eight directions; (B, 1, H, W) bool."""
    reached = seeds & ground
    while True:
        wider = around(around(reached, 3), 2) & ground
        if torch.equal(wider, reached):
            return reached
        reached = wider


def around(mask: torch.Tensor, dim: int) -> torch.Tensor:
    """A mask dilated by one pixel on both sides along a dimension."""
    wider, n = mask.clone(), mask.shape[dim] - 1
    wider.narrow(dim, 1, n).logical_or_(mask.narrow(dim, 0, n))
    wider.narrow(dim, 0, n).logical_or_(mask.narrow(dim, 1, n))
    return wider


def check(images: torch.Tensor, low: float, high: float, sigma: float) -> None:
    """Raise EduError for invalid arguments."""
    shape = tuple(getattr(images, "shape", ()))
    if len(shape) != 4 or shape[1] != 3 or min(shape[2:]) <= 3 * sigma:
        raise EduError(f"The pictures have the shape {shape}; they must be (B, 3, height, width), wider than three times sigma.")
    if not 0 < low <= high:
        raise EduError(f"The thresholds are {low} and {high}; they must be above 0, with low at most high.")
