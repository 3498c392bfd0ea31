"""Exercise of lesson 13: adaptive instance normalisation."""

import torch

from ..steps import adain
from .exercise import Exercise


def features():
    """Arguments (x, reference): tokens of two pictures, as many as they are wide, so that mistakes run without an error."""
    rng = torch.Generator().manual_seed(21)
    x, reference = torch.randn(2, 2, 6, 6, generator=rng)
    return [(x * 40 + 20, reference * 20 - 30), (reference * 30, x * 10 + 40)]  # so large that eps makes no difference


def stats(x, dim=1):
    return (x.var(dim, correction=0, keepdim=True) + 1e-5).sqrt(), x.mean(dim, keepdim=True)


def mixed(x, reference, dim=1):
    (s, m), (t, n) = stats(x, dim), stats(reference, dim)
    return t * (x - m) / s + n


def step(x, reference, f):
    return f(x, *stats(x), *stats(reference))


EXERCISES = [
    Exercise(
        "adain",
        adain,
        features,
        (
            (
                "x and reference are swapped: x keeps its pattern, and takes the mean and standard deviation of the reference.",
                lambda x, reference: mixed(reference, x),
            ),
            (
                "this is x with mean 0 and standard deviation 1; now multiply by the reference's standard deviation and add its "
                "mean.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: (x - m) / s),
            ),
            (
                "the reference's mean is missing; add it at the end.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: t * (x - m) / s),
            ),
            (
                "the reference's standard deviation is missing; multiply by it before you add its mean.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: (x - m) / s + n),
            ),
            (
                "only the mean is changed; divide by the standard deviation of x and multiply by the reference's.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: x - m + n),
            ),
            (
                "subtract the mean of x before you divide by its standard deviation.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: t * x / s + n),
            ),
            (
                "divide by the standard deviation of x and multiply by the reference's: here it is the other way round.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: s * (x - m) / t + n),
            ),
            (
                "take mean and standard deviation over the tokens, dimension 1, for each channel separately.",
                lambda x, reference: mixed(x, reference, 2),
            ),
            (
                "take mean and standard deviation for each picture and each channel separately, not over all channels.",
                lambda x, reference: mixed(x, reference, (1, 2)),
            ),
            (
                "mean and standard deviation are taken over tokens and pictures together; use dimension 1 only.",
                lambda x, reference: mixed(x, reference, (0, 1)),
            ),
            (
                "the standard deviation is the square root of the variance.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: t**2 * (x - m) / s**2 + n),
            ),
        ),
        "x now has the statistics of the reference and keeps its own pattern.",
    )
]
