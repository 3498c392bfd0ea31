"""Classifier-free guidance: make the prompt count for more than the model would let it."""

from .check import levels_between

__all__ = ["GUIDANCE", "STEPS", "guidance_at", "guide"]

GUIDANCE = 2.5  # the smallest of 1.5, 2, 2.5, 3, 4 whose share of all right is within a point of the best (metrics.choose)
STEPS = 20  # the default number of denoising steps


def guide(eps_u, eps_c, g):
    """Go from the prediction without the prompt towards the one with it, and beyond.

    eps = eps_u + g (eps_c - eps_u)

    g = 1 is no guidance (eps_c), g = 0 ignores the prompt, g > 1 exaggerates it. The paper counts from
    eps_c instead: its w is g - 1, so "7.5" here is w = 6.5 there. v or x_0 may stand in for eps.
    eps_u, eps_c: (B, C, H, W). g: a number. Returns (B, C, H, W).
    Source: Ho and Salimans 2022, eq. 6, g = 1 + w. Twin: diffusers.ClassifierFreeGuidance.forward.
    """
    return eps_u + g * (eps_c - eps_u)


def guidance_at(t, g, interval=None):
    """Return the guidance scale for level t: g within an interval of levels, 1 (no guidance) outside it.

    g_t = g if low <= t <= high else 1

    The paper finds guidance harmful at the noisiest levels and hardly needed at the cleanest; outside the
    interval a step needs one prediction instead of two. It counts in sigma; `t_from_sigma` translates.
    t: a level. g: a number. interval: (low, high), both counted in, or None for every level; high below
    low raises ValueError.
    Source: Kynkäänniemi et al. 2024, section 3.
    Twin: diffusers.ClassifierFreeGuidance with start and stop, which count steps instead of levels.
    """
    if interval is None:
        return g
    low, high = levels_between(interval)
    return g if low <= t <= high else 1.0
