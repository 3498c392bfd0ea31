"""Exercises of lesson 01: the noise schedule, and adding noise; the training loop is in training_loop.py."""

import torch

from ..steps import predict_x0, q_sample
from .exercise import Exercise
from .noise_choices import FILE_SIZE, FLAT_CURVE, HALF_TIME, PIXEL_VARIANCE
from .training_loop import TRAINING_LOOP


def images():
    """Arguments (x_0, eps, abar_t): images, noise, and abar_t as a tensor, so that torch.sqrt takes it."""
    rng = torch.Generator().manual_seed(11)
    x_0, eps = torch.rand(2, 3, 4, 5, generator=rng) * 2 - 1, torch.randn(2, 3, 4, 5, generator=rng)
    return [(x_0, eps, torch.tensor(0.3)), (x_0, eps, torch.tensor(0.85))]


def batches():
    """Arguments (x_0, eps, t, abar): eight images, as in the lesson, with as many rows and columns, so that mistakes run."""
    return [batch(t) for t in ([1, 3, 5, 8, 0, 2, 7, 6], [7, 0, 2, 6, 4, 4, 1, 8])]


def other_batches():
    """The same with five images."""
    return [batch([7, 0, 2, 6, 4])]


def batch(t):
    """Arguments (x_0, eps, t, abar) for the timesteps t, one for each image."""
    x_0, eps = torch.randn(2, len(t), 1, len(t), len(t), generator=torch.Generator().manual_seed(21 + t[0]))
    return x_0, eps, torch.tensor(t), torch.linspace(0.97, 0.02, 9)


def noisy_batch(x_0, eps, t, abar):
    return torch.stack([q_sample(x, e, a) for x, e, a in zip(x_0, eps, abar[t])])


def noisy_images():
    """Arguments (x_t, eps, abar_t, abar_u) with abar_u below abar_t."""
    rng = torch.Generator().manual_seed(22)
    x_t, eps = torch.randn(2, 2, 3, 4, 5, generator=rng)
    return [(x_t, eps, torch.tensor(a), torch.tensor(b)) for a, b in ((0.8, 0.2), (0.6, 0.45))]


def more_noise(x_t, eps, abar_t, abar_u):
    return q_sample(x_t, eps, abar_u / abar_t)


EXERCISES = [
    HALF_TIME,
    FLAT_CURVE,
    Exercise(
        "q_sample",
        q_sample,
        images,
        (
            (
                "both weights lack their square root: abar_t is a variance, so x_0 and eps are multiplied by square roots.",
                lambda x_0, eps, abar_t: abar_t * x_0 + (1 - abar_t) * eps,
            ),
            ("the weight of eps lacks its square root.", lambda x_0, eps, abar_t: abar_t**0.5 * x_0 + (1 - abar_t) * eps),
            ("the weight of x_0 lacks its square root.", lambda x_0, eps, abar_t: abar_t * x_0 + (1 - abar_t) ** 0.5 * eps),
            (
                "the two weights are swapped: where abar_t is near 1, the image must be nearly clean.",
                lambda x_0, eps, abar_t: (1 - abar_t) ** 0.5 * x_0 + abar_t**0.5 * eps,
            ),
            ("the noise is added, not subtracted.", lambda x_0, eps, abar_t: abar_t**0.5 * x_0 - (1 - abar_t) ** 0.5 * eps),
            (
                "the image keeps its full strength; all the single steps together multiply it by the square root of abar_t.",
                lambda x_0, eps, abar_t: x_0 + (1 - abar_t) ** 0.5 * eps,
            ),
            (
                "the noise is added at full strength; its variance must be what is missing to 1.",
                lambda x_0, eps, abar_t: abar_t**0.5 * x_0 + eps,
            ),
            (
                "1 - sqrt(abar_t) is not sqrt(1 - abar_t); variances add up to 1, not their roots.",
                lambda x_0, eps, abar_t: abar_t**0.5 * x_0 + (1 - abar_t**0.5) * eps,
            ),
            (
                "brackets are missing: the root is taken of 1 - abar_t as a whole, so write (1 - abar_t) ** 0.5.",
                lambda x_0, eps, abar_t: abar_t**0.5 * x_0 + 1 - abar_t**0.5 * eps,
            ),
            (
                "a ** 1/2 is half of a, since ** comes before /; a root is a ** 0.5.",
                lambda x_0, eps, abar_t: abar_t / 2 * x_0 + (1 - abar_t) / 2 * eps,
            ),
            (
                "signal and noise are multiplied with each other; they are added.",
                lambda x_0, eps, abar_t: abar_t**0.5 * x_0 * (1 - abar_t) ** 0.5 * eps,
            ),
            ("the image is missing: only the noise is left.", lambda x_0, eps, abar_t: (1 - abar_t) ** 0.5 * eps),
            (
                "both get the same weight; the smaller abar_t is, the more noise there must be.",
                lambda x_0, eps, abar_t: abar_t**0.5 * (x_0 + eps),
            ),
        ),
        "this makes an image noisy, up to any timestep in a single step.",
    ),
    Exercise(
        "noisy_batch",
        noisy_batch,
        batches,
        (
            (
                "each column of pixels has its own noise level: the numbers in abar[t] are lined up with the last dimension of "
                "x_0. Which shape would line them up with the first one? (A call of view does not change abar_t; keep what it "
                "returns: abar_t = abar_t.view(...).)",
                lambda x_0, eps, t, abar: abar[t] ** 0.5 * x_0 + (1 - abar[t]) ** 0.5 * eps,
            ),
            (
                "now each row of pixels has its own noise level; two dimensions of size 1 are still missing.",
                lambda x_0, eps, t, abar: abar[t][:, None] ** 0.5 * x_0 + (1 - abar[t][:, None]) ** 0.5 * eps,
            ),
            (
                "the result has too many channels: the noise levels are lined up with the channels, the second dimension; they "
                "belong to the images, the first of four.",
                lambda x_0, eps, t, abar: abar[t][:, None, None] ** 0.5 * x_0 + (1 - abar[t][:, None, None]) ** 0.5 * eps,
            ),
            ("every image has the noise level of the first one.", lambda x_0, eps, t, abar: q_sample(x_0, eps, abar[t[0]])),
            (
                "every image has the average noise level; each should have its own.",
                lambda x_0, eps, t, abar: q_sample(x_0, eps, abar[t].mean()),
            ),
            (
                "the noise levels are those of timesteps 0, 1, 2, ...: look them up with abar[t].",
                lambda x_0, eps, t, abar: q_sample(x_0, eps, abar[: len(t)]),
            ),
            (
                "the shape is right now, but the square roots are gone.",
                lambda x_0, eps, t, abar: x_0 * abar[t][:, None, None, None] + (1 - abar[t][:, None, None, None]) * eps,
            ),
            (
                "only one of the two weights has the new shape; each column still has its own weight of the noise.",
                lambda x_0, eps, t, abar: abar[t][:, None, None, None] ** 0.5 * x_0 + (1 - abar[t]) ** 0.5 * eps,
            ),
            (
                "only one of the two weights has the new shape; each column still has its own weight of the image.",
                lambda x_0, eps, t, abar: abar[t] ** 0.5 * x_0 + (1 - abar[t][:, None, None, None]) ** 0.5 * eps,
            ),
            (
                "the timestep itself is used as the signal that is left; look it up with abar[t].",
                lambda x_0, eps, t, abar: q_sample(x_0, eps, t / len(abar)),
            ),
            (
                "the two weights are swapped: a large abar[t] means little noise.",
                lambda x_0, eps, t, abar: q_sample(x_0, eps, 1 - abar[t]),
            ),
        ),
        "every image of the batch now has its own timestep, as in every training of a diffusion model.",
        finer=other_batches,
        note="Yours fits a batch of eight images only; with -1 or len(t) in place of the 8 it would fit every batch.",
    ),
    PIXEL_VARIANCE,
    FILE_SIZE,
    TRAINING_LOOP,
    Exercise(
        "more_noise",
        more_noise,
        noisy_images,
        (
            (
                "x_t is treated as if it were clean. It has lost some signal already: by how much must what is left be multiplied, "
                "so that abar_u remains?",
                lambda x_t, eps, abar_t, abar_u: q_sample(x_t, eps, abar_u),
            ),
            (
                "the signal is right, but there is too much noise now: x_t brings some with it. The new one must only fill what is "
                "missing.",
                lambda x_t, eps, abar_t, abar_u: (abar_u / abar_t) ** 0.5 * x_t + (1 - abar_u) ** 0.5 * eps,
            ),
            (
                "the noise that x_t contains shrinks along with the signal; the new noise has to make up for that as well.",
                lambda x_t, eps, abar_t, abar_u: (abar_u / abar_t) ** 0.5 * x_t + (abar_t - abar_u) ** 0.5 * eps,
            ),
            (
                "x_t keeps its full strength, so too much of the signal is left.",
                lambda x_t, eps, abar_t, abar_u: x_t + (abar_t - abar_u) ** 0.5 * eps,
            ),
            (
                "the square roots are missing: abar is a share of the variance.",
                lambda x_t, eps, abar_t, abar_u: abar_u / abar_t * x_t + (1 - abar_u / abar_t) * eps,
            ),
            (
                "shares are multiplied from step to step: abar_t times something must give abar_u.",
                lambda x_t, eps, abar_t, abar_u: q_sample(x_t, eps, abar_t * abar_u),
            ),
            (
                "shares are multiplied from step to step, not subtracted: abar_t times something must give abar_u.",
                lambda x_t, eps, abar_t, abar_u: q_sample(x_t, eps, 1 - (abar_t - abar_u)),
            ),
            (
                "variances of independent noise add, standard deviations do not.",
                lambda x_t, eps, abar_t, abar_u: (abar_u / abar_t) ** 0.5 * x_t + ((1 - abar_u) ** 0.5 - (1 - abar_t) ** 0.5) * eps,
            ),
            (
                "eps is fresh noise, not the noise in x_t, so x_0 cannot be computed with it; scale x_t, and add noise.",
                lambda x_t, eps, abar_t, abar_u: q_sample(predict_x0(x_t, eps, abar_t), eps, abar_u),
            ),
            (
                "the result is NaN, since a negative number has no root: abar_u is smaller than abar_t, so abar_t / abar_u is "
                "above 1, and abar_u - abar_t is below 0.",
                lambda x_t, eps, abar_t, abar_u: q_sample(x_t, eps, abar_t / abar_u),
            ),
            (
                "the two are divided the wrong way round: abar_u is the smaller one.",
                lambda x_t, eps, abar_t, abar_u: (abar_t / abar_u) ** 0.5 * x_t + (1 - abar_u / abar_t) ** 0.5 * eps,
            ),
        ),
        "noising in two stages gives the same distribution as noising at once.",
    ),
]
