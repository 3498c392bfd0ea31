"""The effect of the number of denoising steps: Fréchet distance between generated and real images."""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from ..data import scenes
from .frechet import RESAMPLES, excesses, features, interval
from .judge import Judge
from .sampling import draw
from .text_to_image import SETS

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

COUNTS = (1, 4, 10, 20, 50)
USUAL = 20  # the others are compared with it


def by_steps(
    pipe: "StableDiffusionPipeline",
    judge: Judge,
    counts: Sequence[int] = COUNTS,
    guidance: float = 1.0,
    n: int = SETS,
    tier: str = "core",
    resamples: int = RESAMPLES,
    batch: int | None = None,
) -> dict[str, dict]:
    """Fréchet excess over as many real scenes, for images generated from open captions in so many steps: {name: score}.

    counts: numbers of steps. guidance: 1 is none, since guidance changes the distribution on purpose. n: images of each.
    steps_1, steps_4, ...: the excess at this number of steps, with a bootstrap interval over images; steps_1_over_20: its
    ratio to that at 20 steps.
    """
    ways = {k: functools.partial(draw, pipe, seed=5000, guidance=guidance, n_steps=k, batch=batch) for k in counts}
    found = against_real(judge, ways, n, tier, resamples)
    return {f"steps_{k}": interval(values, n) for k, values in found.items()} | ratios(found, n)


def against_real(judge, ways, n, tier="core", resamples=RESAMPLES):
    """The excesses of images drawn in several ways for the same n open captions: {name: (1 + resamples,)}, see excesses.

    ways: {name: function rows -> images}.
    """
    one, other = (scenes.batch(n, seed, tier) for seed in (31, 32))
    rows = [{"prompt": caption} for caption in other.captions]
    drawn = {name: features(judge, way(rows)) for name, way in ways.items()}
    return excesses(features(judge, one.images), drawn, features(judge, other.images), resamples)


def ratios(found, n):
    """The ratio of the excess at fewer steps to that at USUAL steps. found: {steps: (1 + resamples,)}."""
    if USUAL not in found:
        return {}
    least = torch.clamp(found[USUAL], min=1e-3)  # an excess can be 0 or negative: avoid dividing by it
    return {f"steps_{k}_over_{USUAL}": interval(values / least, n) | {"unit": "times"} for k, values in found.items() if k < USUAL}
