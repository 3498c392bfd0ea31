"""Exercises of lesson 14: the effect of a change, and how certain it is."""

import torch

from .exercise import Exercise


def paired_change(before, after):
    gain = after - before
    return torch.stack([gain.mean(), 1.96 * gain.std() / len(gain) ** 0.5])


def marks():
    """Arguments (before, after): scores of the same pictures, 0 to 1."""
    rng = torch.Generator().manual_seed(16)
    before = torch.rand(2, 12, generator=rng)
    return [(b, (b * 0.5 + 0.4 * torch.rand(12, generator=rng)).round(decimals=2)) for b in before]


def spread(x):
    return 1.96 * x.std() / len(x) ** 0.5


EXERCISES = [
    Exercise(
        "paired_change",
        paired_change,
        marks,
        (
            ("the change is after minus before.", lambda before, after: paired_change(after, before)),
            (
                "the standard error of a mean is smaller than the standard deviation of one score: divide by the square "
                "root of their number.",
                lambda before, after: torch.stack([(after - before).mean(), 1.96 * (after - before).std()]),
            ),
            (
                "divide by the square root of the number of scores, not by the number itself.",
                lambda before, after: torch.stack([(after - before).mean(), spread(after - before) / len(after) ** 0.5]),
            ),
            (
                "the factor 1.96 is missing: a 95 % interval reaches 1.96 standard errors to both sides.",
                lambda before, after: torch.stack([(after - before).mean(), spread(after - before) / 1.96]),
            ),
            (
                "the scores are paired: first take after - before for each picture, then the standard deviation of these "
                "differences.",
                lambda before, after: torch.stack([(after - before).mean(), (spread(after) ** 2 + spread(before) ** 2) ** 0.5]),
            ),
            (
                "take the standard deviation of the differences, not of the scores after.",
                lambda before, after: torch.stack([(after - before).mean(), spread(after)]),
            ),
            (
                "take the standard deviation of the differences, not of the scores before.",
                lambda before, after: torch.stack([(after - before).mean(), spread(before)]),
            ),
            (
                "return two numbers, the mean and the half-width of its interval; torch.stack puts them together.",
                lambda before, after: (after - before).mean(),
            ),
            (
                "this is the mean absolute change; gains and losses must be able to cancel.",
                lambda before, after: torch.stack([(after - before).abs().mean(), spread(after - before)]),
            ),
        ),
        "a change, and how certain it is.",
    )
]
