"""The sampling loop for any function that predicts noise: a network, a formula, a learner's own guess."""

import itertools
from functools import partial
from typing import NamedTuple

import torch

from .check import alike, extras, falling, sound
from .denoise import ddim_step, predict_x0

__all__ = ["SampleState", "sample"]


class SampleState(NamedTuple):
    """One step of `sample`, from level t to the cleaner level s. All tensors: (B, C, H, W)."""

    i: int  # 0, 1, 2, ...: the number of the step
    t: int | float
    s: int | float  # -1: no noise left
    x_t: torch.Tensor  # the image before the step
    eps: torch.Tensor  # the noise that the model predicts
    x_0: torch.Tensor  # the clean image, as far as it can be told from here
    x_s: torch.Tensor  # the image after the step


@torch.no_grad()
def sample(model, x_T, levels, step=ddim_step, generator=None):
    """Turn noise into images, yielding a SampleState for every step; the last x_s is the result.

    x_s = step(x_t, eps, abar_t, abar_s), with eps = model(x_t, t)

    model: a function (x_t, t) -> eps like x_t, a tensor; `to_eps` turns v or x_0 into eps.
    x_T: (B, C, H, W), standard normal where the first level is noise alone.
    levels: a list of (t, abar_t), noisiest first, as from `spaced_levels` or `karras_levels`.
    step: any sampler, or your own function (x_t, eps, abar_t, abar_s) -> x_s. After these it may ask by
    name for `noise` (standard normal, like x_t), `before` (None, then (x_0, abar_t) of the step before)
    and `ask` (a function x_s -> eps: the model once more, at level s).
    generator: a torch.Generator of the CPU for `noise`, or None for torch's own. Let the one that drew x_T
    go on; a second one with its seed would draw the same numbers again.
    Raises ValueError for anything else, and at the first step whose result is not finite.
    Source: Ho et al. 2020, algorithm 2, with other samplers for its line 4.
    Twin: diffusers.DDPMPipeline.__call__.
    """
    draw = partial(noise_like, x_T, generator)
    own = equipped(step, draw, lambda s, x: alike("model", model(x, s), x))
    x_t = x_T
    for i, ((t, abar_t), (s, abar_s)) in enumerate(itertools.pairwise(falling(levels))):
        eps = alike("model", model(x_t, t), x_t)
        x_0 = predict_x0(x_t, eps, abar_t)
        x_s = sound(own(x_t, eps, abar_t, abar_s, x_0, s), x_t, i, t)
        yield SampleState(i, t, s, x_t, eps, x_0, x_s)
        x_t = x_s


def noise_like(x, generator):
    """Draw standard normal noise like x, on the CPU, so that a seed means the same on every device."""
    return torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)


def equipped(step, draw, ask):
    """Return step as a function that hands it what it asks for by name, and remembers x_0 for the next call.

    draw() -> noise; nothing is drawn for a step that does not ask. ask(s, x) -> eps at level s.
    """
    names, before = extras(step), None

    def call(x_t, eps, abar_t, abar_s, x_0, s):
        nonlocal before
        noise = draw() if "noise" in names else None
        offer = {"noise": noise, "before": before, "ask": partial(ask, s)}
        before = x_0, abar_t
        # a copy: what was yielded must not change, even if the step works in place
        return step(x_t.clone(), eps, abar_t, abar_s, **{name: offer[name] for name in names})

    return call
