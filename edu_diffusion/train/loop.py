"""The one optimiser loop that every recipe uses: AdamW to a deadline, running average, safe to kill at any moment."""

import math
import pathlib
import time
from typing import NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ..errors import EduError
from ..models import autocast


class Progress(NamedTuple):
    """What a recipe reports after each step. loss: running mean. seconds: trained; left: to the deadline."""

    step: int
    loss: float
    seconds: float
    left: float
    model: object


class Bound:
    """How much of the run is done: a deadline in minutes of training, a number of steps, or both."""

    def __init__(self, minutes=None, steps=None):
        if not any((minutes, steps)) or any(x is not None and not x > 0 for x in (minutes, steps)):
            raise EduError("Say how long to train: minutes=... or steps=..., above zero.")
        self.limit, self.steps = (minutes or math.inf) * 60, steps or math.inf

    def done(self, step, seconds):
        """Share of the run that is over, 0 to 1."""
        return min(1.0, max(seconds / self.limit, step / self.steps))

    def left(self, step, seconds):
        """Seconds still to go, by the pace so far."""
        by_steps = (self.steps - step) * seconds / step if step and self.steps < math.inf else math.inf
        return max(0.0, min(self.limit - seconds, by_steps))


def fit(model, loss, *, minutes=None, steps=None, lr=1e-3, ema=0.998, warmup=50, clip=1.0, run=None, every=30.0):
    """Minimise loss(step) over model's trainable parameters; a generator of Progress.

    The learning rate rises for `warmup` steps and falls linearly to zero at the deadline; at the end the model
    holds the running average of its weights (decay `ema`). loss(step) must draw its data from the step's number
    alone: then a run that was killed and resumed sees what an uninterrupted one sees.
    run: folder in which the state is kept every `every` seconds. Raises EduError when the loss is not finite.
    """
    names, params = zip(*((n, p) for n, p in model.named_parameters() if p.requires_grad))
    optimiser = torch.optim.AdamW(params, lr, betas=(0.9, 0.99), weight_decay=1e-4, fused=True)
    average = [p.detach().clone() for p in params]
    bound, state = Bound(minutes, steps), State(run, names, params, average, optimiser)
    step, seconds, mean = state.load()
    saved = seconds
    while bound.done(step, seconds) < 1:
        start = time.monotonic()
        for group in optimiser.param_groups:
            group["lr"] = lr * min(1, (step + 1) / warmup) * (1 - bound.done(step, seconds))
        value = descend(loss, step, params, optimiser, clip)
        torch._foreach_lerp_(average, list(params), 1 - min(ema, (1 + step) / (10 + step)))
        step, mean = step + 1, value if mean is None else mean + 0.02 * (value - mean)
        seconds += time.monotonic() - start
        if seconds - saved > every:
            state.save(step, seconds, mean)
            saved = seconds
        yield Progress(step, mean, seconds, bound.left(step, seconds), model)
    state.save(step, seconds, mean)
    with torch.no_grad():
        torch._foreach_copy_(list(params), average)


def descend(loss, step, params, optimiser, clip):
    """One step downhill; returns the loss as a float."""
    with autocast(params[0].device):
        value = loss(step)
    number = float(value.detach())
    if not math.isfinite(number):
        raise EduError(f"The loss became {number} at step {step}: lower the learning rate, and start afresh.")
    optimiser.zero_grad(set_to_none=True)
    value.backward()
    if not torch.nn.utils.clip_grad_norm_(params, clip).isfinite():
        raise EduError(f"The gradient became infinite at step {step}: lower the learning rate, and start afresh.")
    optimiser.step()
    return number


class State:
    """What a killed run needs to go on, in one safetensors file that is renamed into place when complete."""

    def __init__(self, run, names, params, average, optimiser):
        self.path = pathlib.Path(run) / "state.safetensors" if run else None
        self.names, self.params, self.average, self.optimiser = names, params, average, optimiser

    def save(self, step, seconds, mean):
        if self.path is None:
            return
        tensors = {f"average.{n}": a for n, a in zip(self.names, self.average)}
        for name, p in zip(self.names, self.params):
            tensors[f"weight.{name}"] = p.detach()
            tensors |= {f"{key}.{name}": self.optimiser.state[p][key] for key in ("exp_avg", "exp_avg_sq")}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        save_file({k: v.contiguous().cpu() for k, v in tensors.items()}, partial,
                  {"step": str(step), "seconds": str(seconds), "mean": str(mean)})
        partial.replace(self.path)

    def load(self):
        """(step, seconds, mean loss) of the state on disk, put back in place; (0, 0, None) when there is none."""
        if self.path is None or not self.path.exists():
            return 0, 0.0, None
        with safe_open(self.path, "pt") as file, torch.no_grad():
            about = file.metadata()
            if f"weight.{self.names[0]}" not in file.keys():
                raise EduError(f"{self.path} belongs to another recipe: choose another folder or remove it.")
            for name, p, a in zip(self.names, self.params, self.average):
                p.copy_(file.get_tensor(f"weight.{name}"))
                a.copy_(file.get_tensor(f"average.{name}"))
                moments = {key: file.get_tensor(f"{key}.{name}").to(p.device) for key in ("exp_avg", "exp_avg_sq")}
                self.optimiser.state[p] = {"step": torch.tensor(float(about["step"])), **moments}
        return int(about["step"]), float(about["seconds"]), float(about["mean"])


def plain_attention(model):
    """On a CPU, take the library's attention in plain steps: at these sizes a training step is then quicker than
    with the fused kernel (tests/benchmarks/attention.py prints the ratio). The weights do not change.
    """
    if next(model.parameters()).device.type == "cpu":
        model.set_default_attn_processor()
    return model


def about(run):
    """How long a run folder's training took so far: {"steps": ..., "minutes": ...}."""
    with safe_open(pathlib.Path(run) / "state.safetensors", "pt") as file:
        facts = file.metadata()
    return {"steps": int(facts["step"]), "minutes": round(float(facts["seconds"]) / 60, 1)}


def generator(seed, step):
    """The step's own source of randomness."""
    return torch.Generator().manual_seed(seed * 1_000_003 + step)
