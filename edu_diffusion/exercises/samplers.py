"""Questions of lesson 07: who adds noise, what a step does, and the step of DDIM; Heun's is in heun.py."""

import torch

from ..steps import ddim_step, predict_x0, q_sample, sigma
from .choices import Choice, Number
from .exercise import Exercise
from .heun import HEUN_STEP


def steps_to_go():
    """Arguments (x_t, eps, abar_t, abar_s): early and late steps, with abar as tensors, as in the loop."""
    rng = torch.Generator().manual_seed(14)
    x_t, eps = torch.randn(2, 2, 4, 3, 5, generator=rng)
    return [(x_t, eps, torch.tensor(abar_t), torch.tensor(abar_s)) for abar_t, abar_s in ((0.1, 0.35), (0.6, 0.95))]


def euler_in_x(x_t, eps, abar_t, abar_s):
    return x_t + (sigma(abar_s) - sigma(abar_t)) * eps


def euler_in_y(x_t, eps, abar_t, abar_s):
    return x_t / abar_t**0.5 + (sigma(abar_s) - sigma(abar_t)) * eps


def halved(abar_s, x_0, eps):
    """Noise added with ** 1/2, which is no root."""
    return abar_s / 2 * x_0 + (1 - abar_s) / 2 * eps


ADDS_NOISE = Choice(
    "adds_noise",
    "C",
    {
        "A": "this is often said, but in the table only two of the six draw random numbers at all.",
        "B": "two of the six draw random numbers: with another seed they end elsewhere, although the start is the same.",
        "C": "only these two draw new noise. For the other four the seed counts once, for the noise at the start; after that the "
        "path is fixed.",
        "D": "being called second-order has nothing to do with noise: Heun evaluates the model twice, DPM++ 2M looks back one "
        "step, and neither draws a random number.",
    },
    prediction=True,
)

ONE_JUMP = Choice(
    "one_jump",
    "B",
    {
        "A": "small steps help only because the model is evaluated again after each of them. Here it is not, and the two results "
        "are equal.",
        "B": "as long as the predicted noise is the same, the guess of the clean image is the same, and it makes no difference "
        "where you stop on the way. New predictions are what steps are for.",
        "C": "the rounding errors of 20 steps are about a millionth. The two results are equal.",
        "D": "that is what happens with a new prediction in each step. With the first prediction alone, 20 steps are as blurred "
        "as one.",
    },
    prediction=True,
)

HEUN_ERROR = Choice(
    "heun_error",
    "A",
    {
        "A": "order 2: twice as many steps, a quarter of the error. DDIM has order 1.",
        "B": "that is DDIM's slope. Heun's line is steeper: follow it from 20 steps to 40.",
        "C": "Heun evaluates the model twice in each step, but that is a cost; its error does not have to follow. Read the slope.",
        "D": "no sampler is exact with finitely many steps; the line falls, but it does not drop to zero.",
    },
    prediction=True,
)

FEW_CALLS = Choice(
    "few_calls",
    "D",
    {
        "A": "an order says how fast the error falls with small steps, not how large it is with huge ones. At 4 evaluations DDIM "
        "is about as good as DPM++ 2M, and far better than Heun.",
        "B": "at 4 evaluations it has looked back only over huge steps, and that gains little. But it does not harm either: its "
        "error is about that of DDIM.",
        "C": "two of them are about the same, but the third line starts far higher.",
        "D": "Heun pays two evaluations for each step, so it makes half as many, and looks ahead over huge distances. What an "
        "order promises holds for small steps only.",
    },
    prediction=True,
)

FRESH_NOISE = Number(
    "fresh_noise",
    0.8,
    (
        ("standard deviations do not add, variances do.", 0.4),
        ("this is the variance of the fresh noise; the question asks for its standard deviation.", 0.64),
        ("the noise that is still there counts, too: only what is missing is added.", 1.0),
        ("this is what is there already.", 0.6),
        ("1.67 is the noise before the step; the fresh noise is added to the 0.6 that are left after it.", (1.67**2 - 1) ** 0.5),
        ("1.67 is the noise before the step; the fresh noise is added to the 0.6 that are left after it.", (1.67**2 - 0.36) ** 0.5),
        ("1.67 is the noise before the step; the fresh noise is added to the 0.6 that are left after it.", 0.67),
        ("1.67 is the noise before the step; the fresh noise is added to the 0.6 that are left after it.", 1.07),
        ("the variance of what is there is 0.36, and 1 is the *sum*: subtract.", 1.36**0.5),
        ("the variance of what is there is 0.36, and 1 is the *sum*: subtract.", 1.36),
        ("standard deviations do not add, variances do; and take the root at the end.", 0.4**0.5),
    ),
    "0.6² + 0.8² = 1. So most of the noise at the end of this step is new, and the old noise, with the path so far, is largely "
    "forgotten. This is why ancestral samplers give another image with every seed, and with every number of steps.",
)

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
        ),
        "one step closer to the image, and without any new random numbers.",
    ),
]
