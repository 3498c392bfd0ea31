"""The sampling loop for any function that predicts noise: a network, a formula, a learner's own function."""

import itertools
from functools import partial
from typing import NamedTuple

import torch

from .denoise import ddim_step, predict_x0
from .validate import check_finite, check_levels, check_like, extras

__all__ = ["SampleState", "sample"]


class SampleState(NamedTuple):
    """One denoising step of `sample`, from timestep t to the less noisy timestep s. All tensors: (B, C, H, W)."""

    i: int  # 0, 1, 2, ...: the number of the step
    t: int | float
    s: int | float  # -1: no noise left
    x_t: torch.Tensor  # the image before the step
    eps: torch.Tensor  # the noise that the model predicts
    x_0: torch.Tensor  # the predicted clean image
    x_s: torch.Tensor  # the image after the step


@torch.no_grad()
def sample(model, x_T, levels, step=ddim_step, generator=None):
    """Sample images from noise, yielding a SampleState for every step; the last x_s is the result.

    x_s = step(x_t, eps, abar_t, abar_s), with eps = model(x_t, t)

    model: a function (x_t, t) -> eps like x_t, a tensor; `to_eps` converts v or x_0 to eps.
    x_T: (B, C, H, W), standard normal if the first noise level is pure noise.
    levels: a list of (t, abar_t), noisiest first, as from `spaced_levels` or `karras_levels`.
    step: any sampler, or your own function (x_t, eps, abar_t, abar_s) -> x_s. After these it may take by
    name `noise` (standard normal, like x_t), `previous` (None, then (x_0, abar_t) of the previous step)
    and `model` (a function x_s -> eps that evaluates the model again, at timestep s).
    generator: a torch.Generator of the CPU for `noise`, or None for torch's own. Pass on the one that x_T was
    sampled with; a second one with the same seed would give the same numbers again.
    Raises ValueError for anything else, and at the first step whose result is not finite.
    Source: Ho et al. 2020, algorithm 2, with other samplers for its line 4.
    Twin: diffusers.DDPMPipeline.__call__.
    """
    draw = partial(noise_like, x_T, generator)
    own = with_extras(step, draw, lambda s, x: check_like("model", model(x, s), x))
    x_t = x_T
    for i, ((t, abar_t), (s, abar_s)) in enumerate(itertools.pairwise(check_levels(levels))):
        eps = check_like("model", model(x_t, t), x_t)
        x_0 = predict_x0(x_t, eps, abar_t)
        x_s = check_finite(own(x_t, eps, abar_t, abar_s, x_0, s), x_t, i, t, abar_t)
        yield SampleState(i, t, s, x_t, eps, x_0, x_s)
        x_t = x_s


def noise_like(x, generator):
    """Sample standard normal noise like x, on the CPU, so that a seed gives the same noise on every device."""
    return torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)


def with_extras(step, draw, model):
    """Wrap a step so that it gets the optional arguments it names; x_0 is remembered for the next call.

    draw() -> noise, called only for a step that takes noise. model(s, x) -> eps at timestep s.
    """
    names, previous = extras(step), None

    def call(x_t, eps, abar_t, abar_s, x_0, s):
        nonlocal previous
        noise = draw() if "noise" in names else None
        offer = {"noise": noise, "previous": previous, "model": partial(model, s)}
        previous = x_0, abar_t
        # a copy: a state that was yielded must not change, even if the step works in place
        return step(x_t.clone(), eps, abar_t, abar_s, **{name: offer[name] for name in names})

    return call
