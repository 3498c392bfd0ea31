"""Exercise of lessons 00, 03 and 08: guidance."""

import torch

from ..steps import guide
from .exercise import Exercise


def predictions():
    """Arguments (eps_u, eps_c, g)."""
    rng = torch.Generator().manual_seed(10)
    eps_u, eps_c = torch.randn(2, 2, 4, 4, 4, generator=rng)
    return [(eps_u, eps_c, g) for g in (4.0, 1.5)]


EXERCISES = [Exercise(
    "guide", guide, predictions, (
        ("start at eps_u; with g = 1 you must arrive at eps_c.",
         lambda eps_u, eps_c, g: eps_c + g * (eps_c - eps_u)),
        ("the way from eps_u to eps_c is eps_c - eps_u.",
         lambda eps_u, eps_c, g: eps_u + g * (eps_u - eps_c)),
        ("this mixes them; the way goes on beyond eps_c.",
         lambda eps_u, eps_c, g: (eps_u + g * eps_c) / (1 + g)),
        ("eps_u and eps_c are exchanged: with g = 1 you must arrive at eps_c.",
         lambda eps_u, eps_c, g: eps_c + g * (eps_u - eps_c)),
        ("this is the way alone; begin it at eps_u.",
         lambda eps_u, eps_c, g: g * (eps_c - eps_u)),
        ("only eps_c is made stronger; subtract eps_u before you multiply.",
         lambda eps_u, eps_c, g: eps_u + g * eps_c),
        ("brackets: g is for the whole way, eps_c - eps_u.",
         lambda eps_u, eps_c, g: eps_u + g * eps_c - eps_u),
    ),
    "with the prompt, and beyond.")]
