"""The noise levels of a sampling run, and sigma, the other measure of noise: its ratio to the signal.

A noise level is a pair (t, abar_t): the timestep that the model is given, and how much signal is left. A list of
them runs from the noisiest to the cleanest; the last one, (-1, 1.0), stands for "no noise left".
"""

import torch

from .denoise import ddim_timesteps

__all__ = ["abar_from_sigma", "karras_levels", "karras_sigmas", "sigma", "spaced_levels", "t_from_sigma"]


def sigma(abar_t):
    """Return the noise level sigma of a timestep: x_t / sqrt(abar_t) = x_0 + sigma_t eps.

    sigma_t = sqrt((1 - abar_t) / abar_t)

    abar_t: a number or any shape, in (0, 1]. Returns the same shape, from 0 (no noise) up.
    Source: Song et al. 2021, section 4.3. Twin: diffusers.EulerDiscreteScheduler, its sigmas.
    """
    return ((1 - abar_t) / abar_t) ** 0.5


def abar_from_sigma(sigma_t):
    """Return the signal left at a noise level sigma.

    abar_t = 1 / (1 + sigma_t^2)

    sigma_t: a number or any shape, >= 0. Returns the same shape, in (0, 1].
    Source: Song et al. 2021, section 4.3, solved for abar.
    Twin: diffusers.DPMSolverMultistepScheduler._sigma_to_alpha_sigma_t, its alpha_t^2.
    """
    return 1 / (1 + sigma_t**2)


def t_from_sigma(sigma_t, abar):
    """Return the timestep that belongs to a sigma, on the model's own scale; it usually lies between two of them.

    t = i + log(sigma_t / sigma_i) / log(sigma_{i+1} / sigma_i), with sigma_i <= sigma_t < sigma_{i+1}

    sigma_t: (N,), >= 0; beyond either end of the scale the result is that end. abar: (T,), decreasing.
    Returns (N,) in [0, T - 1], fractional.
    Source: Crowson's k-diffusion, DiscreteSchedule.sigma_to_t.
    Twin: diffusers.EulerDiscreteScheduler._sigma_to_t.
    """
    scale, wanted = sigma(abar).log(), sigma_t.log()
    i = (torch.searchsorted(scale, wanted, right=True) - 1).clamp(0, len(scale) - 2)
    return i + ((wanted - scale[i]) / (scale[i + 1] - scale[i])).clamp(0, 1)


def karras_sigmas(steps, sigma_min, sigma_max, rho=7.0):
    """Space noise levels more densely where there is little noise.

    sigma_i = (sigma_max^(1/rho) + i / (steps - 1) (sigma_min^(1/rho) - sigma_max^(1/rho)))^rho

    0 < sigma_min < sigma_max. rho = 1 is equal spacing. Returns (steps,), from sigma_max down to sigma_min.
    Source: Karras et al. 2022, eq. 5. Twin: diffusers.EulerDiscreteScheduler._convert_to_karras.
    """
    return torch.linspace(sigma_max ** (1 / rho), sigma_min ** (1 / rho), steps) ** rho


def spaced_levels(abar, steps=20, spacing="trailing", offset=0):
    """Return steps + 1 noise levels with evenly spaced timesteps; see `ddim_timesteps` for the spacings.

    levels = [(t, abar_t), ..., (-1, 1.0)]

    abar: (T,), decreasing. Raises ValueError for an impossible number of steps or an unknown spacing.
    Source: Lin et al. 2024, table 2. Twin: diffusers.DDPMScheduler.set_timesteps.
    """
    pairs = ddim_timesteps(steps, len(abar), spacing, offset)
    return [*((t, abar[t].item()) for t, _ in pairs), (-1, 1.0)]


def karras_levels(abar, steps=20, rho=7.0):
    """Return steps + 1 noise levels with Karras's spacing, from the model's noisiest to its cleanest; t is fractional.

    levels = [(t_from_sigma(sigma_i, abar), abar_from_sigma(sigma_i)), ..., (-1, 1.0)]

    abar: (T,), decreasing, in (0, 1): with zero terminal SNR the noisiest sigma would be infinite.
    Source: Karras et al. 2022, eq. 5.
    Twin: diffusers.EulerDiscreteScheduler.set_timesteps with use_karras_sigmas and "linspace".
    """
    sigmas = karras_sigmas(steps, sigma(abar[0]).item(), sigma(abar[-1]).item(), rho)
    ts, abars = t_from_sigma(sigmas, abar).tolist(), abar_from_sigma(sigmas).tolist()
    return [*zip(ts, abars, strict=True), (-1, 1.0)]
