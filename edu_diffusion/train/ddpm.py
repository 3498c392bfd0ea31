"""Recipe `ddpm`: generate digits of 8 x 8 pixels, without a latent space: the smallest diffusion model of the course.

Loss: squared error of the predicted noise at a random timestep (Ho et al. 2020, eq. 14). One label in ten is
replaced by ANY, so that the same network also learns the unconditional prediction (Ho & Salimans 2022).

target="v": the velocity instead, on blocks of 2 x 2 pixels. With equal CPU time (200 steps of the noise target, with a random last
layer, 386 of this one), the Fréchet distance of 500 digits and the share that LeNet-5 reads as the label, means of seeds 0 to 2:

| target | g = 1       | g = 2       |
|--------|-------------|-------------|
| eps    | 42.5, 76 %  | 18.3, 92 %  |
| v      | 40.3, 95 %  | 22.5, 100 % |

So v follows the label better; with guidance it is farther from real digits. Test digits have 11.2. (tests/benchmarks/digits.py)
"""

import os
from collections.abc import Callable, Iterator

import torch
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from ..data import digits
from ..errors import EduError
from ..models import pick_device
from ..steps import abar, eps_from_v, guide, linear_betas, q_sample, sample, spaced_levels, velocity
from .loop import Progress, fit, generator
from .recipe import recipe
from .save import keep

ANY = digits.CLASSES  # the null label: no class
DROPPED = 0.1  # share of labels replaced by ANY
LEVELS = abar(linear_betas())  # as in the paper
SHAPES = {"eps": (1, (32, 64)), "v": (2, (64,))}  # by target: fold and widths of the U-Net, see build_digit_unet


def noise_loss(model: Callable, x_0: torch.Tensor, eps: torch.Tensor, t: torch.Tensor, abar: torch.Tensor) -> torch.Tensor:
    """Mean squared error of the predicted noise.

    L = mean((eps - model(x_t, t))^2), with x_t = q_sample(x_0, eps, abar[t])

    model: (x_t, t) -> eps. x_0, eps: (B, C, H, W). t: (B,), integers. abar: (T,). Returns a scalar.
    A model that always predicts 0 has a loss of 1, the variance of the noise. Source: Ho et al. 2020, eq. 14.
    """
    x_t = q_sample(x_0, eps, abar[t])
    return (model(x_t, t) - eps).square().mean()


def velocity_loss(model: Callable, x_0: torch.Tensor, eps: torch.Tensor, t: torch.Tensor, abar: torch.Tensor) -> torch.Tensor:
    """Mean squared error of the predicted velocity.

    L = mean((v - model(x_t, t))^2), with v = velocity(x_0, eps, abar[t])

    Arguments as in noise_loss, except that the model predicts v. Source: Salimans and Ho 2022, section 4.
    """
    x_t = q_sample(x_0, eps, abar[t])
    return (model(x_t, t) - velocity(x_0, eps, abar[t])).square().mean()


TARGETS = {"eps": noise_loss, "v": velocity_loss}


@recipe
def train_ddpm(
    minutes: float | None = 1.0,
    steps: int | None = None,
    run: str | os.PathLike | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    batch: int = 64,
    lr: float = 4e-3,
    loss: Callable | None = None,
    target: str = "eps",
) -> Iterator[Progress]:
    """Train a U-Net on the training digits. Yields Progress; its model is the UNet2DModel, see `predictor`.

    target: what the U-Net predicts, "eps" (the noise) or "v" (the velocity), from which eps follows; anything else raises
    EduError. loss: a function like noise_loss, for instance your own; it gets a model that predicts the noise, whatever the target.
    None: noise_loss, or for "v" velocity_loss. The finished run holds <run>/model/unet and scheduler. A computer too slow for
    the time goes on from a half-trained state, and it is said.
    """
    check_target(target)
    torch.manual_seed(seed)
    unet = build_digit_unet(*SHAPES[target]).to(pick_device(device)).train()
    levels = LEVELS.to(unet.device)

    def at(step):
        x_0, labels, eps, t = (x.to(unet.device) for x in examples(batch, seed, step))
        if loss is None:
            return TARGETS[target](output(unet, labels), x_0, eps, t, levels)
        return loss(predictor(unet, labels, target=target), x_0, eps, t, levels)

    yield from fit(unet, at, minutes=minutes, steps=steps, lr=lr, ema=0.99, run=run, half=f"ddpm_{target}")
    keep({"unet": unet.eval(), "scheduler": build_digit_scheduler(target)}, run)


def check_target(target):
    if target not in TARGETS:
        raise EduError(f"There is no target {target!r}; use one of {', '.join(map(repr, TARGETS))}.")


def examples(n, seed, step):
    """The data of one training step: digits, their labels (some of them ANY), noise, and timesteps."""
    rng, some = generator(seed, step), digits.batch(n, seed * 1_000_003 + step)
    labels = torch.where(torch.rand(n, generator=rng) < DROPPED, ANY, some.labels)
    eps = torch.randn(some.images.shape, generator=rng)
    return some.images, labels, eps, torch.randint(len(LEVELS), (n,), generator=rng)


def build_digit_unet(fold: int = 1, widths: tuple[int, ...] = (32, 64)) -> torch.nn.Module:
    """UNet2DModel for digits, 0.6 M parameters; the label embedding is added to the time embedding.

    fold: see `output`. widths: channels at each resolution. The last layer starts at zero, so that the first predictions are 0,
    and not large and random.
    """
    from diffusers import UNet2DModel

    unet = UNet2DModel(
        sample_size=digits.EDGE // fold,
        in_channels=fold**2,
        out_channels=fold**2,
        block_out_channels=widths,
        layers_per_block=1,
        down_block_types=("DownBlock2D",) * len(widths),
        up_block_types=("UpBlock2D",) * len(widths),
        add_attention=False,
        norm_num_groups=8,
        num_class_embeds=digits.CLASSES + 1,
    )
    for parameter in unet.conv_out.parameters():
        torch.nn.init.zeros_(parameter)
    return unet


def build_digit_scheduler(target: str = "eps") -> object:
    """The library's DDPM sampler with the noise schedule that the recipe trains with, for a U-Net of this target."""
    from diffusers import DDPMScheduler

    kind = {"eps": "epsilon", "v": "v_prediction"}[target]
    return DDPMScheduler(beta_schedule="linear", clip_sample=False, timestep_spacing="trailing", prediction_type=kind)


def output(unet, labels):
    """The U-Net as a function (x_t, t) -> its prediction for images (B, 1, 8, 8).

    The U-Net itself sees each block of fold x fold pixels as one position with fold^2 channels (pixel unshuffle, Shi et al.
    2016): nothing is lost, and there are fewer positions to compute. labels: (B,), digits or ANY.
    """
    fold = digits.EDGE // unet.config.sample_size

    def call(x_t, t, labels=labels):
        return pixel_shuffle(unet(pixel_unshuffle(x_t, fold), t, labels).sample.float(), fold)

    return call


def predictor(unet, labels, g=1.0, target="eps"):
    """The U-Net as a function (x_t, t) -> eps, for noise_loss or steps.sample.

    labels: (B,), digits or ANY. g: guidance scale, from the unconditional prediction (ANY) towards and beyond the
    conditional one. target: what the U-Net was trained to predict, "eps" or "v".
    """
    check_target(target)
    call = output(unet, labels)

    def ask(x_t, t, labels=labels):
        out = call(x_t, t, labels)
        return out if target == "eps" else eps_from_v(out, x_t, LEVELS.to(x_t.device)[t])

    def guided(x_t, t):
        return guide(ask(x_t, t, torch.full_like(labels, ANY)), ask(x_t, t), g)

    return ask if g == 1 else guided


def draw(unet, labels, steps=20, g=1.0, seed=0, target="eps"):
    """Sample digits of the given labels from the U-Net, by DDIM: (B, 1, 8, 8), clipped to [-1, 1].

    labels: (B,), digits or ANY. steps, g, seed: as in `generate`. target: as in `predictor`.
    """
    rng = torch.Generator().manual_seed(seed)
    x_T = torch.randn(len(labels), 1, digits.EDGE, digits.EDGE, generator=rng).to(unet.device)
    model = predictor(unet, labels.to(unet.device), g, target)
    *_, last = sample(model, x_T, spaced_levels(LEVELS, steps))
    return last.x_s.clamp(-1, 1)
