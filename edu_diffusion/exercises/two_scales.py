"""Exercise of lesson 03 that transfers guidance to a prompt in two parts, each with a scale of its own."""

import torch

from ..steps import guide
from .exercise import Exercise


def two_scales(eps_u, eps_1, eps_2, g_1, g_2):
    """Guidance with a scale for each of two conditions, the second added to the first."""
    return eps_u + g_1 * (eps_1 - eps_u) + g_2 * (eps_2 - eps_1)


def three_predictions():
    """Arguments (eps_u, eps_1, eps_2, g_1, g_2)."""
    rng = torch.Generator().manual_seed(33)
    return [
        (*torch.randn(3, 2, 4, *shape, generator=rng), *scales) for shape, scales in (((4, 4), (3.0, 1.5)), ((3, 5), (2.0, 5.0)))
    ]


TWO_SCALES = Exercise(
    "two_scales",
    two_scales,
    three_predictions,
    (
        (
            "with both scales 1 this gives eps_1 + eps_2 - eps_u and must give eps_2. Where does the second step start?",
            lambda eps_u, eps_1, eps_2, g_1, g_2: eps_u + g_1 * (eps_1 - eps_u) + g_2 * (eps_2 - eps_u),
        ),
        (
            "guidance twice: what g_2 changes depends on g_1; it must always be a multiple of the step from eps_1 to eps_2.",
            lambda eps_u, eps_1, eps_2, g_1, g_2: guide(guide(eps_u, eps_1, g_1), eps_2, g_2),
        ),
        (
            "the second step is multiplied by both scales; it must not depend on g_1.",
            lambda eps_u, eps_1, eps_2, g_1, g_2: eps_u + g_1 * (eps_1 - eps_u) + g_1 * g_2 * (eps_2 - eps_1),
        ),
        (
            "the two scales are exchanged: with g_1 = 1 and g_2 = 0 the result must be eps_1.",
            lambda eps_u, eps_1, eps_2, g_1, g_2: two_scales(eps_u, eps_1, eps_2, g_2, g_1),
        ),
        (
            "these are the two steps without a starting point: with both scales 0 the result must be eps_u.",
            lambda eps_u, eps_1, eps_2, g_1, g_2: g_1 * (eps_1 - eps_u) + g_2 * (eps_2 - eps_1),
        ),
        (
            "this starts from eps_2: with both scales 0 it gives eps_2 and must give eps_u.",
            lambda eps_u, eps_1, eps_2, g_1, g_2: eps_2 + g_1 * (eps_1 - eps_u) + g_2 * (eps_2 - eps_1),
        ),
        (
            "this starts from eps_1: with both scales 0 it gives eps_1 and must give eps_u.",
            lambda eps_u, eps_1, eps_2, g_1, g_2: eps_1 + g_1 * (eps_1 - eps_u) + g_2 * (eps_2 - eps_1),
        ),
        (
            "the second step has the wrong sign: with both scales 1 the result must be eps_2.",
            lambda eps_u, eps_1, eps_2, g_1, g_2: eps_u + g_1 * (eps_1 - eps_u) + g_2 * (eps_1 - eps_2),
        ),
        (
            "this is guidance with one scale, g_1, for the whole prompt; g_2 is not used.",
            lambda eps_u, eps_1, eps_2, g_1, g_2: guide(eps_u, eps_2, g_1),
        ),
        (
            "this strengthens the thing alone; the part that was added is missing.",
            lambda eps_u, eps_1, eps_2, g_1, g_2: guide(eps_u, eps_1, g_1),
        ),
        (
            "this adds two guided predictions, so eps_u counts twice; add steps, from eps_u to eps_1 and from eps_1 to eps_2.",
            lambda eps_u, eps_1, eps_2, g_1, g_2: guide(eps_u, eps_1, g_1) + guide(eps_u, eps_2, g_2),
        ),
        (
            "this is the mean of two guided predictions, both from eps_u; with both scales 1 the result must be eps_2.",
            lambda eps_u, eps_1, eps_2, g_1, g_2: (guide(eps_u, eps_1, g_1) + guide(eps_u, eps_2, g_2)) / 2,
        ),
        (
            "eps_1 is counted twice: with both scales 0 this gives eps_u + eps_1 and must give eps_u.",
            lambda eps_u, eps_1, eps_2, g_1, g_2: guide(eps_u, eps_1, g_1) + guide(eps_1, eps_2, g_2),
        ),
        (
            "with both scales 1 this gives the sum of all three predictions and must give eps_2. Multiply differences.",
            lambda eps_u, eps_1, eps_2, g_1, g_2: eps_u + g_1 * eps_1 + g_2 * eps_2,
        ),
    ),
    "each scale strengthens one part of the prompt. InstructPix2Pix (2023) edits images with this formula: its first condition is "
    "the image to be edited, its second the instruction.",
)
