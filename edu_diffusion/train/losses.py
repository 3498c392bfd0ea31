"""What the recipes for the U-Net share: timesteps, dropped captions, and the loss."""

import torch

from ..steps import q_sample, velocity

DROPPED = 0.1  # share of captions left empty


def sample_timesteps(n, rng, k=2):
    """n timesteps as fractions of the schedule, 1 being pure noise, (n,): each the maximum of k uniform ones, by one sample."""
    return torch.rand(n, generator=rng) ** (1 / k)


def latent_loss(unet, z_0, c, abar, rng, levels=sample_timesteps):
    """Mean squared error of the predicted velocity; z_0 (B, 4, 16, 16), c (B, tokens, width)."""
    return errors(unet, z_0, c, abar, rng, levels).square().mean()


def errors(unet, z_0, c, abar, rng, levels=sample_timesteps):
    """Predicted minus true velocity, (B, 4, h, w), at random timesteps; levels: a function like sample_timesteps."""
    t = (levels(len(z_0), rng) * len(abar)).long().to(z_0.device)
    eps = torch.randn(z_0.shape, generator=rng).to(z_0)
    z_t, v = q_sample(z_0, eps, abar[t]), velocity(z_0, eps, abar[t])
    return unet(z_t, t, c).sample.float() - v


def drop_captions(captions, rng, share=DROPPED):
    """This share of the captions replaced by the empty one."""
    empty = torch.rand(len(captions), generator=rng) < share
    return ["" if gone else text for text, gone in zip(captions, empty)]
