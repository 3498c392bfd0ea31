"""Clouds of points in the plane, like particles of dye in water."""

import torch

from ..errors import EduError


def cloud(amounts: torch.Tensor, n: int = 2000, seed: int = 0) -> torch.Tensor:
    """n random points with density proportional to amounts: an image's shape as a point cloud.

    amounts: (H, W), not negative, not all zero (else EduError); for instance the mask of a scene.
    Returns (n, 2): x to the right, y up, both in [-1, 1] like the pixels of an image.
    """
    amounts = torch.as_tensor(amounts, dtype=torch.float32)
    if amounts.ndim != 2 or amounts.min() < 0 or not amounts.any():
        raise EduError(
            f"amounts has the shape {tuple(amounts.shape)}; it must be (height, width), nowhere negative and somewhere above zero."
        )
    rng, (height, width) = torch.Generator().manual_seed(seed), amounts.shape
    cell = torch.multinomial(amounts.flatten(), n, replacement=True, generator=rng)
    within = torch.rand(n, 2, generator=rng)  # uniform within its pixel
    x, y = (cell % width + within[:, 0]) / width, (cell // width + within[:, 1]) / height
    return torch.stack([2 * x - 1, 1 - 2 * y], 1)
