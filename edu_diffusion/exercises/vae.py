"""Exercises of lesson 04: sampling a latent, and its KL divergence from a standard normal."""

import torch

from ..steps import kl_to_unit, sample_latent
from .exercise import Exercise
from .gradients import tracked


def encoded():
    """Arguments (mean, logvar, eps): an encoder's output, through which it is trained, and noise."""
    rng = torch.Generator().manual_seed(14)
    draws = [torch.randn(3, *shape, generator=rng) for shape in ((2, 4, 3, 3), (1, 4, 2, 5))]
    return [(*tracked(mean, logvar), eps) for mean, logvar, eps in draws]


def spread():
    """Arguments (mean, logvar); several pictures, so that a sum over the batch differs from one sum per picture."""
    mean, logvar, _ = encoded()[0]
    return [(mean, logvar), tuple(tracked(*torch.randn(2, 3, 4, 2, 2, generator=torch.Generator().manual_seed(15))))]


def summed(x):
    """One sum for each picture."""
    return x.sum(dim=tuple(range(1, x.ndim)))


EXERCISES = [
    Exercise(
        "sample_latent",
        sample_latent,
        encoded,
        (
            (
                "exp(logvar) is the variance; the noise is multiplied by its square root, exp(logvar / 2).",
                lambda mean, logvar, eps: mean + logvar.exp() * eps,
            ),
            (
                "logvar is a logarithm and may be negative; the weight of eps is exp(logvar / 2).",
                lambda mean, logvar, eps: mean + logvar * eps,
            ),
            (
                "half of logvar is the logarithm of the standard deviation; take its exp.",
                lambda mean, logvar, eps: mean + 0.5 * logvar * eps,
            ),
            (
                "logvar is halved, not doubled: a square root halves a logarithm.",
                lambda mean, logvar, eps: mean + (2 * logvar).exp() * eps,
            ),
            (
                "the sign of logvar is wrong: where logvar is large, there must be much noise.",
                lambda mean, logvar, eps: mean + (-0.5 * logvar).exp() * eps,
            ),
            ("the noise has full strength everywhere; multiply it by exp(logvar / 2).", lambda mean, logvar, eps: mean + eps),
            (
                "this is the mean alone; the latent is sampled around it, so add the noise times exp(logvar / 2).",
                lambda mean, logvar, eps: mean,
            ),
            ("this is the noise alone; add it to mean.", lambda mean, logvar, eps: (0.5 * logvar).exp() * eps),
            (
                "mean and standard deviation are swapped: the noise is multiplied by the standard deviation and added to mean.",
                lambda mean, logvar, eps: (0.5 * logvar).exp() + mean * eps,
            ),
            (
                "the noise is added, not subtracted; that would be just as random, but the check compares numbers.",
                lambda mean, logvar, eps: mean - (0.5 * logvar).exp() * eps,
            ),
            (
                "check the brackets: only eps is multiplied, mean stays as it is.",
                lambda mean, logvar, eps: (mean + eps) * (0.5 * logvar).exp(),
            ),
        ),
        "sampled at random, and yet gradients flow back to mean and logvar.",
    ),
    Exercise(
        "kl_to_unit",
        kl_to_unit,
        spread,
        (
            ("the factor 1/2 in front of the sum is missing.", lambda mean, logvar: summed(mean**2 + logvar.exp() - 1 - logvar)),
            (
                "the divergence is never negative; here all signs are flipped.",
                lambda mean, logvar: -0.5 * summed(mean**2 + logvar.exp() - 1 - logvar),
            ),
            (
                "the 1 is missing: with mean = 0 and logvar = 0 the result must be 0.",
                lambda mean, logvar: 0.5 * summed(mean**2 + logvar.exp() - logvar),
            ),
            (
                "logvar is subtracted, not added: a variance far below 1 must be penalised, too.",
                lambda mean, logvar: 0.5 * summed(mean**2 + logvar.exp() - 1 + logvar),
            ),
            (
                "logvar itself is missing at the end: a variance far below 1 must be penalised, too.",
                lambda mean, logvar: 0.5 * summed(mean**2 + logvar.exp() - 1),
            ),
            (
                "mean must be squared: positive and negative means are equally far from 0.",
                lambda mean, logvar: 0.5 * summed(mean + logvar.exp() - 1 - logvar),
            ),
            ("mean is missing: a mean far from 0 must be penalised.", lambda mean, logvar: 0.5 * summed(logvar.exp() - 1 - logvar)),
            (
                "exp(logvar) is the variance and stands as it is; do not halve logvar here.",
                lambda mean, logvar: 0.5 * summed(mean**2 + (0.5 * logvar).exp() - 1 - logvar),
            ),
            (
                "the variance is squared: exp(logvar) is the variance already.",
                lambda mean, logvar: 0.5 * summed(mean**2 + logvar.exp() ** 2 - 1 - logvar),
            ),
            (
                "this is the divergence in the other direction, from N(0, 1) to the encoder's distribution.",
                lambda mean, logvar: 0.5 * summed((1 + mean**2) / logvar.exp() - 1 + logvar),
            ),
            (
                "sum over the values of each picture's latent; this is their mean.",
                lambda mean, logvar: 0.5 * (mean**2 + logvar.exp() - 1 - logvar).mean((1, 2, 3)),
            ),
            (
                "return one number for each picture; this sums over the whole batch: leave out dimension 0.",
                lambda mean, logvar: 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(),
            ),
            (
                "return one number for each picture; this is a mean over the whole batch.",
                lambda mean, logvar: 0.5 * (mean**2 + logvar.exp() - 1 - logvar).mean(),
            ),
            (
                "this is the mean over the pictures; return one number for each of them.",
                lambda mean, logvar: 0.5 * summed(mean**2 + logvar.exp() - 1 - logvar).mean(),
            ),
            (
                "add up the values of each picture's latent: sum over dimensions 1, 2 and 3.",
                lambda mean, logvar: 0.5 * (mean**2 + logvar.exp() - 1 - logvar),
            ),
            (
                "this sums over the channels only; sum over dimensions 1, 2 and 3.",
                lambda mean, logvar: 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(1),
            ),
        ),
        "this keeps the latents close together, near the standard normal noise that sampling starts from.",
    ),
]
