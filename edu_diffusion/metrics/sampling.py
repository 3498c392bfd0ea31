"""Images of prompts, as every measure generates them, and real images after a VAE round trip."""

import torch

from .. import steps

STEPS, GUIDANCE = steps.STEPS, steps.GUIDANCE


def draw(pipe, rows, seed=0, guidance=GUIDANCE, n_steps=STEPS, batch=None):
    """Images of the prompts, (B, 3, 64, 64) on the pipeline's device, from the readable loop; image i uses seed + i.

    rows: dicts of which only "prompt" is used. batch: batch size, which does not change any image; None: depends on the device.
    """
    prompts = [r["prompt"] for r in rows]
    return steps.draw(pipe, prompts, seed=seed, batch=batch, steps=n_steps, guidance=guidance).clamp(-1, 1)


@torch.no_grad()
def through_vae(pipe, images, batch=64):
    """VAE round trip of real images, the upper bound for any latent diffusion model: (B, 3, 64, 64) on the pipeline's device."""
    return torch.cat([pipe.vae.decode(pipe.vae.encode(x.to(pipe.device, pipe.vae.dtype)).latent_dist.mean).sample.float()
                      for x in images.split(batch)]).clamp(-1, 1)
