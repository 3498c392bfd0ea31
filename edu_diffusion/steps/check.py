"""What a step refuses, in one sentence each: what was wrong, and what is allowed."""

import math
from numbers import Real

import torch


def whole(name, value, low, high):
    """Return value as an int, or raise ValueError if it is not a whole number from low to high."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}; it must be a whole number from {low} to {high}.")
    return int(value)


def known_prediction_type(name):
    """Raise ValueError for a prediction type that no formula here fits."""
    if name not in ("epsilon", "v_prediction", "sample"):
        raise ValueError(f"prediction_type is {name!r}; it must be 'epsilon', 'v_prediction' or 'sample'.")


def texts(name, value):
    """Return a list of strings, or raise ValueError."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, (list, tuple)) or not values or not all(isinstance(v, str) for v in values):
        raise ValueError(f"{name} is {value!r}; it must be a string, or a list of at least one string.")
    return list(values)


def checked(prompt, negative, seed, guidance, step):
    """Return prompts and negatives as lists of one length, or raise ValueError for a wrong argument."""
    prompts = texts("prompt", prompt)
    negatives = texts("negative", negative) * (len(prompts) if isinstance(negative, str) else 1)
    if len(negatives) != len(prompts):
        raise ValueError(f"There are {len(prompts)} prompts and {len(negatives)} negatives; "
                         "give as many, or one string for all.")
    whole("seed", seed, 0, 2**63 - len(prompts))
    if isinstance(guidance, bool) or not isinstance(guidance, Real) or not math.isfinite(guidance):
        raise ValueError(f"guidance is {guidance!r}; it must be a finite number, such as 4.0.")
    if step is not None and not callable(step):
        raise ValueError(f"step is {step!r}; it must be a function (x_t, eps, abar_t, abar_s) -> x_s.")
    return prompts, negatives


def fitting(pipe):
    """Raise ValueError for a pipeline that plain DDIM cannot run."""
    name, config = type(pipe.scheduler).__name__, pipe.scheduler.config
    if not hasattr(pipe.scheduler, "alphas_cumprod"):
        raise ValueError(f"{name} has no alphas_cumprod, the levels of DDIM; use a DDIMScheduler.")
    if config.get("clip_sample") or config.get("thresholding"):
        raise ValueError(f"{name} clips its predictions, and generate does not; "
                         "set clip_sample and thresholding to False in its configuration.")
    if pipe.unet.config.get("time_cond_proj_dim"):
        raise ValueError("This U-Net was distilled to take the guidance as an input (time_cond_proj_dim), "
                         "which generate does not give it; use one that was not.")
    known_prediction_type(config.get("prediction_type", "epsilon"))


def sound(z_s, z_t, i, t):
    """Return z_s, or raise ValueError if it is no latent that the next step could use."""
    if not torch.is_tensor(z_s) or (z_s.shape, z_s.dtype) != (z_t.shape, z_t.dtype):
        got = f"{tuple(z_s.shape)}, {z_s.dtype}" if torch.is_tensor(z_s) else type(z_s).__name__
        wanted = f"{tuple(z_t.shape)}, {z_t.dtype}"
        raise ValueError(f"step returned {got}; it must return a tensor like its x_t: {wanted}.")
    if not z_s.isfinite().all():
        raise ValueError(f"Step {i + 1} (t = {t}) gave a latent with NaN or infinite numbers; "
                         "lower the guidance, use float32, or check your own step function.")
    return z_s
