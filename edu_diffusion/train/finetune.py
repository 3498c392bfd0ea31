"""Recipe `finetune`: full fine-tuning, every weight of the U-Net is trained, here on a drawing style unknown to the base.

The baseline for all adapters: the most trainable parameters, a file as large as the model, and no protection against
catastrophic forgetting, unless prior= adds DreamBooth's prior-preservation loss.
"""

import os
from collections.abc import Callable, Iterator

import torch

from ..data import newstyle, scenes, words
from .dreambooth import choose, drawn, prior_loss
from .frozen import Frozen, adapt, finish
from .loop import Progress, generator
from .losses import drop_captions, errors
from .recipe import recipe


@recipe
def train_finetune(
    minutes: float | None = 1.0,
    steps: int | None = None,
    run: str | os.PathLike | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    model: str | os.PathLike = "base",
    style: str = words.NEW_STYLE,
    prior: float = 0.0,
    pictures: int = 120,
    batch: int = 16,
    lr: float = 2e-4,
    examples: Callable | None = None,
) -> Iterator[Progress]:
    """Train the whole U-Net on core scenes in one style. Yields Progress; its model is the pipeline.

    prior: the weight of the prior-preservation loss on `pictures` of ordinary prompts that the base generates at the
    start; 0: without. examples: as in the recipe lora. The text encoder stays frozen. The finished run holds a
    whole pipeline in <run>/model.
    """
    base = Frozen(model, device, learns=("unet",))
    examples = examples or (lambda n, seed: newstyle.batch(n, seed, style))
    kept = drawn(base, scenes.batch(pictures, seed).captions, seed) if prior else None

    def loss(step):
        seen, rng = examples(batch, seed * 1_000_003 + step), generator(seed, step)
        parts = [(base.latents(seen.images), base.text(drop_captions(seen.captions, rng)))]
        parts += [choose(*kept, batch, rng)] if prior else []
        wrong = errors(base.pipe.unet, *(torch.cat(part) for part in zip(*parts)), base.abar, rng)
        return prior_loss(wrong[:batch], wrong[batch:], prior) if prior else wrong.square().mean()

    yield from adapt(base, base.pipe.unet.train(), loss, minutes=minutes, steps=steps, lr=lr, ema=0.99, run=run)
    finish(base, run, {"style": style, "prior": prior, "seed": seed})
