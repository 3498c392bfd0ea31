"""Argument checks of the steps; each error says in one sentence what was wrong and what is allowed."""

import inspect
import itertools
import math
from numbers import Real

import torch

EXTRAS = ("noise", "previous", "model")  # optional arguments of a step; see sampling.py


class StepError(ValueError):
    """A wrong argument of a step; its message is one sentence that says what was wrong and what is allowed."""


def check_whole(name, value, low, high):
    """Return value as an int, or raise ValueError if it is not a whole number from low to high."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or not low <= value <= high:
        raise StepError(f"{name} is {value!r}; it must be a whole number from {low} to {high}.")
    return int(value)


def check_prediction_type(name):
    """Raise ValueError for a prediction type that is not implemented here."""
    if name not in ("epsilon", "v_prediction", "sample"):
        raise StepError(f"prediction_type is {name!r}; it must be 'epsilon', 'v_prediction' or 'sample'.")


def check_texts(name, value):
    """Return a list of strings, or raise ValueError."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, (list, tuple)) or not values or not all(isinstance(v, str) for v in values):
        raise StepError(f"{name} is {value!r}; it must be a string, or a list of at least one string.")
    return list(values)


def check_prompts(prompt, negative, seed, guidance):
    """Return prompts and negative prompts as lists of equal length, or raise ValueError for a wrong argument."""
    prompts = check_texts("prompt", prompt)
    negatives = check_texts("negative", negative) * (len(prompts) if isinstance(negative, str) else 1)
    if len(negatives) != len(prompts):
        raise StepError(f"There are {len(prompts)} prompts and {len(negatives)} negative prompts; "
                         "give one for each prompt, or one string for all.")
    check_whole("seed", seed, 0, 2**63 - len(prompts))
    if not number(guidance):
        raise StepError(f"guidance is {guidance!r}; it must be a finite number, such as 4.0.")
    return prompts, negatives


def number(value):
    """Whether value is a finite number."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def check_interval(interval):
    """Return (low, high), or raise ValueError if interval is not two timesteps in this order."""
    pair = isinstance(interval, (tuple, list)) and len(interval) == 2 and all(map(number, interval))
    if not pair or interval[0] > interval[1]:
        raise StepError(f"interval is {interval!r}; it must be two timesteps, the lower first, "
                         "such as (200, 800), or None for all.")
    return interval


def extras(step):
    """Return the names of a step's optional arguments after its first four, or raise ValueError."""
    if not callable(step):
        raise StepError(f"step is {step!r}; it must be a function (x_t, eps, abar_t, abar_s) -> x_s.")
    try:
        rest = list(inspect.signature(step).parameters.values())[4:]
    except ValueError:  # a function written in C has no signature to inspect
        return []
    for p in rest:
        if p.name not in EXTRAS and p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            raise StepError(f"step has the argument {p.name!r}; after x_t, eps, abar_t, abar_s it may take only "
                             "noise, previous and model, by these names.")
    fixed = getattr(step, "keywords", {})  # already bound by a functools.partial
    return [p.name for p in rest if p.name in EXTRAS and p.name not in fixed]


def check_levels(levels):
    """Return levels, or raise ValueError if the noise does not decrease from each one to the next."""
    if len(levels) < 2 or not all(a < b for (_, a), (_, b) in itertools.pairwise(levels)):
        raise StepError("levels must be a list of at least two pairs (t, abar_t), from the noisiest to the "
                         "cleanest, so that abar_t rises; spaced_levels makes such a list.")
    return levels


def check_pipeline(pipe):
    """Raise ValueError for a pipeline that plain DDIM cannot run."""
    name, config = type(pipe.scheduler).__name__, pipe.scheduler.config
    if not hasattr(pipe.scheduler, "alphas_cumprod"):
        raise StepError(f"{name} has no alphas_cumprod, the noise schedule that DDIM needs; use a DDIMScheduler.")
    if config.get("clip_sample") or config.get("thresholding"):
        raise StepError(f"{name} clips its predictions, and generate does not; "
                         "set clip_sample and thresholding to False in its configuration.")
    if pipe.unet.config.get("time_cond_proj_dim"):
        raise StepError("This U-Net was distilled to take the guidance scale as an input (time_cond_proj_dim), "
                         "which generate does not provide; use one that was not.")
    check_prediction_type(config.get("prediction_type", "epsilon"))


def check_like(name, x, x_t):
    """Return x, or raise ValueError if it is not a tensor of x_t's shape and dtype."""
    if not torch.is_tensor(x) or (x.shape, x.dtype) != (x_t.shape, x_t.dtype):
        got = f"{tuple(x.shape)}, {x.dtype}" if torch.is_tensor(x) else type(x).__name__
        wanted = f"{tuple(x_t.shape)}, {x_t.dtype}"
        raise StepError(f"{name} returned {got}; it must return a tensor like its x_t: {wanted}.")
    return x


def check_finite(x_s, x_t, i, t, abar_t=1.0):
    """Return x_s, or raise ValueError if the next step could not use it."""
    if not check_like("step", x_s, x_t).isfinite().all():
        cause = ("abar is 0 there (zero terminal SNR), so that x_t holds nothing of the picture: use a model that predicts v, "
                 "or begin at an earlier timestep" if abar_t == 0 else
                 "lower the guidance scale, use float32, or check your own function")
        raise StepError(f"Step {i + 1} (t = {t}) gave NaN or infinite numbers; {cause}.")
    return x_s


def check_picture(x_0):
    """Return decoded pictures, or raise ValueError if a number in them is not finite: they would be saved as black."""
    if not x_0.isfinite().all():
        raise StepError("The decoder of the VAE gave NaN or infinite numbers, so there is no picture; use float32 "
                        "(the VAEs of some models overflow in float16), and check the latent.")
    return x_0
