"""Exercise of lesson 01: adding noise."""

import torch

from ..steps import q_sample
from .exercise import Exercise


def pictures():
    """Arguments (x_0, eps, abar_t): pictures, noise, and abar_t as a tensor, so that torch.sqrt takes it."""
    rng = torch.Generator().manual_seed(11)
    x_0, eps = torch.rand(2, 3, 4, 5, generator=rng) * 2 - 1, torch.randn(2, 3, 4, 5, generator=rng)
    return [(x_0, eps, torch.tensor(0.3)), (x_0, eps, torch.tensor(0.85))]


EXERCISES = [
    Exercise(
        "q_sample",
        q_sample,
        pictures,
        (
            (
                "both weights lack their square root: abar_t is a variance, so x_0 and eps are multiplied by square roots.",
                lambda x_0, eps, abar_t: abar_t * x_0 + (1 - abar_t) * eps,
            ),
            ("the weight of eps lacks its square root.", lambda x_0, eps, abar_t: abar_t**0.5 * x_0 + (1 - abar_t) * eps),
            ("the weight of x_0 lacks its square root.", lambda x_0, eps, abar_t: abar_t * x_0 + (1 - abar_t) ** 0.5 * eps),
            (
                "the two weights are swapped: where abar_t is near 1, the picture must be nearly clean.",
                lambda x_0, eps, abar_t: (1 - abar_t) ** 0.5 * x_0 + abar_t**0.5 * eps,
            ),
            ("the noise is added, not subtracted.", lambda x_0, eps, abar_t: abar_t**0.5 * x_0 - (1 - abar_t) ** 0.5 * eps),
            (
                "the picture keeps its full strength; multiply it by the square root of abar_t.",
                lambda x_0, eps, abar_t: x_0 + (1 - abar_t) ** 0.5 * eps,
            ),
            (
                "the noise is added at full strength; multiply it by the square root of 1 - abar_t.",
                lambda x_0, eps, abar_t: abar_t**0.5 * x_0 + eps,
            ),
            (
                "1 - sqrt(abar_t) is not sqrt(1 - abar_t); the second is the weight of eps.",
                lambda x_0, eps, abar_t: abar_t**0.5 * x_0 + (1 - abar_t**0.5) * eps,
            ),
            (
                "the picture is missing: add x_0 times the square root of abar_t.",
                lambda x_0, eps, abar_t: (1 - abar_t) ** 0.5 * eps,
            ),
        ),
        "this makes a picture noisy, up to any timestep in a single step.",
    )
]
