"""Images of prompts, as every measure generates them, and real images after a VAE round trip."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from .. import steps

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

STEPS, GUIDANCE = steps.STEPS, steps.GUIDANCE


def draw(
    pipe: "StableDiffusionPipeline",
    rows: Sequence[dict],
    seed: int = 0,
    guidance: float = GUIDANCE,
    n_steps: int = STEPS,
    batch: int | None = None,
) -> torch.Tensor:
    """Images of the prompts, (B, 3, 64, 64) on the pipeline's device, from the readable loop; image i uses seed + i.

    rows: dicts of which only "prompt" is used. batch: batch size, which does not change any image; None: depends on the device.
    """
    prompts = [r["prompt"] for r in rows]
    return steps.draw(pipe, prompts, seed=seed, batch=batch, steps=n_steps, guidance=guidance).clamp(-1, 1)


@torch.no_grad()
def through_vae(pipe: "StableDiffusionPipeline", images: torch.Tensor, batch: int = 64) -> torch.Tensor:
    """VAE round trip of real images, the upper bound for any latent diffusion model: (B, 3, 64, 64) on the pipeline's device."""
    return torch.cat(
        [
            pipe.vae.decode(pipe.vae.encode(x.to(pipe.device, pipe.vae.dtype)).latent_dist.mean).sample.float()
            for x in images.split(batch)
        ]
    ).clamp(-1, 1)
