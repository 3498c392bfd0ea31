"""Exercise of lesson 07: one step of a sampler."""

import torch

from ..steps import ddim_step, predict_x0, q_sample, sigma
from .exercise import Exercise


def steps_to_go():
    """Arguments (x_t, eps, abar_t, abar_s): early and late, and levels as numbers and as tensors."""
    rng = torch.Generator().manual_seed(14)
    x_t, eps = torch.randn(2, 2, 4, 3, 5, generator=rng)
    return [(x_t, eps, 0.1, 0.35), (x_t, eps, torch.tensor(0.6), torch.tensor(0.95))]


def euler_in_x(x_t, eps, abar_t, abar_s):
    return x_t + (sigma(abar_s) - sigma(abar_t)) * eps


def euler_in_y(x_t, eps, abar_t, abar_s):
    return x_t / abar_t**0.5 + (sigma(abar_s) - sigma(abar_t)) * eps


EXERCISES = [Exercise(
    "ddim_step", ddim_step, steps_to_go, (
        ("this is the guess of the clean picture; now put the noise back that belongs to level s.",
         lambda x_t, eps, abar_t, abar_s: predict_x0(x_t, eps, abar_t)),
        ("you are back where you were: guess x_0 with abar_t, and put the noise back with abar_s.",
         lambda x_t, eps, abar_t, abar_s: q_sample(predict_x0(x_t, eps, abar_t), eps, abar_t)),
        ("the two levels are exchanged: x_t is at level t, and you go to level s.",
         lambda x_t, eps, abar_t, abar_s: q_sample(predict_x0(x_t, eps, abar_s), eps, abar_t)),
        ("the guess is weighted, but no noise is put back; it has the weight sqrt(1 - abar_s).",
         lambda x_t, eps, abar_t, abar_s: abar_s**0.5 * predict_x0(x_t, eps, abar_t)),
        ("the noise that is put back belongs to level s: its weight is sqrt(1 - abar_s).",
         lambda x_t, eps, abar_t, abar_s: (
             abar_s**0.5 * predict_x0(x_t, eps, abar_t) + (1 - abar_t) ** 0.5 * eps)),
        ("the guess gets the weight of level s, sqrt(abar_s).",
         lambda x_t, eps, abar_t, abar_s: (
             abar_t**0.5 * predict_x0(x_t, eps, abar_t) + (1 - abar_s) ** 0.5 * eps)),
        ("at level s the guess has a weight too, sqrt(abar_s).",
         lambda x_t, eps, abar_t, abar_s: predict_x0(x_t, eps, abar_t) + (1 - abar_s) ** 0.5 * eps),
        ("the noise has to be put back, not taken away once more.",
         lambda x_t, eps, abar_t, abar_s: (
             abar_s**0.5 * predict_x0(x_t, eps, abar_t) - (1 - abar_s) ** 0.5 * eps)),
        ("both weights of level s lack their square root.",
         lambda x_t, eps, abar_t, abar_s: abar_s * predict_x0(x_t, eps, abar_t) + (1 - abar_s) * eps),
        ("the weight of the noise that is put back lacks its square root.",
         lambda x_t, eps, abar_t, abar_s: (
             abar_s**0.5 * predict_x0(x_t, eps, abar_t) + (1 - abar_s) * eps)),
        ("1 minus the root is not the root of 1 minus: the noise gets sqrt(1 - abar_s).",
         lambda x_t, eps, abar_t, abar_s: (
             abar_s**0.5 * predict_x0(x_t, eps, abar_t) + (1 - abar_s**0.5) * eps)),
        ("the guess lacks its last step: divide by sqrt(abar_t).",
         lambda x_t, eps, abar_t, abar_s: q_sample(x_t - (1 - abar_t) ** 0.5 * eps, eps, abar_s)),
        ("the guess is divided by abar_t; it has to be the square root of that.",
         lambda x_t, eps, abar_t, abar_s: q_sample((x_t - (1 - abar_t) ** 0.5 * eps) / abar_t, eps, abar_s)),
        ("x_t itself is noisy already: put the noise back onto the guess, predict_x0(x_t, eps, abar_t).",
         lambda x_t, eps, abar_t, abar_s: q_sample(x_t, eps, abar_s)),
        ("do not cut the guess off at -1 and 1: latents go beyond.",
         lambda x_t, eps, abar_t, abar_s: q_sample(predict_x0(x_t, eps, abar_t).clamp(-1, 1), eps, abar_s)),
        ("this is Euler's step for y = x / sqrt(abar): divide x_t by sqrt(abar_t) before it, and multiply by "
         "sqrt(abar_s) after it.", euler_in_x),
        ("this is y_s; it becomes x_s when it is multiplied by sqrt(abar_s).", euler_in_y),
    ),
    "one step nearer to the picture, and no number was drawn for it.")]
