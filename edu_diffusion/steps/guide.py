"""Classifier-free guidance: make the prompt count for more than the model would let it."""

__all__ = ["guide"]


def guide(eps_u, eps_c, g):
    """Go from the prediction without the prompt towards the one with it, and beyond.

    eps = eps_u + g (eps_c - eps_u)

    g = 1 is no guidance (eps_c), g = 0 ignores the prompt, g > 1 exaggerates it. The paper counts from
    eps_c instead: its w is g - 1, so "7.5" here is w = 6.5 there. v or x_0 may stand in for eps.
    eps_u, eps_c: (B, C, H, W). g: a number. Returns (B, C, H, W).
    Source: Ho and Salimans 2022, eq. 6, g = 1 + w. Twin: diffusers.ClassifierFreeGuidance.forward.
    """
    return eps_u + g * (eps_c - eps_u)
