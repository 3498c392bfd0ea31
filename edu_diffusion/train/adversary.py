"""A small discriminator for the recipe `few_steps`: does this latent come from a real scene, or from the student?

It looks through the eyes of the teacher: noise is added to the latent, the frozen first half of the teacher's U-Net turns it
into features under the same caption, and a small head for each level of it, the only part that learns, says how real each
place looks (Sauer et al. 2024, latent adversarial diffusion distillation; for pictures: Sauer et al. 2023, SDXL Turbo).
"""

import torch

from .. import steps
from ..steps.unet import time_embedding
from .lora import without_lora
from .losses import sample_timesteps

NOISIEST = 0.6  # of the schedule: above it, little of a latent is left to be told apart


class Adversary(torch.nn.Module):
    """base: a Frozen pipeline whose U-Net holds the student's LoRA; the features are computed without it."""

    def __init__(self, base, width=64):
        super().__init__()
        self.base = [base]  # in a list: its weights are not this module's
        self.heads = torch.nn.ModuleList(head(n, width) for n in base.pipe.unet.config.block_out_channels)
        self.heads.to(base.device)

    def loss(self, z_0, seen, rng):
        """The student's loss for its latents z_0 (B, 4, h, w) plus the discriminator's own; neither trains the other's weights.

        seen: Trajectories of the same captions, with latents of real scenes. rng samples timesteps and noise.
        """
        fixed = {name: p.detach() for name, p in self.heads.named_parameters()}
        noised = self.noising(len(z_0), rng, z_0)
        fake = self.features(*noised(z_0), seen.c)
        student = steps.hinge_student(torch.cat(self.scores(fake, fixed), 1))
        real, fake = self.features(*noised(seen.real), seen.c), [h.detach() for h in fake]
        return student + steps.hinge_discriminator(*(torch.cat(self.scores(h), 1) for h in (real, fake)))

    def noising(self, n, rng, like):
        """A function z_0 -> (z_t, t) that adds the same noise at the same random timesteps to any latents."""
        t = (sample_timesteps(n, rng, 1) * NOISIEST * len(self.base[0].abar)).long().to(like.device)
        eps = torch.randn(like.shape, generator=rng).to(like)
        return lambda z_0: (steps.q_sample(z_0, eps, self.base[0].abar[t]), t)

    def features(self, z_t, t, c):
        """The outputs of the levels of the teacher's U-Net before they are halved: a list of (B, C, h, w)."""
        unet, found = self.base[0].pipe.unet, []
        with without_lora(unet):
            temb, h = time_embedding(unet, t, z_t), unet.conv_in(z_t)
            for block in unet.down_blocks:
                skips: list[torch.Tensor] = []
                h = steps.down_block(block, h, temb, c, skips)
                found.append(skips[len(block.resnets) - 1])
        return found

    def scores(self, features, weights=None):
        """How real each place looks, level by level: a list of (B, places). weights: of the heads, None: their own."""
        own = weights or dict(self.heads.named_parameters())
        part = lambda i: {n.split(".", 1)[1]: w for n, w in own.items() if n.startswith(f"{i}.")}
        return [torch.func.functional_call(one, part(i), (h,)).flatten(1) for i, (one, h) in enumerate(zip(self.heads, features))]


def head(channels, width):
    """A small convolutional head: (B, channels, h, w) -> (B, 1, h, w)."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(channels, width, 1),
        torch.nn.GroupNorm(8, width),
        torch.nn.SiLU(),
        torch.nn.Conv2d(width, width, 3, padding=1),
        torch.nn.SiLU(),
        torch.nn.Conv2d(width, 1, 1),
    )
