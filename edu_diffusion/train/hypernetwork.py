"""Recipe `hyper`: a hypernetwork, small networks that transform the text before attention projects it to keys and values.

The base stays frozen. models/hypernetwork.py describes the file format, steps/hypernetwork.py the computation.
"""

import pathlib

import torch

from .. import models
from ..data import files, newstyle, words
from ..models.locate import HYPERNETWORK
from ..steps import with_hypernetwork
from .frozen import Frozen, adapt, trained
from .loop import about, generator
from .losses import drop_captions


def train_hyper(minutes=1.0, steps=None, run=None, device=None, seed=0, model="base", style=words.NEW_STYLE,
          layers=(1, 2, 1), activation="swish", batch=16, lr=2e-3, examples=None):
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
        facts = {"layers": layers, "activation": activation}
        done = about(run)
        card = {"style": style, "seed": seed, "trained": trained(new)} | facts | done
        with files.artefact(pathlib.Path(run) / "model", card) as stage:
            models.save_hyper(networks, stage / HYPERNETWORK, style, done["steps"], **facts)
