"""Recipe `vae`: compress 64 x 64 images into 16 x 16 x 4 latents and decode them.

Loss: weighted squared and absolute error, every sprite with the same total weight as the whole image, small or big, plus
a small KL term (Kingma & Welling 2013, eq. 10) that keeps the latents near a unit Gaussian.
"""

import os
from collections.abc import Iterator

import torch

from ..data import scenes
from ..models import build_vae, load, pick_device
from ..steps import kl_to_unit, sample_latent
from .loop import Progress, fit, generator, plain_attention
from .recipe import recipe
from .save import keep

KL = 2e-4


@recipe
def train_vae(
    minutes: float | None = 21.0,
    steps: int | None = None,
    run: str | os.PathLike | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    batch: int = 16,
    lr: float = 2e-3,
    start: str | os.PathLike | None = None,
) -> Iterator[Progress]:
    """Train the autoencoder on the whole vocabulary. Yields Progress; its model is the AutoencoderKL.

    When the run ends, scaling_factor is set to 1 / std of the latents, measured on 512 scenes.
    start: a pipeline (name or folder) whose VAE to continue from: then only the decoder is trained, on unsampled
    latents, so that the pipeline's U-Net still fits.
    """
    torch.manual_seed(seed)
    model = plain_attention((decoder_of(start) if start else build_vae()).to(pick_device(device)))

    def loss(step):
        x_0 = scenes.batch(batch, seed * 1_000_003 + step, "wide", counts=(1, 1, 2, 3))
        return vae_loss(model, x_0.images.to(model.device), x_0.masks.to(model.device), generator(seed, step))

    yield from fit(model.train(), loss, minutes=minutes, steps=steps, lr=lr, run=run)
    model.eval()
    if not start:
        model.register_to_config(scaling_factor=1 / latent_std(model))
    keep({"vae": model}, run)


def vae_loss(model, x_0, mask, rng):
    """Reconstruction loss plus KL; x_0 in [-1, 1], mask: where the sprites are."""
    mean, logvar = model.quant_conv(model.encoder(x_0)).float().chunk(2, dim=1)
    eps = torch.randn(mean.shape, generator=rng).to(mean)
    z_0 = sample_latent(mean, logvar, eps) if mean.requires_grad else mean
    error = model.decode(z_0).sample.float() - x_0
    pixels = error.square() + 0.1 * error.abs()
    return (by_sprite(mask) * pixels).mean() + KL * kl_to_unit(mean, logvar).mean() / mean[0].numel()


def by_sprite(mask):
    """Pixel weights, (B, 1, H, W): 1, plus an extra weight over the sprite and a pixel around it, so that each sprite adds as much
    as the whole image. Otherwise large sprites outweigh small ones, whose faces are lost first.
    """
    sprite = torch.nn.functional.max_pool2d(mask.float(), 3, stride=1, padding=1)
    return 1 + sprite / sprite.mean((2, 3), keepdim=True).clamp(min=1e-6)


def decoder_of(start):
    """The VAE of a pipeline with all but its decoder frozen."""
    model = load(start, "cpu").vae.requires_grad_(False)
    model.decoder.requires_grad_(True)
    return model


@torch.no_grad()
def latent_std(model, n=512, seed=999_999):
    """Standard deviation of the latents of n scenes."""
    x_0 = scenes.batch(n, seed, "wide").images.to(model.device)
    return torch.cat([model.encode(x).latent_dist.mean for x in x_0.split(64)]).std().item()
