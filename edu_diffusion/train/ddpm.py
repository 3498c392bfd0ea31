"""Recipe `ddpm`: generate digits of 8 x 8 pixels, without a latent space: the smallest diffusion model of the course.

Loss: squared error of the predicted noise at a random timestep (Ho et al. 2020, eq. 14). One label in ten is
replaced by ANY, so that the same network also learns the unconditional prediction (Ho & Salimans 2022).
"""

import os
from collections.abc import Callable, Iterator

import torch

from ..data import digits
from ..models import pick_device
from ..steps import abar, guide, linear_betas, q_sample, sample, spaced_levels
from .loop import Progress, fit, generator
from .recipe import recipe
from .save import keep

ANY = digits.CLASSES  # the null label: no class
DROPPED = 0.1  # share of labels replaced by ANY
LEVELS = abar(linear_betas())  # as in the paper


def noise_loss(model: Callable, x_0: torch.Tensor, eps: torch.Tensor, t: torch.Tensor, abar: torch.Tensor) -> torch.Tensor:
    """Mean squared error of the predicted noise.

    L = mean((eps - model(x_t, t))^2), with x_t = q_sample(x_0, eps, abar[t])

    model: (x_t, t) -> eps. x_0, eps: (B, C, H, W). t: (B,), integers. abar: (T,). Returns a scalar.
    A model that always predicts 0 has a loss of 1, the variance of the noise. Source: Ho et al. 2020, eq. 14.
    """
    x_t = q_sample(x_0, eps, abar[t])
    return (model(x_t, t) - eps).square().mean()


@recipe
def train_ddpm(
    minutes: float | None = 1.0,
    steps: int | None = None,
    run: str | os.PathLike | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    batch: int = 64,
    lr: float = 4e-3,
    loss: Callable = noise_loss,
) -> Iterator[Progress]:
    """Train a U-Net on the training digits. Yields Progress; its model is the UNet2DModel, see `predictor`.

    loss: a function like noise_loss, for instance your own. The finished run holds <run>/model/unet and
    scheduler.
    """
    torch.manual_seed(seed)
    unet = build_digit_unet().to(pick_device(device)).train()
    levels = LEVELS.to(unet.device)

    def at(step):
        x_0, labels, eps, t = (x.to(unet.device) for x in examples(batch, seed, step))
        return loss(predictor(unet, labels), x_0, eps, t, levels)

    yield from fit(unet, at, minutes=minutes, steps=steps, lr=lr, ema=0.99, run=run)
    keep({"unet": unet.eval(), "scheduler": build_digit_scheduler()}, run)


def examples(n, seed, step):
    """The data of one training step: digits, their labels (some of them ANY), noise, and timesteps."""
    rng, some = generator(seed, step), digits.batch(n, seed * 1_000_003 + step)
    labels = torch.where(torch.rand(n, generator=rng) < DROPPED, ANY, some.labels)
    eps = torch.randn(some.images.shape, generator=rng)
    return some.images, labels, eps, torch.randint(len(LEVELS), (n,), generator=rng)


def build_digit_unet():
    """UNet2DModel for digits, 0.6 M parameters: 8 x 8 pixels, then 4 x 4; the label embedding is added to the time embedding."""
    from diffusers import UNet2DModel

    return UNet2DModel(
        sample_size=digits.EDGE,
        in_channels=1,
        out_channels=1,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        add_attention=False,
        norm_num_groups=8,
        num_class_embeds=digits.CLASSES + 1,
    )


def build_digit_scheduler():
    """The library's DDPM sampler with the noise schedule that the recipe trains with."""
    from diffusers import DDPMScheduler

    return DDPMScheduler(beta_schedule="linear", clip_sample=False, timestep_spacing="trailing")


def predictor(unet, labels, g=1.0):
    """The U-Net as a function (x_t, t) -> eps, for noise_loss or steps.sample.

    labels: (B,), digits or ANY. g: guidance scale, from the unconditional prediction (ANY) towards and beyond the
    conditional one.
    """

    def ask(x_t, t, labels=labels):
        return unet(x_t, t, labels).sample.float()

    def guided(x_t, t):
        return guide(ask(x_t, t, torch.full_like(labels, ANY)), ask(x_t, t), g)

    return ask if g == 1 else guided


def draw(unet, labels, steps=20, g=1.0, seed=0):
    """Sample digits of the given labels from the U-Net, by DDIM: (B, 1, 8, 8), clipped to [-1, 1].

    labels: (B,), digits or ANY. steps, g, seed: as in `generate`.
    """
    rng = torch.Generator().manual_seed(seed)
    x_T = torch.randn(len(labels), 1, digits.EDGE, digits.EDGE, generator=rng).to(unet.device)
    model = predictor(unet, labels.to(unet.device), g)
    *_, last = sample(model, x_T, spaced_levels(LEVELS, steps))
    return last.x_s.clamp(-1, 1)
