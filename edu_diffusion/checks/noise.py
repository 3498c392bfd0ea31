"""Exercises of lesson 01: adding noise."""

import torch

from ..steps import q_sample
from .exercise import Exercise


def pictures():
    """Arguments (x_0, eps, abar_t): pictures, noise, and a level as a number and as a tensor."""
    rng = torch.Generator().manual_seed(11)
    x_0, eps = torch.rand(2, 3, 4, 5, generator=rng) * 2 - 1, torch.randn(2, 3, 4, 5, generator=rng)
    return [(x_0, eps, 0.3), (x_0, eps, torch.tensor(0.85))]


EXERCISES = [Exercise(
    "q_sample", q_sample, pictures, (
        ("both weights lack their square root: abar_t is a variance, and a tensor is multiplied by its root.",
         lambda x_0, eps, abar_t: abar_t * x_0 + (1 - abar_t) * eps),
        ("the weight of eps lacks its square root.",
         lambda x_0, eps, abar_t: abar_t**0.5 * x_0 + (1 - abar_t) * eps),
        ("the weight of x_0 lacks its square root.",
         lambda x_0, eps, abar_t: abar_t * x_0 + (1 - abar_t) ** 0.5 * eps),
        ("the two weights are exchanged: where abar_t is near 1, the picture must be nearly clean.",
         lambda x_0, eps, abar_t: (1 - abar_t) ** 0.5 * x_0 + abar_t**0.5 * eps),
        ("the noise is added, not taken away.",
         lambda x_0, eps, abar_t: abar_t**0.5 * x_0 - (1 - abar_t) ** 0.5 * eps),
        ("the picture keeps all of its strength; it has to fade by the root of abar_t.",
         lambda x_0, eps, abar_t: x_0 + (1 - abar_t) ** 0.5 * eps),
        ("the noise is added at its full strength; it has to be weighted by the root of 1 - abar_t.",
         lambda x_0, eps, abar_t: abar_t**0.5 * x_0 + eps),
        ("1 minus the root is not the root of 1 minus: the weight of eps is sqrt(1 - abar_t).",
         lambda x_0, eps, abar_t: abar_t**0.5 * x_0 + (1 - abar_t**0.5) * eps),
        ("weights are multiplied by what they weigh; only eps is, and nothing of the picture is left.",
         lambda x_0, eps, abar_t: (1 - abar_t) ** 0.5 * eps),
    ),
    "this is what makes a picture noisy, at any level and in one go.")]
