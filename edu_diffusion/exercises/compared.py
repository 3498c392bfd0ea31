"""Questions of lesson 14: costs, gains and losses of methods, and how certain a change is."""

import torch

from .choices import Choice, Number
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


def of_changes(middle, reach):
    """paired_change with one of the two numbers made in another way, from the changes."""
    return lambda before, after: torch.stack([middle(after - before), reach(after - before)])


EXERCISES = [
    Choice(
        "smallest_file",
        "B",
        {
            "A": "a LoRA is small compared with the U-Net, but it holds two matrices for each of many layers; one row of the "
            "embedding table is about 2,000 times smaller.",
            "B": "it trains one row of the embedding table, 128 numbers, and the file holds little else.",
            "C": "a hypernetwork is smaller than a LoRA here, but still holds whole networks; one row of the embedding table is "
            "far smaller.",
            "D": "DreamBooth changes all the weights, so its file is as large as the U-Net; only the recipe is special.",
        },
        prediction=True,
    ),
    Choice(
        "price",
        "C",
        {
            "A": "look at LoRA: it gains most and is among those that forget most. More change in the new direction is "
            "less of the old.",
            "B": "in the plot, the methods far to the right in one panel are far to the right in the other one, too.",
            "C": "LoRA gains most, and no other forgets clearly more; for textual inversion and StyleAligned neither a gain in "
            "the style nor forgetting is certain.",
            "D": "LoRA and the hypernetwork leave the base's weights as they are, and yet most ordinary prompts fail while "
            "one of the two is switched on. Switched off, nothing is lost.",
        },
        prediction=True,
    ),
    Choice(
        "claim",
        "D",
        {
            "A": "that is the dot alone. The bar reaches below zero: with other prompts the dot might have been at zero.",
            "B": "the bar reaches up to about +20 points, so a considerable effect is not excluded.",
            "C": "the two bars overlap, and each is wide; a ratio of two such uncertain numbers says nothing here.",
            "D": "the interval contains zero and also values that would matter. More prompts would narrow it.",
        },
    ),
    Number(
        "prompts_needed",
        480.0,
        (
            ("the interval shrinks with the square root of the number of prompts, not with the number itself.", 120.0),
            ("this is the factor; multiply it by the 30 prompts that there were.", 16.0),
            ("this has the root the wrong way round: a square is needed here.", 60.0),
            ("fewer prompts give a wider interval, not a narrower one.", 30 / 16),
            ("fewer prompts give a wider interval, not a narrower one.", 30 / 4),
            ("these are the prompts that come on top of the 30; the question is how many are needed in all.", 450.0),
        ),
        "an interval a quarter as wide needs sixteen times as many prompts.",
    ),
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
                "the standard error of a mean is smaller than the standard deviation of one score: divide by the square "
                "root of their number.",
                of_changes(torch.mean, lambda d: spread(d) * len(d)),
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
                "the scores are paired: first take after - before for each prompt, then the standard deviation of these "
                "differences.",
                lambda before, after: torch.stack([(after - before).mean(), (spread(after) ** 2 + spread(before) ** 2) ** 0.5]),
            ),
            (
                "the scores are paired: first take after - before for each prompt, then the standard deviation of these "
                "differences.",
                lambda before, after: torch.stack([(after - before).mean(), spread(after) + spread(before)]),
            ),
            (
                "the scores are paired: first take after - before for each prompt, then the standard deviation of these "
                "differences.",
                lambda before, after: torch.stack([(after - before).mean(), spread(torch.cat([before, after])) * 2**0.5]),
            ),
            (
                "this is the difference of two standard deviations; take the differences of the scores first, then their standard "
                "deviation.",
                lambda before, after: torch.stack([(after - before).mean(), spread(after) - spread(before)]),
            ),
            (
                "n is the number of differences, one for each prompt, and not that of the scores in both lists.",
                of_changes(torch.mean, lambda d: spread(d) / 2**0.5),
            ),
            (
                "this is the whole width of the interval; return half of it, how far it reaches to each side.",
                of_changes(torch.mean, lambda d: 2 * spread(d)),
            ),
            ("the factor is 1.96, not 2.", of_changes(torch.mean, lambda d: spread(d) / 1.96 * 2)),
            (
                "the standard deviation of this formula divides by n - 1, as `x.std()` does; this one divides by n.",
                of_changes(torch.mean, lambda d: spread(d) * (1 - 1 / len(d)) ** 0.5),
            ),
            (
                "the n - 1 is in `x.std()` already; the standard error divides by the square root of n.",
                of_changes(torch.mean, lambda d: spread(d) * (len(d) / (len(d) - 1)) ** 0.5),
            ),
            (
                "this uses the variance; the standard deviation is its square root.",
                of_changes(torch.mean, lambda d: spread(d) * d.std()),
            ),
            (
                "the square root belongs to n alone: s / sqrt(n).",
                of_changes(torch.mean, lambda d: 1.96 * (d.std() / len(d)) ** 0.5),
            ),
            ("the first number is the sum of the changes; take their mean.", of_changes(torch.sum, spread)),
            (
                "the first number is the mean score after; take the mean change, after minus before.",
                lambda before, after: torch.stack([after.mean(), spread(after - before)]),
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
                "these are the two ends of the interval; return its middle, and how far it reaches to each side.",
                lambda before, after: (after - before).mean() + spread(after - before) * torch.tensor([-1.0, 1.0]),
            ),
            (
                "return two numbers, the mean and the half-width of its interval; torch.stack puts them together.",
                lambda before, after: (after - before).mean(),
            ),
            (
                "this is the mean absolute change; gains and losses must be able to cancel.",
                lambda before, after: torch.stack([(after - before).abs().mean(), spread(after - before)]),
            ),
            (
                "this is the mean absolute change; gains and losses must be able to cancel.",
                lambda before, after: torch.stack([(after - before).abs().mean(), spread((after - before).abs())]),
            ),
        ),
        "a change, and how certain it is.",
    ),
]
