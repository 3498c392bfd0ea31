"""Recipe `judge`: the classifier that recognises what is in an image, trained on real scenes alone.

It is trained on every sprite of its tier (also the held-out concept x style pairs: nobody can name an unknown sprite) but on
none of the held-out concept x colour pairs, and on blurred and noisy pictures, which resemble the output of a
half-trained model: otherwise it would respond to texture rather than to the object.
"""

import os
from collections.abc import Iterator, Sequence

import torch
from torch.nn.functional import cross_entropy, interpolate

from ..data import scenes
from ..metrics import Judge, load_judge, save_judge
from ..models import pick_device
from .loop import Progress, fit, generator
from .recipe import recipe
from .state import about

PARTS = ("concept", "style", "size", "place")


@recipe
def train_judge(
    minutes: float | None = 8.0,
    steps: int | None = None,
    run: str | os.PathLike | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    batch: int = 64,
    lr: float = 2e-3,
    tier: str = "core",
    held_out: Sequence[str] = ("style",),
    start: str | os.PathLike | None = None,
) -> Iterator[Progress]:
    """Train the judge on the concepts of a tier and the base's three styles. Yields Progress; its model is the Judge.

    held_out: kinds of held-out pairs to train on nevertheless, as in scenes.batch. start: a judge's folder to continue from, or
    "judge", the shipped one; None: a new one.
    """
    torch.manual_seed(seed)
    model = (load_judge(device, start) if start else Judge().to(pick_device(device))).train()

    def loss(step):
        scene = scenes.batch(batch, seed * 1_000_003 + step, tier, held_out=held_out)
        images = soften(scene.images, generator(seed, step)).to(next(model.parameters()).device)
        answers = model(images)
        return sum(cross_entropy(answers[part].float(), getattr(scene.spec, part).to(images.device)) for part in PARTS)

    yield from fit(model, loss, minutes=minutes, steps=steps, lr=lr, run=run)
    if run is not None:
        save_judge(model.eval(), run, {"tier": tier, "seed": seed} | about(run))


def soften(images, rng):
    """Blur by down- and upsampling, then add fine noise and noise as coarse as a latent's cells; random strengths each time."""
    edge = int(torch.randint(28, 65, (1,), generator=rng))
    small = interpolate(images, (edge, edge), mode="bilinear", antialias=True)
    fine = torch.randn(images.shape, generator=rng) * (0.1 * torch.rand(1, generator=rng))
    coarse = torch.randn(len(images), 3, 16, 16, generator=rng) * (0.25 * torch.rand(1, generator=rng))
    return interpolate(small, images.shape[-2:], mode="bicubic") + fine + interpolate(coarse, images.shape[-2:], mode="bicubic")
