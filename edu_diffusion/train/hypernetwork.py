"""Recipe `hyper`: a hypernetwork, small networks that transform the text before attention projects it to keys and values.

The base stays frozen. models/hypernetwork.py describes the file format, steps/hypernetwork.py the computation.
"""

import os
import pathlib
from collections.abc import Callable, Iterator, Sequence

import torch

from .. import models
from ..data import files, newstyle, words
from ..models.locate import HYPERNETWORK
from ..steps import with_hypernetwork
from .frozen import Frozen, adapt, trained
from .loop import Progress, generator
from .losses import drop_captions
from .recipe import recipe
from .state import about


@recipe
def train_hyper(
    minutes: float | None = 1.0,
    steps: int | None = None,
    run: str | os.PathLike | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    model: str | os.PathLike = "base",
    style: str = words.NEW_STYLE,
    layers: Sequence[float] = (1, 2, 1),
    activation: str = "swish",
    batch: int = 16,
    lr: float = 2e-3,
    examples: Callable | None = None,
) -> Iterator[Progress]:
    """Train a hypernetwork on a style. Yields Progress; its model is the networks, as steps.hypernetwork takes them.

    layers, activation: see models.build_hyper. examples: as in the recipe lora. The finished run holds
    <run>/model/hypernetwork.safetensors, in half precision.
    """
    base, examples = Frozen(model, device), examples or (lambda n, seed: newstyle.batch(n, seed, style))
    torch.manual_seed(seed)
    networks = models.build_hyper([base.pipe.unet.config.cross_attention_dim], layers, activation)
    new = torch.nn.ModuleList(part for pair in networks.values() for part in pair).to(base.device)

    def loss(step):
        seen, rng = examples(batch, seed * 1_000_003 + step), generator(seed, step)
        with with_hypernetwork(base.pipe.unet, networks):
            return base.loss(seen.images, drop_captions(seen.captions, rng), rng)

    for progress in adapt(base, new, loss, minutes=minutes, steps=steps, lr=lr, ema=0.98, warmup=10, run=run):
        yield progress._replace(model=networks)
    if run is not None:
        facts: dict = {"layers": layers, "activation": activation}
        done = about(run)
        card = {"style": style, "seed": seed, "trained": trained(new)} | facts | done
        with files.staged(pathlib.Path(run) / "model", card) as stage:
            models.save_hyper(networks, stage / HYPERNETWORK, style, done["steps"], **facts)
