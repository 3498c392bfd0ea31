"""Recipe `few_steps`: distil many denoising steps of a pipeline, its teacher, into few, as a LoRA on its own U-Net.

The teacher draws captions once, with guidance and many steps, and all points (t, z_t) of its trajectories are kept. The
student is the same U-Net with low-rank matrices beside its layers (Luo et al. 2023, LCM-LoRA); it is called once a step,
without guidance, and learns from these points one of three things:

guidance      the teacher's guided prediction at the point: one call in place of two (Meng et al. 2023)
consistency   the end of the point's trajectory: the same answer all along it (Song et al. 2023, definition of section 3)
adversarial   as consistency, and to look like the latents of real scenes to a discriminator that learns along; see adversary.py

Consistency training usually has no trajectories and compares neighbouring points by the student's own moving average
(Song et al. 2023, algorithm 2). Here the teacher is small, so that its ends can be had: their targets have no error of their own.
"""

import functools
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

from .. import models
from .. import steps as readable
from ..data import scenes
from ..errors import EduError
from .adversary import Adversary
from .frozen import Frozen, adapt, trained
from .loop import Progress, generator
from .lora import save_lora, with_lora, without_lora
from .recipe import recipe
from .state import about

KINDS = ("guidance", "consistency", "adversarial")
TEACHER_STEPS = 12  # of DPM++ 2M: as near to the solution as DDIM with 50, see TRAINING.md


class Trajectories(NamedTuple):
    """What the teacher did with a batch of captions: K points of each of its B trajectories."""

    t: torch.Tensor  # (K,), timesteps, noisiest first
    z: torch.Tensor  # (K, B, 4, h, w), the latents at them
    v: torch.Tensor  # (K, B, 4, h, w), the teacher's guided velocity there
    end: torch.Tensor  # (B, 4, h, w), the latents that it ended with
    c: torch.Tensor  # (B, tokens, width), the embeddings of the captions
    real: torch.Tensor  # (B, 4, h, w), latents of real scenes with these captions


@recipe
def train_few_steps(
    minutes: float | None = 60.0,
    steps: int | None = None,
    run: str | os.PathLike | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    model: str | os.PathLike = "base",
    kind: str = "consistency",
    start: str | os.PathLike | None = None,
    rank: int = 16,
    batch: int = 32,
    lr: float = 1e-3,
    pool: int = 200,
    guidance: float = readable.GUIDANCE,
    teacher_steps: int = TEACHER_STEPS,
    weight: float = 0.1,
    examples: Callable | None = None,
) -> Iterator[Progress]:
    """Train a LoRA that needs few steps. Yields Progress; its model is the pipeline with the LoRA in it.

    kind: one of KINDS. start: a LoRA of the same rank to go on from, a folder; None: one that changes nothing yet.
    pool: number of batches of trajectories; then they are reused. guidance, teacher_steps: of the teacher.
    weight: of the adversarial loss. examples: a function (n, seed) that returns something with .images and .captions.
    The finished run holds <run>/model/pytorch_lora_weights.safetensors, in half precision.
    """
    checked(kind, rank, pool, teacher_steps)
    base = Frozen(model, device)
    unet = continued(base.pipe, start) if start else with_lora(base.pipe.unet, rank, rank, "all", seed)
    examples = examples or (lambda n, seed: scenes.mixed(n, seed, 0.0))
    drawn = functools.lru_cache(pool)(lambda number: trajectories(base, examples, batch, seed, number, guidance, teacher_steps))
    adversary = Adversary(base) if kind == "adversarial" else None

    def loss(step):
        rng, seen = generator(seed, step), drawn(step % pool)
        k = torch.randint(len(seen.t), (len(seen.end),), generator=rng)
        with torch.autocast(base.device.type, enabled=False):
            value, z_0 = distilled(base, seen, k, kind)
            return value + weight * adversary.loss(z_0, seen, rng) if adversary else value

    both = torch.nn.ModuleList([unet, adversary]) if adversary else unet
    yield from adapt(base, both, loss, minutes=minutes, steps=steps, lr=lr, ema=0.995, run=run)
    if run is not None:
        facts = {"kind": kind, "rank": rank, "seed": seed, "lr": lr, "guidance": guidance}
        facts |= {"teacher_steps": teacher_steps, "weight": weight}
        save_lora(base.pipe, pathlib.Path(run) / "model", facts | {"trained": trained(unet)} | about(run))


def checked(kind, rank, pool, teacher_steps):
    """Raise EduError for invalid settings."""
    if kind not in KINDS or not min(rank, pool, teacher_steps) >= 1:
        raise EduError(
            f"kind is {kind!r}, rank {rank!r}, pool {pool!r}, teacher_steps {teacher_steps!r}; kind must be one of "
            f"{', '.join(KINDS)}, the others at least 1."
        )


@torch.no_grad()
def trajectories(base, examples, batch, seed, number, guidance, n):
    """Let the teacher, which is the pipeline without the LoRA, draw the captions of one batch."""
    scene = examples(batch, seed * 1_000_003 + number)
    with without_lora(base.pipe.unet), torch.autocast(base.device.type, enabled=False):
        states = list(
            readable.generate(
                base.pipe, list(scene.captions), seed=batch * number, steps=n, guidance=guidance, step=readable.dpmpp_2m_step
            )
        )
        c, real = base.text(scene.captions), base.latents(scene.images)
    t, z = torch.tensor([s.t for s in states], device=base.device), torch.stack([s.z_t for s in states])
    v = torch.stack([readable.velocity(s.z_0, s.eps, base.abar[s.t]) for s in states])
    return Trajectories(t, z, v, states[-1].z_s, c, real)


def distilled(base, seen, k, kind):
    """Mean squared error of the student's velocity at point k[i] of trajectory i, and the clean latents it predicts."""
    which = torch.arange(len(k))
    t, z_t = seen.t[k], seen.z[k, which]
    abar_t = base.abar[t]
    v = base.pipe.unet(z_t, t, seen.c).sample.float()
    target = seen.v[k, which] if kind == "guidance" else velocity_to(seen.end, z_t, abar_t)
    return (v - target).square().mean(), readable.x0_from_v(v, z_t, abar_t)


def velocity_to(z_0, z_t, abar_t):
    """The velocity at z_t that leads to z_0 in one step: v of z_0 and of the noise that makes z_t of it."""
    return readable.velocity(z_0, readable.eps_from_x0(z_0, z_t, abar_t), abar_t)


def continued(pipe, start):
    """Load a LoRA as the adapter in training."""
    models.load_lora(pipe, start, "default")
    for name, p in pipe.unet.named_parameters():
        p.requires_grad_(".lora_" in name)
    return pipe.unet
