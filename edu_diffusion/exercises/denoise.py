"""Exercises of lesson 02: the training loss of a denoiser, and the x_0 that its prediction implies."""

import torch

from ..steps import predict_x0, q_sample
from .exercise import Exercise


def noise_loss(model, x_0, eps, t, abar):
    return (model(q_sample(x_0, eps, abar[t]), t) - eps).square().mean()


class Guess(torch.nn.Module):
    """Stands in for a network: its output depends on the picture, on the timestep and on a weight that can be trained."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, x, t):
        return self.weight * x + 0.1 * t.reshape(-1, 1, 1, 1)


def batches():
    """Arguments (model, x_0, eps, t, abar); batch size and width are equal, so that mistakes run without an error."""
    rng = torch.Generator().manual_seed(12)
    x_0, eps = torch.rand(4, 1, 4, 4, generator=rng) * 2 - 1, torch.randn(4, 1, 4, 4, generator=rng)
    abar = torch.linspace(0.99, 0.01, 9)
    return [(Guess(), x_0, eps, torch.tensor(t), abar) for t in ([1, 3, 5, 8], [2, 2, 7, 4])]


def noisy_pictures():
    """Arguments (x_t, eps, abar_t)."""
    rng = torch.Generator().manual_seed(13)
    x_0, eps = torch.rand(2, 1, 4, 4, generator=rng) * 2 - 1, torch.randn(2, 1, 4, 4, generator=rng)
    return [(q_sample(x_0, eps, abar_t), eps, abar_t) for abar_t in torch.tensor([0.3, 0.85])]


EXERCISES = [
    Exercise(
        "noise_loss",
        noise_loss,
        batches,
        (
            (
                "the target is the noise eps, not the clean picture: this model predicts the noise.",
                lambda model, x_0, eps, t, abar: (model(q_sample(x_0, eps, abar[t]), t) - x_0).square().mean(),
            ),
            (
                "this compares the noise with the noisy picture; compare it with the model's prediction.",
                lambda model, x_0, eps, t, abar: (q_sample(x_0, eps, abar[t]) - eps).square().mean(),
            ),
            (
                "the model is given the clean picture; give it the noisy one, q_sample(x_0, eps, abar[t]).",
                lambda model, x_0, eps, t, abar: (model(x_0, t) - eps).square().mean(),
            ),
            (
                "the model is given the noise alone; give it the noisy picture, q_sample(x_0, eps, abar[t]).",
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
                "the loss must be a single number: take the mean over the pictures of the batch as well.",
                lambda model, x_0, eps, t, abar: (model(q_sample(x_0, eps, abar[t]), t) - eps).square().mean((1, 2, 3)),
            ),
            (
                "this is the square root of the mean, a different loss; leave out the root.",
                lambda model, x_0, eps, t, abar: (model(q_sample(x_0, eps, abar[t]), t) - eps).square().mean().sqrt(),
            ),
            (
                "picture and noise are swapped in q_sample(x_0, eps, abar[t]).",
                lambda model, x_0, eps, t, abar: (model(q_sample(eps, x_0, abar[t]), t) - eps).square().mean(),
            ),
            (
                "the timestep is off by one: the signal that is left at timestep t is abar[t].",
                lambda model, x_0, eps, t, abar: (model(q_sample(x_0, eps, abar[t - 1]), t) - eps).square().mean(),
            ),
            (
                "abar[t] has one value for each picture, not one for each column: let q_sample do the mixing.",
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
                "what is left still has the weight sqrt(abar_t); divide by it.",
                lambda x_t, eps, abar_t: x_t - (1 - abar_t) ** 0.5 * eps,
            ),
            (
                "divide by the square root of abar_t, not by abar_t.",
                lambda x_t, eps, abar_t: (x_t - (1 - abar_t) ** 0.5 * eps) / abar_t,
            ),
            ("the weight of eps lacks its square root.", lambda x_t, eps, abar_t: (x_t - (1 - abar_t) * eps) / abar_t**0.5),
            (
                "the noise must be subtracted, not added once more.",
                lambda x_t, eps, abar_t: (x_t + (1 - abar_t) ** 0.5 * eps) / abar_t**0.5,
            ),
            (
                "brackets are missing: divide all of x_t - sqrt(1 - abar_t) eps.",
                lambda x_t, eps, abar_t: x_t - (1 - abar_t) ** 0.5 * eps / abar_t**0.5,
            ),
            (
                "x_t must not be multiplied by anything; solve x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps for x_0.",
                lambda x_t, eps, abar_t: abar_t**0.5 * x_t - (1 - abar_t) ** 0.5 * eps,
            ),
        ),
        "if you know the noise, you know the picture.",
    ),
]
