"""Samplers: alternatives to DDIM for the step from x_t to the cleaner x_s, given the predicted noise.

All take (x_t, eps, abar_t, abar_s), like `ddim_step`, and some take one more argument by name: `noise` to add,
the result of the step `previous`, or a function `model` that evaluates the model again. `sample` and
`generate` provide it. In the variable y = x / sqrt(abar), which is x_0 + sigma eps, they are all short:

| step                 | y_s =                                                    | noise | order | calls |
|----------------------|----------------------------------------------------------|-------|-------|-------|
| euler_step           | y_t + (sigma_s - sigma_t) eps: DDIM's                    | no    | 1     | 1     |
| heun_step            | y_t + (sigma_s - sigma_t) (eps + eps at s) / 2           | no    | 2     | 2     |
| dpmpp_2m_step        | as DDIM's, with x_0 extrapolated from the previous step  | no    | 2     | 1     |
| euler_ancestral_step | Euler's to sigma_s^2 / sigma_t, then noise up to sigma_s | yes   |       | 1     |
| ddpm_step            | the same; with fixed_large a little more noise           | yes   |       | 1     |

"calls" are the model evaluations in a step. Order 1: with twice as many steps the result is half as far from
the exact end of the sampling trajectory; order 2: a quarter.
"""

import math

from .denoise import ddim_step, eps_from_x0, predict_x0
from .levels import sigma
from .noise import per_picture, q_sample
from .validate import StepError

__all__ = ["ddpm_step", "dpmpp_2m_step", "euler_ancestral_step", "euler_step", "heun_step"]


def ddpm_step(x_t, eps, abar_t, abar_s, noise, variance="fixed_small"):
    """Move x_t to timestep s as the first DDPM did: towards x_0, with a little fresh noise added.

    x_s = (sqrt(abar_s) beta x_0 + sqrt(1 - beta) (1 - abar_s) x_t) / (1 - abar_t) + sqrt(V) noise, with
    beta = 1 - abar_t / abar_s and V = beta (1 - abar_s) / (1 - abar_t) (fixed_small) or beta (fixed_large)

    x_t, eps, noise: (B, C, H, W). abar_t < abar_s: in (0, 1], scalars or (B,). Returns (B, C, H, W).
    The last step, to abar_s = 1, adds none (the library does with fixed_large, unless its last t is 0).
    variance: "fixed_small" or "fixed_large"; anything else raises ValueError.
    Source: Ho et al. 2020, eqs 6 and 7, section 3.2, algorithm 2. Twin: diffusers.DDPMScheduler.step.
    """
    if variance not in ("fixed_small", "fixed_large"):
        raise StepError(f"variance is {variance!r}; it must be 'fixed_small' or 'fixed_large'.")
    x_0 = predict_x0(x_t, eps, abar_t)
    abar_t, abar_s = per_picture(abar_t, x_t), per_picture(abar_s, x_t)
    beta, share = 1 - abar_t / abar_s, (1 - abar_s) / (1 - abar_t)
    mean = abar_s**0.5 * beta / (1 - abar_t) * x_0 + (1 - beta) ** 0.5 * share * x_t
    V = beta * share if variance == "fixed_small" else beta * (abar_s < 1)
    return mean + V**0.5 * noise


def euler_step(x_t, eps, abar_t, abar_s):
    """Move x_t to timestep s along a straight line: Euler's method for dy / dsigma = eps. It is DDIM's step.

    y_s = y_t + (sigma_s - sigma_t) eps, with y = x / sqrt(abar)

    x_t, eps: (B, C, H, W). abar_t < abar_s: in (0, 1], scalars or (B,). Returns (B, C, H, W).
    Source: Karras et al. 2022, algorithm 1 without its correction; Song et al. 2021, eq. 13.
    Twin: diffusers.EulerDiscreteScheduler.step, whose samples are y.
    """
    abar_t, abar_s = per_picture(abar_t, x_t), per_picture(abar_s, x_t)
    y_t = x_t / abar_t**0.5
    y_s = y_t + (sigma(abar_s) - sigma(abar_t)) * eps
    return abar_s**0.5 * y_s


def euler_ancestral_step(x_t, eps, abar_t, abar_s, noise):
    """Move x_t by Euler to a noise level below that of s, then add noise up to s. It is ddpm_step, fixed_small.

    y_s = y_t + (sigma_down - sigma_t) eps + sigma_up noise, with y = x / sqrt(abar),
    sigma_down = sigma_s^2 / sigma_t and sigma_up = sqrt(sigma_s^2 - sigma_down^2)

    x_t, eps, noise: (B, C, H, W). abar_t < abar_s: in (0, 1], scalars or (B,). Returns (B, C, H, W).
    Source: Song et al. 2021, eq. 16 with eta = 1; so written in Crowson's k-diffusion ("Euler a").
    Twin: diffusers.EulerAncestralDiscreteScheduler.step, whose samples are y.
    """
    abar_t, abar_s = per_picture(abar_t, x_t), per_picture(abar_s, x_t)
    sigma_t, sigma_s = sigma(abar_t), sigma(abar_s)
    sigma_down = sigma_s**2 / sigma_t
    sigma_up = (sigma_s**2 - sigma_down**2) ** 0.5
    y_s = x_t / abar_t**0.5 + (sigma_down - sigma_t) * eps + sigma_up * noise
    return abar_s**0.5 * y_s


def heun_step(x_t, eps, abar_t, abar_s, model):
    """Try Euler's step, evaluate the model at its end as well, and step with the mean of both predictions.

    x_s = ddim_step(x_t, (eps + model(x'_s)) / 2), with x'_s = ddim_step(x_t, eps)

    x_t, eps: (B, C, H, W). model: a function x_s -> eps at timestep s. abar_t < abar_s: scalars in (0, 1]; for
    abar_s = 1, where there is no noise to predict, the result is Euler's step. Returns (B, C, H, W).
    Source: Karras et al. 2022, algorithm 1. Twin: diffusers.HeunDiscreteScheduler.step, called twice.
    """
    x_s = ddim_step(x_t, eps, abar_t, abar_s)
    if abar_s == 1:
        return x_s
    return ddim_step(x_t, (eps + model(x_s)) / 2, abar_t, abar_s)


def dpmpp_2m_step(x_t, eps, abar_t, abar_s, previous=None):
    """Extrapolate x_0 from the previous step to the middle of this one, and make DDIM's step with the result.

    D = x_0 + h / (2 h_previous) (x_0 - x_0 previous), with h = log(sigma_t / sigma_s), h_previous the same for the
    previous step; x_s = sqrt(abar_s) D + sqrt(1 - abar_s) (x_t - sqrt(abar_t) D) / sqrt(1 - abar_t)

    previous: (x_0, abar_t) of the previous step, or None for the first, which is then DDIM's; so is a step to
    abar_s = 1. (The library's lower_order_final always does this for the last step if there are fewer than 15.)
    x_t, eps: (B, C, H, W). abar_t < abar_s: scalars in (0, 1]. Returns (B, C, H, W).
    Source: Lu et al. 2022 (DPM-Solver++), algorithm 2.
    Twin: diffusers.DPMSolverMultistepScheduler.step with dpmsolver++, order 2, midpoint.
    """
    if previous is None or abar_s == 1:
        return ddim_step(x_t, eps, abar_t, abar_s)
    x_0, (x_0_previous, abar_previous) = predict_x0(x_t, eps, abar_t), previous
    h = math.log(sigma(abar_t) / sigma(abar_s))
    h_previous = math.log(sigma(abar_previous) / sigma(abar_t))
    D = x_0 + h / (2 * h_previous) * (x_0 - x_0_previous)
    return q_sample(D, eps_from_x0(D, x_t, abar_t), abar_s)
