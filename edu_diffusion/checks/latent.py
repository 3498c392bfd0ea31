"""Exercises of lesson 04: draw a latent, and how far its distribution is from noise."""

import torch

from ..steps import kl_to_unit, sample_latent
from .exercise import Exercise


def encoded():
    """Arguments (mean, logvar, eps): what an encoder answers, and noise."""
    rng = torch.Generator().manual_seed(14)
    return [tuple(torch.randn(3, *shape, generator=rng)) for shape in ((2, 4, 3, 3), (1, 4, 2, 5))]


def spread():
    """Arguments (mean, logvar); several pictures, so that a sum over all is told from one for each."""
    return [(mean, logvar) for mean, logvar, _ in encoded()[:1]] + [tuple(
        torch.randn(2, 3, 4, 2, 2, generator=torch.Generator().manual_seed(15)))]


def summed(x):
    """One sum for each picture."""
    return x.sum(dim=tuple(range(1, x.ndim)))


EXERCISES = [
    Exercise("sample_latent", sample_latent, encoded, (
        ("exp(logvar) is the variance; the noise is multiplied by its root, which is exp(logvar / 2).",
         lambda mean, logvar, eps: mean + logvar.exp() * eps),
        ("logvar is a logarithm and may be negative; the weight of eps is exp(logvar / 2).",
         lambda mean, logvar, eps: mean + logvar * eps),
        ("half of logvar is the logarithm of the standard deviation; take its exp.",
         lambda mean, logvar, eps: mean + 0.5 * logvar * eps),
        ("logvar is halved, not doubled: a root halves a logarithm.",
         lambda mean, logvar, eps: mean + (2 * logvar).exp() * eps),
        ("the sign of logvar is turned: where logvar is large, there must be much noise.",
         lambda mean, logvar, eps: mean + (-0.5 * logvar).exp() * eps),
        ("the noise has its full strength everywhere; multiply it by exp(logvar / 2).",
         lambda mean, logvar, eps: mean + eps),
        ("this is the middle alone; the latent is drawn around it, so add the noise times exp(logvar / 2).",
         lambda mean, logvar, eps: mean),
        ("this is the noise alone; it has to be added to mean.",
         lambda mean, logvar, eps: (0.5 * logvar).exp() * eps),
        ("mean and standard deviation are exchanged: the noise is added to mean, and multiplies nothing.",
         lambda mean, logvar, eps: (0.5 * logvar).exp() + mean * eps),
        ("the noise is added, not taken away; it would be as random, but the check compares numbers.",
         lambda mean, logvar, eps: mean - (0.5 * logvar).exp() * eps),
        ("brackets: only eps is multiplied, mean stays as it is.",
         lambda mean, logvar, eps: (mean + eps) * (0.5 * logvar).exp()),
    ), "drawn at random, and yet mean and logvar can learn from what becomes of it."),
    Exercise("kl_to_unit", kl_to_unit, spread, (
        ("the half in front of the sum is missing.",
         lambda mean, logvar: summed(mean**2 + logvar.exp() - 1 - logvar)),
        ("the divergence is never negative; all signs are turned.",
         lambda mean, logvar: -0.5 * summed(mean**2 + logvar.exp() - 1 - logvar)),
        ("the 1 is missing: with mean = 0 and logvar = 0 the result must be 0.",
         lambda mean, logvar: 0.5 * summed(mean**2 + logvar.exp() - logvar)),
        ("logvar is taken away, not added: a variance far below 1 must cost something, too.",
         lambda mean, logvar: 0.5 * summed(mean**2 + logvar.exp() - 1 + logvar)),
        ("logvar itself is missing at the end: a variance far below 1 must cost something, too.",
         lambda mean, logvar: 0.5 * summed(mean**2 + logvar.exp() - 1)),
        ("mean is to be squared: left and right of 0 are equally far.",
         lambda mean, logvar: 0.5 * summed(mean + logvar.exp() - 1 - logvar)),
        ("mean is missing: a middle far from 0 must cost something.",
         lambda mean, logvar: 0.5 * summed(logvar.exp() - 1 - logvar)),
        ("exp(logvar) is the variance and stands as it is; do not halve logvar here.",
         lambda mean, logvar: 0.5 * summed(mean**2 + (0.5 * logvar).exp() - 1 - logvar)),
        ("the variance is squared: exp(logvar) is the variance already.",
         lambda mean, logvar: 0.5 * summed(mean**2 + logvar.exp() ** 2 - 1 - logvar)),
        ("this is the divergence the other way round, from N(0, 1) to the encoder's answer.",
         lambda mean, logvar: 0.5 * summed((1 + mean**2) / logvar.exp() - 1 + logvar)),
        ("sum over the numbers of a picture; this is their mean.",
         lambda mean, logvar: 0.5 * (mean**2 + logvar.exp() - 1 - logvar).mean((1, 2, 3))),
        ("one number for each picture is wanted; this adds up the whole batch: leave out dimension 0.",
         lambda mean, logvar: 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum()),
        ("one number for each picture is wanted; this is one number for the whole batch.",
         lambda mean, logvar: 0.5 * (mean**2 + logvar.exp() - 1 - logvar).mean()),
        ("this is the mean over the pictures; return one number for each of them.",
         lambda mean, logvar: 0.5 * summed(mean**2 + logvar.exp() - 1 - logvar).mean()),
        ("add up the numbers of each picture: sum over dimensions 1, 2 and 3.",
         lambda mean, logvar: 0.5 * (mean**2 + logvar.exp() - 1 - logvar)),
        ("this sums over the channels only; sum over dimensions 1, 2 and 3.",
         lambda mean, logvar: 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(1)),
    ), "this keeps the latents together, near the noise that drawing begins with."),
]
