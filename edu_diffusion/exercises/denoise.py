"""Exercises of lesson 02: the best possible guess, a loss, and what a prediction implies; the loops are in denoise_loops.py."""

import torch

from ..steps import eps_from_v, predict_x0, q_sample, x0_from_v
from .denoise_choices import C3_WEIGHTS, FIRST_GUESS, PERFECT_DIGITS
from .denoise_loops import AVERAGED_TRAINING, SAMPLING_LOOP, check_images
from .exercise import Exercise


def noise_loss(model, x_0, eps, t, abar):
    return (model(q_sample(x_0, eps, abar[t]), t) - eps).square().mean()


class Guess(torch.nn.Module):
    """Stands in for a network: its output depends on the picture, on the timestep and on a weight that can be trained."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, x, t):
        check_images(x)
        return self.weight * x + 0.1 * t.reshape(-1, 1, 1, 1)


def batches():
    """Arguments (model, x_0, eps, t, abar); as many images as columns and as timesteps in all, so that mistakes run."""
    rng = torch.Generator().manual_seed(12)
    x_0, eps = torch.rand(6, 1, 6, 6, generator=rng) * 2 - 1, torch.randn(6, 1, 6, 6, generator=rng)
    abar = torch.linspace(0.99, 0.01, 6)
    return [(Guess(), x_0, eps, torch.tensor(t), abar) for t in ([1, 3, 5, 4, 0, 2], [2, 2, 5, 4, 1, 3])]


def noisy_pictures():
    """Arguments (x_t, eps, abar_t)."""
    rng = torch.Generator().manual_seed(13)
    x_0, eps = torch.randn(2, 2, 1, 4, 4, generator=rng)  # some beyond -1 and 1, as in latents and in rough guesses
    return [(q_sample(x_0, eps, abar_t), eps, abar_t) for abar_t in torch.tensor([0.3, 0.85])]


def velocities():
    """Arguments (v, x_t, abar_t)."""
    rng = torch.Generator().manual_seed(15)
    return [(*torch.randn(2, 2, 1, 4, 5, generator=rng), abar_t) for abar_t in torch.tensor([0.3, 0.85])]


EXERCISES = [
    FIRST_GUESS,
    PERFECT_DIGITS,
    Exercise(
        "noise_loss",
        noise_loss,
        batches,
        (
            (
                "the target is the noise eps, not the clean image: this model predicts the noise.",
                lambda model, x_0, eps, t, abar: (model(q_sample(x_0, eps, abar[t]), t) - x_0).square().mean(),
            ),
            (
                "the target is the noise eps, not the noisy image: this model predicts the noise.",
                lambda model, x_0, eps, t, abar: (model(x_t := q_sample(x_0, eps, abar[t]), t) - x_t).square().mean(),
            ),
            (
                "x_0 and eps are added as they are; both have a weight: use q_sample.",
                lambda model, x_0, eps, t, abar: (model(x_0 + eps, t) - eps).square().mean(),
            ),
            (
                "this compares the noise with the noisy image; compare it with the model's prediction.",
                lambda model, x_0, eps, t, abar: (q_sample(x_0, eps, abar[t]) - eps).square().mean(),
            ),
            (
                "the model is given the clean image; give it the noisy one, q_sample(x_0, eps, abar[t]).",
                lambda model, x_0, eps, t, abar: (model(x_0, t) - eps).square().mean(),
            ),
            (
                "the model is given the noise alone; give it the noisy image, q_sample(x_0, eps, abar[t]).",
                lambda model, x_0, eps, t, abar: (model(eps, t) - eps).square().mean(),
            ),
            (
                "take the mean of the squares, not their sum: otherwise the loss grows with the number of pixels.",
                lambda model, x_0, eps, t, abar: (model(q_sample(x_0, eps, abar[t]), t) - eps).square().sum(),
            ),
            (
                "the differences are not squared, so positive and negative ones cancel.",
                lambda model, x_0, eps, t, abar: (model(q_sample(x_0, eps, abar[t]), t) - eps).mean(),
            ),
            (
                "these are absolute differences; take their squares.",
                lambda model, x_0, eps, t, abar: (model(q_sample(x_0, eps, abar[t]), t) - eps).abs().mean(),
            ),
            (
                "square first, then take the mean: this is the square of the mean.",
                lambda model, x_0, eps, t, abar: (model(q_sample(x_0, eps, abar[t]), t) - eps).mean().square(),
            ),
            (
                "the loss must be a single number: end with .mean() over everything.",
                lambda model, x_0, eps, t, abar: (model(q_sample(x_0, eps, abar[t]), t) - eps).square(),
            ),
            (
                "the loss must be a single number: take the mean over the images of the batch as well.",
                lambda model, x_0, eps, t, abar: (model(q_sample(x_0, eps, abar[t]), t) - eps).square().mean((1, 2, 3)),
            ),
            (
                "this is the norm, the square root of the sum; the loss is the mean of the squares.",
                lambda model, x_0, eps, t, abar: (model(q_sample(x_0, eps, abar[t]), t) - eps).norm(),
            ),
            (
                "the model is given abar[t]; give it the timestep t.",
                lambda model, x_0, eps, t, abar: (model(q_sample(x_0, eps, abar[t]), abar[t]) - eps).square().mean(),
            ),
            (
                "the result is NaN, as from the root of a negative number: q_sample takes abar[t], and not the timestep t.",
                lambda model, x_0, eps, t, abar: (model(q_sample(x_0, eps, t), t) - eps).square().mean(),
            ),
            (
                "abar is the whole table; abar[t] holds the values that belong to the images.",
                lambda model, x_0, eps, t, abar: (model(q_sample(x_0, eps, abar), t) - eps).square().mean(),
            ),
            (
                "this compares a guess of the clean image with it; compare the predicted noise with eps.",
                lambda model, x_0, eps, t, abar: (
                    (predict_x0(x_t := q_sample(x_0, eps, abar[t]), model(x_t, t), abar[t]) - x_0).square().mean()
                ),
            ),
            (
                "this is the square root of the mean, a different loss; leave out the root.",
                lambda model, x_0, eps, t, abar: (model(q_sample(x_0, eps, abar[t]), t) - eps).square().mean().sqrt(),
            ),
            (
                "image and noise are swapped in q_sample(x_0, eps, abar[t]).",
                lambda model, x_0, eps, t, abar: (model(q_sample(eps, x_0, abar[t]), t) - eps).square().mean(),
            ),
            (
                "the timestep is off by one: the signal that is left at timestep t is abar[t].",
                lambda model, x_0, eps, t, abar: (model(q_sample(x_0, eps, abar[t - 1]), t) - eps).square().mean(),
            ),
            (
                "abar[t] has one value for each image, not one for each column: let q_sample do the mixing.",
                lambda model, x_0, eps, t, abar: (
                    (model(abar[t] ** 0.5 * x_0 + (1 - abar[t]) ** 0.5 * eps, t) - eps).square().mean()
                ),
            ),
        ),
        "a network that makes this loss small has learned to predict the noise.",
    ),
    Exercise(
        "predict_x0",
        predict_x0,
        noisy_pictures,
        (
            (
                "the noise in x_t has the weight sqrt(1 - abar_t); subtract eps with this weight, not all of it.",
                lambda x_t, eps, abar_t: (x_t - eps) / abar_t**0.5,
            ),
            (
                "x_t is not the sum of x_0 and eps: both have a weight in it. Solve x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps "
                "for x_0.",
                lambda x_t, eps, abar_t: x_t - eps,
            ),
            (
                "what is left still has the weight sqrt(abar_t); divide by it.",
                lambda x_t, eps, abar_t: x_t - (1 - abar_t) ** 0.5 * eps,
            ),
            (
                "divide by the square root of abar_t, not by abar_t.",
                lambda x_t, eps, abar_t: (x_t - (1 - abar_t) ** 0.5 * eps) / abar_t,
            ),
            ("the weight of eps lacks its square root.", lambda x_t, eps, abar_t: (x_t - (1 - abar_t) * eps) / abar_t**0.5),
            (
                "you multiply by the square root of abar_t; divide by it.",
                lambda x_t, eps, abar_t: (x_t - (1 - abar_t) ** 0.5 * eps) * abar_t**0.5,
            ),
            (
                "a ** 1/2 is half of a, since ** comes before /; a root is a ** 0.5.",
                lambda x_t, eps, abar_t: (x_t - (1 - abar_t) / 2 * eps) / abar_t / 2,
            ),
            (
                "the result is cut off at -1 and 1; a guess may lie beyond, so return it as it is.",
                lambda x_t, eps, abar_t: predict_x0(x_t, eps, abar_t).clamp(-1, 1),
            ),
            (
                "the noise must be subtracted, not added once more.",
                lambda x_t, eps, abar_t: (x_t + (1 - abar_t) ** 0.5 * eps) / abar_t**0.5,
            ),
            (
                "brackets are missing: divide all of x_t - sqrt(1 - abar_t) eps.",
                lambda x_t, eps, abar_t: x_t - (1 - abar_t) ** 0.5 * eps / abar_t**0.5,
            ),
            (
                "x_t alone is divided; divide all of x_t - sqrt(1 - abar_t) eps.",
                lambda x_t, eps, abar_t: x_t / abar_t**0.5 - (1 - abar_t) ** 0.5 * eps,
            ),
            (
                "1 - sqrt(abar_t) is not sqrt(1 - abar_t); variances add up to 1, not their roots.",
                lambda x_t, eps, abar_t: (x_t - (1 - abar_t**0.5) * eps) / abar_t**0.5,
            ),
            (
                "x_t must not be multiplied by anything; solve x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps for x_0.",
                lambda x_t, eps, abar_t: abar_t**0.5 * x_t - (1 - abar_t) ** 0.5 * eps,
            ),
        ),
        "a prediction of the noise is a prediction of the clean image.",
    ),
    SAMPLING_LOOP,
    AVERAGED_TRAINING,
    C3_WEIGHTS,
    Exercise(
        "eps_from_v",
        eps_from_v,
        velocities,
        (
            ("this is x_0, the other unknown of the two equations; eps is asked for.", lambda v, x_t, a: x0_from_v(v, x_t, a)),
            (
                "a sign is wrong: put your result and x_0 into the definition of v, and see whether v comes out.",
                lambda v, x_t, a: a**0.5 * v - (1 - a) ** 0.5 * x_t,
            ),
            ("the sign is wrong: x_t contains eps with a plus.", lambda v, x_t, a: -(a**0.5) * v - (1 - a) ** 0.5 * x_t),
            (
                "the two weights are swapped: at little noise (abar_t near 1) v is nearly eps.",
                lambda v, x_t, a: (1 - a) ** 0.5 * v + a**0.5 * x_t,
            ),
            ("the square roots are missing.", lambda v, x_t, a: a * v + (1 - a) * x_t),
            ("only v is used; x_t knows about eps, too.", lambda v, x_t, a: v / a**0.5),
            ("x_t is used at full strength; it has a weight as well.", lambda v, x_t, a: a**0.5 * v + x_t),
            ("v is used at full strength; it has a weight as well.", lambda v, x_t, a: v + (1 - a) ** 0.5 * x_t),
            (
                "the equations are added as they are, so x_0 does not drop out; multiply each by a factor first.",
                lambda v, x_t, a: (v + x_t) / (a**0.5 + (1 - a) ** 0.5),
            ),
            (
                "in x_t, x_0 has the weight sqrt(abar_t); subtract it with this weight, not all of it.",
                lambda v, x_t, a: (x_t - x0_from_v(v, x_t, a)) / (1 - a) ** 0.5,
            ),
            (
                "v must be multiplied by its weight, not divided: choose factors so that x_0 drops out when you add the equations.",
                lambda v, x_t, a: (v + (1 - a) ** 0.5 * x_t) / a**0.5,
            ),
            (
                "a sign got lost: once x_0 is put into the definition of v, the two terms with eps are added, since minus times "
                "minus is plus.",
                lambda v, x_t, a: (a**0.5 * v + (1 - a) ** 0.5 * x_t) / (2 * a - 1),
            ),
        ),
        "two equations, two unknowns: a network that predicts v can be used wherever noise is expected.",
    ),
]
