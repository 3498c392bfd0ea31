"""How different are the images that one prompt gives with different seeds?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from .calibration import open_prompts, real
from .frechet import features
from .judge import Judge
from .sampling import draw
from .statistics import mean

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline


def variety_scores(
    pipe: "StableDiffusionPipeline",
    judge: Judge,
    guidance: float = 1.0,
    rows: Sequence[dict] | None = None,
    seeds: int = 8,
    n_steps: int = 20,
    batch: int | None = None,
) -> dict[str, dict]:
    """Root mean square distance between two images of one prompt, averaged over all pairs of seeds and then over prompts.

    Returns {name: score}, intervals by prompt. variety_pixels: in units of [-1, 1]; variety_features: in the judge's
    features; _real: the same of as many real scenes of the prompt, through the VAE. rows: None is those of calibration.
    """
    rows = open_prompts() if rows is None else rows
    drawn = draw(pipe, [row for row in rows for _ in range(seeds)], 3_000_000, guidance, n_steps, batch)
    truth = torch.cat([real(pipe, row, seeds, i) for i, row in enumerate(rows)])
    return spread("variety", judge, drawn, seeds) | spread("variety", judge, truth, seeds, "_real")


def spread(name, judge, images, seeds, suffix=""):
    """The two scores of images ordered by prompt, `seeds` of each."""
    values = {"pixels": within(images.cpu(), seeds), "features": within(features(judge, images), seeds)}
    return {f"{name}_{space}{suffix}": mean(value, "RMS") for space, value in values.items()}


def within(x, seeds):
    """Root mean square differences within groups: (groups x seeds, ...) -> (groups,), each the mean over its pairs."""
    groups = x.flatten(1).float().split(seeds)
    return torch.stack([torch.pdist(group).mean() / group.shape[1] ** 0.5 for group in groups])
