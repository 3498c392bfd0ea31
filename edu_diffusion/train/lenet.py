"""Recipe `lenet`: the digit classifier, LeNet-5 in its modern form.

Loss: cross-entropy (LeCun et al. 1998 compare distances to fixed codes instead; steps/lenet.py has both
networks). Data augmentation: every picture is slightly rotated, stretched, sheared, shifted and noised. The test digits
seem to come from other writers, and without augmentation a network overfits the 1,437 training digits and reads 92 % of
the test digits.
"""

import os
import pathlib
from collections.abc import Iterator

import torch
from safetensors.torch import save_file
from torch.nn.functional import affine_grid, cross_entropy, grid_sample, interpolate

from ..data import digits, files
from ..models import pick_device
from ..steps import build_lenet
from .loop import Progress, fit, generator
from .recipe import recipe

RETINA = (32, 32)
MOST = 0.3  # maximum rotation in radians, shear, and twice the fraction of stretching and shifting
GRAIN = 0.5  # maximum standard deviation of the noise


@recipe
def train_lenet(
    minutes: float | None = 0.25,
    steps: int | None = None,
    run: str | os.PathLike | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    batch: int = 64,
    lr: float = 4e-3,
    most: float = MOST,
    grain: float = GRAIN,
) -> Iterator[Progress]:
    """Train LeNet-5 on the training digits. Yields Progress; its model reads (B, 1, H, W) in [-1, 1].

    most, grain: strength of the augmentation, see `moved`, and of the noise; 0: none.
    The finished run holds <run>/model/lenet.safetensors.
    """
    torch.manual_seed(seed)
    net = build_lenet().to(pick_device(device)).train()

    def loss(step):
        some, rng = digits.batch(batch, seed * 1_000_003 + step), generator(seed, step)
        seen = grainy(moved(some.images, rng, most), rng, grain)
        device = net.out.weight.device
        return cross_entropy(net(seen.to(device)).float(), some.labels.to(device))

    yield from fit(net, loss, minutes=minutes, steps=steps, lr=lr, run=run)
    net.eval()
    if run is not None:
        with files.staged(pathlib.Path(run) / "model") as stage:
            save_file(net.state_dict(), stage / "lenet.safetensors")


def moved(x, rng, most=MOST):
    """Digits (B, 1, H, W), each slightly rotated, stretched, sheared and shifted: (B, 1, 32, 32)."""
    turn, shear, *stretch, right, down = (most * (2 * torch.rand(6, len(x), generator=rng) - 1)).unbind()
    wide, high = (1 + s / 2 for s in stretch)
    rows = torch.stack(
        [
            torch.stack([wide * turn.cos(), shear - turn.sin(), right / 2], 1),
            torch.stack([turn.sin(), high * turn.cos(), down / 2], 1),
        ],
        1,
    )
    x = interpolate(x, RETINA, mode="bilinear")
    where = affine_grid(rows, x.shape, align_corners=False)
    return grid_sample(x + 1, where, align_corners=False) - 1  # padding is black


def grainy(x, rng, grain=GRAIN):
    """Pictures with noise in grains the size of a digit's pixel; a random strength for every batch."""
    noise = torch.randn(len(x), 1, digits.EDGE, digits.EDGE, generator=rng)
    return x + grain * torch.rand(1, generator=rng) * interpolate(noise, x.shape[-2:], mode="bilinear")


@torch.no_grad()
def accuracy(net, split="test"):
    """The accuracy on a split's digits."""
    device = net.out.weight.device
    some = digits.digits(split)
    return (net(some.images.to(device)).argmax(1).cpu() == some.labels).float().mean().item()
