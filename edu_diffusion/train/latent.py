"""Recipe `latent`: the U-Net of the tiny Stable Diffusion, trained on latents and captions.

Loss: squared error of the velocity v at a random timestep (Salimans & Ho 2022); one caption in ten is left empty, so
that the same network also learns the unconditional prediction (Ho & Salimans 2022).

Timesteps are sampled uniformly with equal weights: the noisy ones decide what an image shows, and min-SNR weights (Hang
et al. 2023) almost ignore them. A scene keeps its latent but gets a new caption each time it is used: captions are cheap.
"""

import functools
import os
import pathlib
from collections.abc import Callable, Iterator

import torch

from .. import models
from ..data import scenes
from .loop import Progress, fit, generator, plain_attention
from .losses import drop_captions, latent_loss, sample_timesteps
from .parts import Parts, beside
from .recipe import recipe
from .state import about

UNNAMED = 1 - scenes.NAMED["concept"]  # share of captions that name no concept
RANK = 10_000  # distance between the seeds of two processes


@recipe
def train_latent(
    minutes: float | None = 60.0,
    steps: int | None = None,
    run: str | os.PathLike | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    batch: int = 64,
    lr: float = 7e-4,
    wide: float = 0.0,
    vae: str | os.PathLike | None = None,
    clip: str | os.PathLike | None = None,
    start: str | os.PathLike | None = None,
    noisy: int = 1,
    pool: int = 800,
    many: float = scenes.MANY,
    unnamed: float = UNNAMED,
    rank: int = 0,
    together: Callable[[list[torch.Tensor]], None] | None = None,
) -> Iterator[Progress]:
    """Train the U-Net, and fine-tune CLIP's text encoder with it. Yields Progress; its model holds both.

    vae, clip: run folders of those recipes; None: their folders beside `run`, else the shipped base's parts.
    start: a pipeline (name or folder) to continue from, all of its parts; None: a new U-Net.
    wide: share of every batch from the whole vocabulary, the rest being core concepts. many: share of scenes with more
    than one object. unnamed: share of captions that name no concept, only a category or "a thing".
    noisy: each timestep is the noisiest of this many samples; 1: uniform. pool: number of batches to compose and encode;
    then they are reused with new noise, timesteps and captions, which saves a tenth of the time and takes 200 MB; 0: no reuse.
    rank, together: see processes.several; each process has its own scenes, and the first one writes.
    The finished run holds a whole pipeline in <run>/model.
    """
    device = models.pick_device(device)
    vae, clip = (None, None) if start else (beside(run, "vae", vae), beside(run, "clip", clip))
    parts = Parts(vae, clip, device, start or "base")
    torch.manual_seed(seed)
    unet = plain_attention((parts.unet() if start else zero_residuals(models.build_unet())).to(device))
    both = torch.nn.ModuleDict({"unet": unet, "text_encoder": parts.text_encoder}).train()
    abar = models.build_scheduler().alphas_cumprod.to(device)
    levels, own = functools.partial(sample_timesteps, k=noisy), seed + rank * RANK

    @functools.lru_cache(pool)
    def examples(number):
        seen = scenes.mixed(batch, own * 1_000_003 + number, wide, many=many)
        return parts.latents(seen.images), seen.spec

    def loss(step):
        rng, (z_0, spec) = generator(own, step), examples(step % pool if pool else step)
        captions = [scenes.say(spec, i, rng, unnamed=unnamed) for i in range(len(z_0))]
        return latent_loss(unet, z_0, parts.text(drop_captions(captions, rng)), abar, rng, levels)

    def probe():
        z_0, c = torch.randn(8, 4, 16, 16, device=device), torch.randn(8, models.TOKENS, models.WIDTH, device=device)
        return latent_loss(unet, z_0, c, abar, generator(seed, 0), levels)

    yield from fit(both, loss, minutes=minutes, steps=steps, lr=lr, run=run, probe=probe, together=together, writes=rank == 0)
    if run is not None and rank == 0:
        pipe = models.assemble(parts.vae, both.eval()["text_encoder"], parts.tokenizer, unet)
        settings = {"wide": wide, "lr": lr, "batch": batch, "many": many, "noisy": noisy, "pool": pool, "unnamed": unnamed}
        card = {"seed": seed} | {f"latent_{name}": value for name, value in settings.items()}
        runs = {"vae": vae, "clip": clip, "latent": run}
        models.save(pipe, pathlib.Path(run) / "model", card | facts(pipe, runs, device))


def facts(pipe, runs, device):
    """Training facts for the model card: steps and minutes of each recipe with a run, numbers of parameters, hardware."""
    made = {f"{recipe}_{key}": value for recipe, run in runs.items() if run for key, value in about(run).items()}
    sizes = {
        f"{part}_parameters": f"{sum(p.numel() for p in getattr(pipe, part).parameters()):,}"
        for part in ("vae", "text_encoder", "unet")
    }
    return {"hardware": models.hardware(device)} | made | sizes


def zero_residuals(unet):
    """Initialise the last layer of every residual branch, and the output, to zero: the untrained blocks act as identities."""
    for name, module in unet.named_modules():
        if name.endswith((".conv2", ".proj_out")) or name == "conv_out":
            torch.nn.init.zeros_(module.weight)
            torch.nn.init.zeros_(module.bias)
    return unet
