"""Classifier-free guidance: give the prompt more influence than the model alone would."""

from .validate import check_interval

__all__ = ["GUIDANCE", "STEPS", "guidance_at", "guide"]

GUIDANCE = 3.0  # the smallest of 1.5, 2, 2.5, 3, 4 whose rate of all right is within a point of the best (metrics.choose)
STEPS = 20  # the default number of denoising steps


def guide(eps_u, eps_c, g):
    """Extrapolate from the unconditional prediction through the conditional one and beyond.

    eps = eps_u + g (eps_c - eps_u)

    g = 1 is no guidance (eps_c), g = 0 ignores the prompt, g > 1 exaggerates it. The paper counts from
    eps_c instead: its w is g - 1, so "7.5" here is w = 6.5 there. v or x_0 may stand in for eps.
    eps_u, eps_c: (B, C, H, W). g: a number. Returns (B, C, H, W).
    Source: Ho and Salimans 2022, eq. 6, g = 1 + w. Twin: diffusers.ClassifierFreeGuidance.forward.
    """
    return eps_u + g * (eps_c - eps_u)


def guidance_at(t, g, interval=None):
    """Return the guidance scale for timestep t: g within an interval of timesteps, 1 (no guidance) outside it.

    g_t = g if low <= t <= high else 1

    The paper finds guidance harmful at high noise levels and hardly needed at low ones; outside the
    interval a step needs one prediction instead of two. It uses sigma for the interval; `t_from_sigma` converts.
    t: a timestep. g: a number. interval: (low, high), both included, or None for every timestep; high below
    low raises ValueError.
    Source: Kynkäänniemi et al. 2024, section 3.
    Twin: diffusers.ClassifierFreeGuidance with start and stop, which count steps instead of timesteps.
    """
    if interval is None:
        return g
    low, high = check_interval(interval)
    return g if low <= t <= high else 1.0
