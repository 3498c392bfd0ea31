"""What more denoising steps buy: how far sets of pictures are from real ones, by the number of steps."""

import torch

from ..data import scenes
from ..judge.distance import RESAMPLES, excesses, features, interval
from ..judge.evaluate import SETS, draw

COUNTS = (1, 4, 10, 20, 50)
USUAL = 20  # what the others are compared with


def by_steps(pipe, judge, counts=COUNTS, guidance=1.0, n=SETS, tier="core", resamples=RESAMPLES, batch=None):
    """Fréchet excess over as many real scenes, drawn in so many steps from open captions: {name: score}.

    counts: numbers of steps. guidance: 1 is none, since guidance moves the distribution on purpose. n: pictures of each.
    steps_1, steps_4, ...: the excess in so many steps, with a bootstrap interval over pictures; steps_1_over_20: how many times
    that of 20 it is.
    """
    one, other = (scenes.batch(n, seed, tier) for seed in (31, 32))
    rows, least = [{"prompt": caption} for caption in other.captions], features(judge, other.images)
    drawn = {k: features(judge, draw(pipe, rows, 5000, guidance, k, batch)) for k in counts}
    found = excesses(features(judge, one.images), drawn, least, resamples)
    return {f"steps_{k}": interval(values, n) for k, values in found.items()} | ratios(found, n)


def ratios(found, n):
    """How many times the excess of USUAL steps that of fewer is. found: {steps: (1 + resamples,)}."""
    if USUAL not in found:
        return {}
    least = torch.clamp(found[USUAL], min=1e-3)  # an excess may come out as 0 or below: then any is many times as much
    return {f"steps_{k}_over_{USUAL}": interval(values / least, n) | {"unit": "times"}
            for k, values in found.items() if k < USUAL}
