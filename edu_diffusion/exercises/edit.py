"""Exercise of lesson 09: blending two latents with a mask, the core of inpainting."""

import torch

from ..steps import blend
from .exercise import Exercise


def latents_and_masks():
    """Arguments (known, drawn, mask): one mask for both latents, and one for each."""
    rng = torch.Generator().manual_seed(15)
    known, drawn = torch.randn(2, 2, 4, 4, 6, generator=rng)
    one, each = torch.zeros(1, 1, 4, 6), (torch.rand(2, 1, 4, 6, generator=rng) > 0.5).float()
    one[..., 1:3] = 1
    return [(known, drawn, one), (known, drawn, each)]


def soft_masks():
    """The same with a mask whose edge is soft, as in differential editing."""
    return [(known, drawn, 0.25 + mask / 2) for known, drawn, mask in latents_and_masks()]


EXERCISES = [
    Exercise(
        "blend",
        blend,
        latents_and_masks,
        (
            (
                "inside and outside are swapped: where the mask is 1, the result must be the drawn latent.",
                lambda known, drawn, mask: mask * known + (1 - mask) * drawn,
            ),
            (
                "the known latent is still there inside the mask; multiply it by 1 - mask.",
                lambda known, drawn, mask: known + mask * drawn,
            ),
            (
                "the drawn latent is still there outside the mask; multiply it by the mask.",
                lambda known, drawn, mask: (1 - mask) * known + drawn,
            ),
            (
                "both are there everywhere; multiply the drawn one by the mask and the known one by 1 - mask.",
                lambda known, drawn, mask: known + drawn,
            ),
            ("this is the mean of both; the mask is not used.", lambda known, drawn, mask: (known + drawn) / 2),
            ("outside the mask there is nothing; add the known latent times 1 - mask.", lambda known, drawn, mask: mask * drawn),
            (
                "inside the mask there is nothing; add the drawn latent times the mask.",
                lambda known, drawn, mask: (1 - mask) * known,
            ),
            ("nothing is kept: this is the drawn latent everywhere.", lambda known, drawn, mask: drawn),
            ("nothing is regenerated: this is the known latent everywhere.", lambda known, drawn, mask: known),
            (
                "the sign is wrong: the known latent must be added, not subtracted.",
                lambda known, drawn, mask: mask * drawn - (1 - mask) * known,
            ),
            (
                "this is only the difference between the drawn and the known latent; add it to the known one.",
                lambda known, drawn, mask: mask * (drawn - known),
            ),
            (
                "the sign is wrong: the difference from the known to the drawn latent is drawn - known.",
                lambda known, drawn, mask: known + mask * (known - drawn),
            ),
        ),
        "everything outside the mask is kept, at every denoising step.",
        soft_masks,
        "One thing: yours rounds the mask, so a soft edge, with values between 0 and 1, would become a hard one.",
    )
]
