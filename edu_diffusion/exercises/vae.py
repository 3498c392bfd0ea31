"""Questions of lesson 04: how much smaller a latent is, sampling it, its KL divergence, and what that term is good for."""

import math

import torch

from ..steps import kl_to_unit, sample_latent
from .exercise import Exercise
from .gradients import tracked
from .vae_choices import FEWER, HALFWAY, NO_PRICE, PRECISE


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
    FEWER,
    HALFWAY,
    Exercise(
        "sample_latent",
        sample_latent,
        encoded,
        (
            (
                "exp(logvar) is the variance. If eps has the variance 1, which factor gives it the variance exp(logvar)?",
                lambda mean, logvar, eps: mean + logvar.exp() * eps,
            ),
            (
                "logvar is the logarithm of the variance and may be negative; turn it into a standard deviation first.",
                lambda mean, logvar, eps: mean + logvar * eps,
            ),
            (
                "logvar is the logarithm of the variance and may be negative, and then it has no root; take exp first, and then "
                "the root.",
                lambda mean, logvar, eps: mean + logvar.sqrt() * eps,
            ),
            (
                ".std() measures how much the numbers of a tensor differ, one number for all of them; here each has a standard "
                "deviation of its own, the root of its variance exp(logvar).",
                lambda mean, logvar, eps: mean + logvar.exp().std() * eps,
            ),
            (
                "this takes the square root twice: halving logvar before exp already is a square root.",
                lambda mean, logvar, eps: mean + (logvar / 2).exp() ** 0.5 * eps,
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
            (
                "the noise has full strength everywhere; multiply it by the standard deviation.",
                lambda mean, logvar, eps: mean + eps,
            ),
            (
                "this is the mean alone; the latent is sampled around it, so add noise with the right standard deviation.",
                lambda mean, logvar, eps: mean,
            ),
            (
                "this halves the variance; a standard deviation is the square root of a variance.",
                lambda mean, logvar, eps: mean + logvar.exp() / 2 * eps,
            ),
            ("eps is missing: this adds the standard deviation itself.", lambda mean, logvar, eps: mean + (logvar / 2).exp()),
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
            (
                "only the standard deviation is multiplied by eps; mean is added afterwards.",
                lambda mean, logvar, eps: (mean + (0.5 * logvar).exp()) * eps,
            ),
            (
                "check the brackets: exp belongs to logvar / 2 alone; eps is multiplied afterwards.",
                lambda mean, logvar, eps: mean + (0.5 * logvar * eps).exp(),
            ),
            ("0.1 was the standard deviation of the test; compute it from logvar.", lambda mean, logvar, eps: mean + 0.1 * eps),
            (
                "logvar is a natural logarithm: its inverse is exp, not a power of 10.",
                lambda mean, logvar, eps: mean + 10 ** (0.5 * logvar) * eps,
            ),
            (
                "math.exp and math.log take a single number; for a whole tensor there are torch.exp and torch.log.",
                lambda mean, logvar, eps: mean + math.exp(logvar.detach() / 2) * eps,
            ),
        ),
        "sampled at random, and yet gradients flow back to mean and logvar.",
    ),
    Exercise(
        "kl_to_unit",
        kl_to_unit,
        spread,
        (
            (
                "your result is twice the divergence: look for a factor 1/2 that belongs to every term.",
                lambda mean, logvar: summed(mean**2 + logvar.exp() - 1 - logvar),
            ),
            (
                "the divergence is never negative; here all signs are flipped.",
                lambda mean, logvar: -0.5 * summed(mean**2 + logvar.exp() - 1 - logvar),
            ),
            (
                "a constant is missing: with mean = 0 and logvar = 0 the result must be 0.",
                lambda mean, logvar: 0.5 * summed(mean**2 + logvar.exp() - logvar),
            ),
            (
                "the logarithm has the wrong sign: log(1 / sigma) is -log(sigma), and a variance far below 1 must be "
                "penalised, too.",
                lambda mean, logvar: 0.5 * summed(mean**2 + logvar.exp() - 1 + logvar),
            ),
            (
                "the term with the logarithm is missing: a variance far below 1 must be penalised, too.",
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
                "sum over the values of each image's latent; this is their mean.",
                lambda mean, logvar: 0.5 * (mean**2 + logvar.exp() - 1 - logvar).mean((1, 2, 3)),
            ),
            (
                "return one number for each image; this sums over the whole batch: leave out dimension 0.",
                lambda mean, logvar: 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(),
            ),
            (
                "return one number for each image; this is a mean over the whole batch.",
                lambda mean, logvar: 0.5 * (mean**2 + logvar.exp() - 1 - logvar).mean(),
            ),
            (
                "this is the mean over the images; return one number for each of them.",
                lambda mean, logvar: 0.5 * summed(mean**2 + logvar.exp() - 1 - logvar).mean(),
            ),
            (
                "add up the values of each image's latent: sum over dimensions 1, 2 and 3.",
                lambda mean, logvar: 0.5 * (mean**2 + logvar.exp() - 1 - logvar),
            ),
            (
                "logvar is the logarithm of the variance; the variance is its exp, not its square.",
                lambda mean, logvar: 0.5 * summed(mean**2 + logvar**2 - 1 - logvar),
            ),
            (
                "the logarithm is halved twice: log(sigma) is logvar / 2, and that is the whole term.",
                lambda mean, logvar: 0.5 * summed(mean**2 + logvar.exp() - 1 - logvar / 2),
            ),
            (
                "the logarithm counts double: log(sigma) is logvar / 2.",
                lambda mean, logvar: 0.5 * summed(mean**2 + logvar.exp() - 1 - 2 * logvar),
            ),
            (
                "exp(logvar) is the variance, not the standard deviation: log(sigma) is logvar / 2.",
                lambda mean, logvar: 0.5 * summed(mean**2 + (2 * logvar).exp() - 1 - 2 * logvar),
            ),
            (
                "each value of a latent has a -1/2 of its own; here it is subtracted once, after the sum.",
                lambda mean, logvar: 0.5 * summed(mean**2 + logvar.exp() - logvar) - 0.5,
            ),
            (
                "the constant counts double: subtract 1/2 for each value, or 1 inside the bracket that is halved.",
                lambda mean, logvar: 0.5 * summed(mean**2 + logvar.exp() - 2 - logvar),
            ),
            (
                "check the brackets: the variance and the squared mean stand above one fraction bar, and both are halved.",
                lambda mean, logvar: 0.5 * summed(mean**2 + 2 * logvar.exp() - 1 - logvar),
            ),
            (
                "the variance below the fraction bar is that of the second distribution, the standard normal: it is 1.",
                lambda mean, logvar: 0.5 * summed(mean**2 / logvar.exp() - logvar),
            ),
            (
                "math.exp and math.log take a single number; for a whole tensor there are torch.exp and torch.log.",
                lambda mean, logvar: math.log(logvar.detach().exp()),
            ),
            (
                "this sums over the channels only; sum over dimensions 1, 2 and 3.",
                lambda mean, logvar: 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(1),
            ),
        ),
        "this keeps the latents close together, near the standard normal noise that sampling starts from.",
    ),
    NO_PRICE,
    PRECISE,
]
