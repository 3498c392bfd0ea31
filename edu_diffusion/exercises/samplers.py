"""Questions of lesson 07: who adds noise, what a step does, and the step of DDIM; Heun's is in heun.py."""

import torch

from ..steps import ddim_step, predict_x0, q_sample, sigma
from .exercise import Exercise
from .heun import HEUN_STEP
from .samplers_choices import ADDS_NOISE, FEW_CALLS, FRESH_NOISE, HEUN_ERROR, ONE_JUMP


def steps_to_go():
    """Arguments (x_t, eps, abar_t, abar_s): two steps with abar as tensors, and the last one, with plain numbers."""
    rng = torch.Generator().manual_seed(14)
    x_t, eps = torch.randn(2, 2, 4, 3, 5, generator=rng)
    found = [(x_t, eps, torch.tensor(abar_t), torch.tensor(abar_s)) for abar_t, abar_s in ((0.1, 0.35), (0.6, 0.95))]
    return [*found, (x_t, eps, 0.8, 1.0)]


def euler_in_x(x_t, eps, abar_t, abar_s):
    return x_t + (sigma(abar_s) - sigma(abar_t)) * eps


def euler_in_y(x_t, eps, abar_t, abar_s):
    return x_t / abar_t**0.5 + (sigma(abar_s) - sigma(abar_t)) * eps


def halved(abar_s, x_0, eps):
    """Noise added with ** 1/2, which is no root."""
    return abar_s / 2 * x_0 + (1 - abar_s) / 2 * eps


EXERCISES = [
    ADDS_NOISE,
    ONE_JUMP,
    HEUN_ERROR,
    FEW_CALLS,
    FRESH_NOISE,
    HEUN_STEP,
    Exercise(
        "ddim_step",
        ddim_step,
        steps_to_go,
        (
            (
                "this is the predicted x_0; now add noise again, as much as belongs to timestep s.",
                lambda x_t, eps, abar_t, abar_s: predict_x0(x_t, eps, abar_t),
            ),
            (
                "you are back at x_t: predict x_0 with abar_t, and add noise again with abar_s.",
                lambda x_t, eps, abar_t, abar_s: q_sample(predict_x0(x_t, eps, abar_t), eps, abar_t),
            ),
            (
                "the two timesteps are swapped: x_t is at timestep t, and you go to timestep s.",
                lambda x_t, eps, abar_t, abar_s: q_sample(predict_x0(x_t, eps, abar_s), eps, abar_t),
            ),
            (
                "the predicted x_0 is weighted, but no noise is added again; eps has the weight sqrt(1 - abar_s).",
                lambda x_t, eps, abar_t, abar_s: abar_s**0.5 * predict_x0(x_t, eps, abar_t),
            ),
            (
                "the noise that is added again belongs to timestep s: its weight is sqrt(1 - abar_s).",
                lambda x_t, eps, abar_t, abar_s: abar_s**0.5 * predict_x0(x_t, eps, abar_t) + (1 - abar_t) ** 0.5 * eps,
            ),
            (
                "the predicted x_0 gets the weight of timestep s, sqrt(abar_s).",
                lambda x_t, eps, abar_t, abar_s: abar_t**0.5 * predict_x0(x_t, eps, abar_t) + (1 - abar_s) ** 0.5 * eps,
            ),
            (
                "at timestep s the predicted x_0 has a weight, too: sqrt(abar_s).",
                lambda x_t, eps, abar_t, abar_s: predict_x0(x_t, eps, abar_t) + (1 - abar_s) ** 0.5 * eps,
            ),
            (
                "the noise must be added again, not subtracted once more.",
                lambda x_t, eps, abar_t, abar_s: abar_s**0.5 * predict_x0(x_t, eps, abar_t) - (1 - abar_s) ** 0.5 * eps,
            ),
            (
                "both weights of timestep s lack their square root.",
                lambda x_t, eps, abar_t, abar_s: abar_s * predict_x0(x_t, eps, abar_t) + (1 - abar_s) * eps,
            ),
            (
                "the weight of the noise that is added again lacks its square root.",
                lambda x_t, eps, abar_t, abar_s: abar_s**0.5 * predict_x0(x_t, eps, abar_t) + (1 - abar_s) * eps,
            ),
            (
                "1 - sqrt(abar_s) is not sqrt(1 - abar_s); the second is the weight of the noise.",
                lambda x_t, eps, abar_t, abar_s: abar_s**0.5 * predict_x0(x_t, eps, abar_t) + (1 - abar_s**0.5) * eps,
            ),
            (
                "the predicted x_0 lacks its last step: divide by sqrt(abar_t).",
                lambda x_t, eps, abar_t, abar_s: q_sample(x_t - (1 - abar_t) ** 0.5 * eps, eps, abar_s),
            ),
            (
                "x_0 is predicted with a division by abar_t; divide by its square root.",
                lambda x_t, eps, abar_t, abar_s: q_sample((x_t - (1 - abar_t) ** 0.5 * eps) / abar_t, eps, abar_s),
            ),
            (
                "all the weights lack their square roots: the image has sqrt(abar), the noise sqrt(1 - abar).",
                lambda x_t, eps, abar_t, abar_s: abar_s * (x_t - (1 - abar_t) * eps) / abar_t + (1 - abar_s) * eps,
            ),
            (
                "in the guess of x_0, the weight of the noise lacks its square root: sqrt(1 - abar_t).",
                lambda x_t, eps, abar_t, abar_s: q_sample((x_t - (1 - abar_t) * eps) / abar_t**0.5, eps, abar_s),
            ),
            (
                "to get x_0, the noise is subtracted from x_t, not added to it.",
                lambda x_t, eps, abar_t, abar_s: q_sample(predict_x0(x_t, -eps, abar_t), eps, abar_s),
            ),
            (
                "the noise of timestep t is still in it: subtract sqrt(1 - abar_t) * eps from x_t before dividing.",
                lambda x_t, eps, abar_t, abar_s: q_sample(x_t / abar_t**0.5, eps, abar_s),
            ),
            (
                "to get x_0, divide by sqrt(abar_t), do not multiply by it.",
                lambda x_t, eps, abar_t, abar_s: q_sample(abar_t * predict_x0(x_t, eps, abar_t), eps, abar_s),
            ),
            (
                "a power comes before a division: a ** 1/2 is half of a. For a square root, write a ** 0.5.",
                lambda x_t, eps, abar_t, abar_s: halved(abar_s, (x_t - (1 - abar_t) / 2 * eps) / abar_t / 2, eps),
            ),
            (
                "check the brackets: the whole difference of x_t and noise is divided by sqrt(abar_t), not the noise alone.",
                lambda x_t, eps, abar_t, abar_s: q_sample(x_t - (1 - abar_t) ** 0.5 * eps / abar_t**0.5, eps, abar_s),
            ),
            (
                "1 - sqrt(abar) is not sqrt(1 - abar); the second is the weight of the noise, at t and at s.",
                lambda x_t, eps, abar_t, abar_s: (
                    abar_s**0.5 * (x_t - (1 - abar_t**0.5) * eps) / abar_t**0.5 + (1 - abar_s**0.5) * eps
                ),
            ),
            (
                "x_t itself is noisy already: add the noise to the predicted x_0, predict_x0(x_t, eps, abar_t).",
                lambda x_t, eps, abar_t, abar_s: q_sample(x_t, eps, abar_s),
            ),
            (
                "do not clip the predicted x_0 to [-1, 1]: the values of latents go beyond.",
                lambda x_t, eps, abar_t, abar_s: q_sample(predict_x0(x_t, eps, abar_t).clamp(-1, 1), eps, abar_s),
            ),
            (
                "this is Euler's step for y = x / sqrt(abar): divide x_t by sqrt(abar_t) before it, and multiply by sqrt(abar_s) "
                "after it.",
                euler_in_x,
            ),
            ("this is y_s; multiply it by sqrt(abar_s) to get x_s.", euler_in_y),
            (
                "abar_t or abar_s may be a plain number, such as 1.0 in the last step, which has no .sqrt(); write ** 0.5.",
                lambda x_t, eps, abar_t, abar_s: x_t / abar_t.sqrt(),
            ),
            (
                "abar_t or abar_s may be a plain number, such as 1.0 in the last step, and torch.sqrt takes tensors only; write "
                "** 0.5.",
                lambda x_t, eps, abar_t, abar_s: x_t / torch.sqrt(abar_t),
            ),
        ),
        "one step closer to the image, and without any new random numbers.",
    ),
]
