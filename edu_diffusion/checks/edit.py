"""Exercise of lesson 09: inside a mask the new, outside it the old."""

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


EXERCISES = [Exercise(
    "blend", blend, latents_and_masks, (
        ("inside and outside are exchanged: where the mask is 1, the drawn latent must come out.",
         lambda known, drawn, mask: mask * known + (1 - mask) * drawn),
        ("inside the mask the known latent is still there; weigh it with 1 - mask.",
         lambda known, drawn, mask: known + mask * drawn),
        ("outside the mask the drawn latent is still there; weigh it with the mask.",
         lambda known, drawn, mask: (1 - mask) * known + drawn),
        ("both are there everywhere; weigh the drawn one with the mask, the known one with 1 - mask.",
         lambda known, drawn, mask: known + drawn),
        ("this is the mean of both, and the mask does nothing.",
         lambda known, drawn, mask: (known + drawn) / 2),
        ("outside the mask there is nothing; add what is known, weighed with 1 - mask.",
         lambda known, drawn, mask: mask * drawn),
        ("inside the mask there is nothing; add what is drawn, weighed with the mask.",
         lambda known, drawn, mask: (1 - mask) * known),
        ("nothing is held: this is the drawn latent everywhere.",
         lambda known, drawn, mask: drawn),
        ("nothing is drawn: this is the known latent everywhere.",
         lambda known, drawn, mask: known),
        ("the sign: what is held must be added, not taken away.",
         lambda known, drawn, mask: mask * drawn - (1 - mask) * known),
        ("this is only how far it is from the known to the drawn one; begin at the known one.",
         lambda known, drawn, mask: mask * (drawn - known)),
        ("the way from the known to the drawn one is drawn - known.",
         lambda known, drawn, mask: known + mask * (known - drawn)),
    ),
    "what is outside the mask is held, at every step.")]
