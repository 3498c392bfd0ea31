"""Exercise of lessons 00, 03 and 08: classifier-free guidance."""

import torch

from ..steps import guide
from .exercise import Exercise


def predictions():
    """Arguments (eps_u, eps_c, g)."""
    rng = torch.Generator().manual_seed(10)
    eps_u, eps_c = torch.randn(2, 2, 4, 4, 4, generator=rng)
    return [(eps_u, eps_c, g) for g in (4.0, 1.5)]


EXERCISES = [
    Exercise(
        "guide",
        guide,
        predictions,
        (
            ("start at eps_u; with g = 1 the result must be eps_c.", lambda eps_u, eps_c, g: eps_c + g * (eps_c - eps_u)),
            (
                "the sign is wrong: the difference from eps_u to eps_c is eps_c - eps_u.",
                lambda eps_u, eps_c, g: eps_u + g * (eps_u - eps_c),
            ),
            (
                "this interpolates between the two; guidance extrapolates beyond eps_c.",
                lambda eps_u, eps_c, g: (eps_u + g * eps_c) / (1 + g),
            ),
            (
                "eps_u and eps_c are swapped: with g = 1 the result must be eps_c.",
                lambda eps_u, eps_c, g: eps_c + g * (eps_u - eps_c),
            ),
            ("this is only the scaled difference; add it to eps_u.", lambda eps_u, eps_c, g: g * (eps_c - eps_u)),
            ("only eps_c is scaled; subtract eps_u before you multiply.", lambda eps_u, eps_c, g: eps_u + g * eps_c),
            (
                "brackets are missing: g multiplies the whole difference, eps_c - eps_u.",
                lambda eps_u, eps_c, g: eps_u + g * eps_c - eps_u,
            ),
        ),
        "towards the prompt, and beyond.",
    )
]
