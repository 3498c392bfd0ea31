"""Exercise of lesson 13: adaptive instance normalisation."""

import torch

from ..steps import adain
from .exercise import Exercise


def features():
    """Arguments (x, reference): tokens of two pictures; as many of them as they are wide: careless code runs."""
    rng = torch.Generator().manual_seed(21)
    x, reference = torch.randn(2, 2, 6, 6, generator=rng)
    return [(x * 40 + 20, reference * 20 - 30), (reference * 30, x * 10 + 40)]  # large: eps makes no difference


def stats(x, dim=1):
    return (x.var(dim, correction=0, keepdim=True) + 1e-5).sqrt(), x.mean(dim, keepdim=True)


def mixed(x, reference, dim=1):
    (s, m), (t, n) = stats(x, dim), stats(reference, dim)
    return t * (x - m) / s + n


def step(x, reference, f):
    return f(x, *stats(x), *stats(reference))


EXERCISES = [Exercise("adain", adain, features, (
    ("x and reference are exchanged: x keeps its pattern, and takes mean and spread of the reference.",
     lambda x, reference: mixed(reference, x)),
    ("this is x with mean 0 and spread 1; now give it the reference's: times its spread, plus its mean.",
     lambda x, reference: step(x, reference, lambda x, s, m, t, n: (x - m) / s)),
    ("the reference's mean is missing; add it at the end.",
     lambda x, reference: step(x, reference, lambda x, s, m, t, n: t * (x - m) / s)),
    ("the reference's spread is missing; multiply by it before you add its mean.",
     lambda x, reference: step(x, reference, lambda x, s, m, t, n: (x - m) / s + n)),
    ("only the mean is moved; divide by the spread of x and multiply by the reference's.",
     lambda x, reference: step(x, reference, lambda x, s, m, t, n: x - m + n)),
    ("take away the mean of x before you divide by its spread.",
     lambda x, reference: step(x, reference, lambda x, s, m, t, n: t * x / s + n)),
    ("divide by the spread of x, and multiply by the reference's: it is the other way round.",
     lambda x, reference: step(x, reference, lambda x, s, m, t, n: s * (x - m) / t + n)),
    ("mean and spread are those over the tokens, dimension 1, for each number of the width by itself.",
     lambda x, reference: mixed(x, reference, 2)),
    ("mean and spread are taken for each picture and each number of the width by itself, not over all.",
     lambda x, reference: mixed(x, reference, (1, 2))),
    ("mean and spread are taken over tokens and pictures at once; take dimension 1 alone.",
     lambda x, reference: mixed(x, reference, (0, 1))),
    ("the spread is the root of the variance.",
     lambda x, reference: step(x, reference, lambda x, s, m, t, n: t**2 * (x - m) / s**2 + n)),
), "another picture's mood, with a pattern of one's own.")]
