"""Recipe `dreambooth`: a rare word comes to mean one robot, from four pictures (Ruiz et al. 2023).

The whole U-Net is fine-tuned on "a zib robot", and would soon draw that robot for every "robot". So it is also trained on
images of robots that it generated itself before the fine-tuning: the prior-preservation loss. prior=False shows what
happens without. In 45 seconds on two cores, 30 images of the class (`judge.dreambooth_scores`, percentage points): without,
images that the judge recognises as a robot fall by 57 [34, 72] and are 0.12 [0.09, 0.15] more similar to the subject; with
it by 7 [-10, 23] and 0.01 [-0.01, 0.03]. With weight 1 and twice the learning rate, on the previous base, they fell by 20.
"""

import os
from collections.abc import Callable, Iterator

import torch

from ..data import subject
from ..steps import generate
from .frozen import Frozen, adapt, finish
from .loop import Progress, generator
from .losses import errors
from .recipe import recipe


def prior_loss(own: torch.Tensor, prior: torch.Tensor, weight: float) -> torch.Tensor:
    """Mean squared error on the subject's pictures plus weight times that on the class's.

    L = mean(own^2) + weight mean(prior^2)

    own, prior: (B, C, H, W), prediction minus target for pictures of the subject, and for images of its class that
    the model generated itself. Returns a scalar. Source: Ruiz et al. 2023, section 3.2.
    """
    return own.square().mean() + weight * prior.square().mean()


@recipe
def train_dreambooth(
    minutes: float | None = 1.0,
    steps: int | None = None,
    run: str | os.PathLike | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    model: str | os.PathLike = "base",
    prior: bool = True,
    weight: float = 4.0,
    batch: int = 4,
    lr: float = 1e-4,
    pictures: int = 60,
    name: str = f"{subject.TOKEN} {subject.CLASS}",
    loss: Callable = prior_loss,
) -> Iterator[Progress]:
    """Fine-tune the U-Net on a subject. Yields Progress; its model is the pipeline, which then generates "a zib robot ...".

    prior: whether to preserve the class, with `pictures` of it that the base generates at the start; weight: of that loss.
    name: what prompts call the subject. loss: a function like prior_loss, for instance your own. The finished run
    holds a whole pipeline in <run>/model.
    """
    base = Frozen(model, device, learns=("unet",))
    own, theirs = subject_examples(base, name), None
    if prior:
        theirs = drawn(base, [row["prompt"] for row in subject.class_rows(pictures)], seed)

    def at(step):
        rng = generator(seed, step)
        parts = [choose(*examples, batch, rng) for examples in (own, theirs) if examples]
        z_0, c = (torch.cat(part) for part in zip(*parts))
        wrong = errors(base.pipe.unet, z_0, c, base.abar, rng)
        return loss(wrong[:batch], wrong[batch:], weight) if prior else wrong.square().mean()

    yield from adapt(base, base.pipe.unet.train(), at, minutes=minutes, steps=steps, lr=lr, ema=0.99, run=run)
    finish(base, run, {"name": name, "seed": seed, "prior": prior})


@torch.no_grad()
def subject_examples(base, name):
    """Latents and caption embeddings of the four pictures: (4, 4, h, w), (4, tokens, width)."""
    seen = subject.scenes_of(subject.TRAINING, name)
    return base.latents(seen.images), base.text(seen.captions)


@torch.no_grad()
def drawn(base, captions, seed):
    """Latents and text embeddings of images that the base generates before the fine-tuning, one per caption."""
    latents = []
    for i in range(0, len(captions), 30):
        *_, last = generate(base.pipe, captions[i : i + 30], seed=seed + i)
        latents.append(last.z_s.float())
    return torch.cat(latents), base.text(captions)


def choose(z_0, c, n, rng):
    """n random examples."""
    rows = torch.randint(len(z_0), (n,), generator=rng)
    return z_0[rows], c[rows]
