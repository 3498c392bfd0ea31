"""The one training loop that every recipe uses: AdamW to a deadline, moving average of the weights, safe to kill at any time."""

import math
import pathlib
import time
from typing import NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ..errors import EduError
from .pace import Weights, quickest

SHORTEST_RISE = 10  # minimum steps of warm-up, when it is a share of the run


class Progress(NamedTuple):
    """What a recipe reports after each step. loss: moving average. seconds: trained so far; left: to the deadline."""

    step: int
    loss: float
    seconds: float
    left: float
    model: object


class Bound:
    """How much of a training run is done: a deadline in minutes, a number of steps, or both."""

    def __init__(self, minutes=None, steps=None):
        if not any((minutes, steps)) or any(x is not None and not x > 0 for x in (minutes, steps)):
            raise EduError("Say how long to train: minutes=... or steps=..., greater than zero.")
        self.limit, self.steps = (minutes or math.inf) * 60, steps or math.inf

    def done(self, step, seconds):
        """Fraction of the run that is done, 0 to 1."""
        return min(1.0, max(seconds / self.limit, step / self.steps))

    def left(self, step, seconds):
        """Seconds left, at the speed so far."""
        by_steps = (self.steps - step) * seconds / step if step and self.steps < math.inf else math.inf
        return max(0.0, min(self.limit - seconds, by_steps))

    def rise(self, step, seconds, warmup):
        """Fraction of the full learning rate that the warm-up allows, 0 to 1.

        warmup: below 1, a share of the run, but at least ten steps; from 1 on, a number of steps.
        """
        by_steps = (step + 1) / (warmup if warmup >= 1 else SHORTEST_RISE)
        by_share = self.done(step + 1, seconds) / warmup if 0 < warmup < 1 else 1.0
        return min(1.0, by_steps, by_share)

    def long(self):
        """Whether the run is long enough to look for the fastest arithmetic first."""
        return min(self.steps / 200, self.limit / 120) >= 1


def fit(model, loss, *, minutes=None, steps=None, lr=1e-3, ema=0.998, warmup=0.02, clip=1.0, run=None, every=30.0,
        arithmetic=None, probe=None, together=None, writes=True):
    """Minimise loss(step) over model's trainable parameters; a generator of Progress.

    The learning rate rises during `warmup` (see Bound.rise) and falls linearly to zero at the deadline; at the end the
    model holds the exponential moving average of its weights (decay `ema`). loss(step) must derive its data from the step
    number alone: then a run that was killed and resumed sees the same data as an uninterrupted one.
    run: folder in which the state is saved every `every` seconds. Raises EduError when the loss is not finite.
    arithmetic: one of pace.ARITHMETIC; None: the fastest for the loss probe() if given, else "autocast"; a resumed run
    keeps its own. In "bf16" the model has bf16 weights until the run ends or is interrupted, then float32.
    together: a function that receives the gradients, a list of float32 tensors, and may change them in place: averaging
    over several processes, say; no time is then spent on the probe. writes: whether this process saves the state.
    """
    bound = Bound(minutes, steps)
    weights = Weights(model, begun_in(run) or arithmetic or probed(model, None if together else probe, bound))
    try:
        yield from descend(weights, loss, bound, lr, ema, warmup, clip, run, every, together, writes)
    finally:
        weights.restore()


def probed(model, probe, bound):
    """The arithmetic for a new run: the fastest if a probe is given and the run is long enough, else autocast."""
    return quickest(model, probe) if probe and bound.long() else "autocast"


def descend(weights, loss, bound, lr, ema, warmup, clip, run, every, together, writes):
    """The loop of fit. Yields Progress; at the end the master weights are the moving average."""
    optimiser = torch.optim.AdamW(weights.masters, lr, betas=(0.9, 0.99), weight_decay=1e-4, fused=True)
    average = [w.detach().clone() for w in weights.masters]
    state = State(run, weights, average, optimiser, writes)
    step, seconds, mean = state.load()
    saved = seconds
    while bound.done(step, seconds) < 1:
        start = time.monotonic()
        for group in optimiser.param_groups:
            group["lr"] = lr * bound.rise(step, seconds, warmup) * (1 - bound.done(step, seconds))
        value = one_step(loss, step, weights, optimiser, clip, together)
        with torch.no_grad():
            torch._foreach_lerp_(average, weights.masters, 1 - min(ema, (1 + step) / (10 + step)))
        step, mean = step + 1, value if mean is None else mean + 0.02 * (value - mean)
        seconds += time.monotonic() - start
        if seconds - saved > every:
            state.save(step, seconds, mean)
            saved = seconds
        yield Progress(step, mean, seconds, bound.left(step, seconds), weights.model)
    state.save(step, seconds, mean)
    with torch.no_grad():
        torch._foreach_copy_(weights.masters, average)


def one_step(loss, step, weights, optimiser, clip, together=None):
    """One optimiser step; returns the loss as a float."""
    with weights.autocast():
        value = loss(step)
    number = float(value.detach())
    if not math.isfinite(number):
        raise EduError(f"The loss became {number} at step {step}: lower the learning rate and start over.")
    optimiser.zero_grad(set_to_none=True)
    value.backward()
    weights.take_gradients()
    if together:
        together([w.grad for w in weights.masters if w.grad is not None])
    if not torch.nn.utils.clip_grad_norm_(weights.masters, clip).isfinite():
        raise EduError(f"The gradient became infinite at step {step}: lower the learning rate and start over.")
    optimiser.step()
    weights.put()
    return number


class State:
    """What a killed run needs to resume, in one safetensors file that is renamed into place when complete."""

    def __init__(self, run, weights, average, optimiser, writes=True):
        self.writes, self.path = writes, state_file(run) if run else None
        self.weights = weights
        self.average = average
        self.optimiser = optimiser

    def save(self, step, seconds, mean):
        if self.path is None or not self.writes:
            return
        tensors = {f"average.{n}": a for n, a in zip(self.weights.names, self.average)}
        for name, w in zip(self.weights.names, self.weights.masters):
            tensors[f"weight.{name}"] = w.detach()
            tensors |= {f"{key}.{name}": self.optimiser.state[w][key] for key in ("exp_avg", "exp_avg_sq")}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        facts = {"step": step, "seconds": seconds, "mean": mean, "arithmetic": self.weights.arithmetic}
        save_file({k: v.contiguous().cpu() for k, v in tensors.items()}, partial, {k: str(v) for k, v in facts.items()})
        partial.replace(self.path)

    def load(self):
        """(step, seconds, mean loss) of the saved state, restored in place; (0, 0, None) when there is none."""
        if self.path is None or not self.path.exists():
            return 0, 0.0, None
        with safe_open(self.path, "pt") as file, torch.no_grad():
            about = file.metadata()
            if f"weight.{self.weights.names[0]}" not in file.keys():  # noqa: SIM118
                raise EduError(f"{self.path} belongs to another recipe: choose another folder or remove it.")
            for name, w, a in zip(self.weights.names, self.weights.masters, self.average):
                w.copy_(file.get_tensor(f"weight.{name}"))
                a.copy_(file.get_tensor(f"average.{name}"))
                # same memory layout as the weight: the fused optimiser walks through both in memory order
                moments = {key: torch.empty_like(w).copy_(file.get_tensor(f"{key}.{name}")) for key in ("exp_avg", "exp_avg_sq")}
                self.optimiser.state[w] = {"step": torch.tensor(float(about["step"])), **moments}
        self.weights.put()
        return int(about["step"]), float(about["seconds"]), float(about["mean"])


def state_file(run):
    """The file with a run folder's saved state."""
    return pathlib.Path(run) / "state.safetensors"


def begun_in(run):
    """The arithmetic of the training run in a folder; None when there is none."""
    if run is None or not state_file(run).exists():
        return None
    with safe_open(state_file(run), "pt") as file:
        return file.metadata().get("arithmetic", "autocast")


def plain_attention(model):
    """On a CPU, use the library's plain attention: at these sizes a training step is then faster than
    with the fused kernel (tests/benchmarks/attention.py prints the ratio). The weights do not change.
    """
    if next(model.parameters()).device.type == "cpu":
        model.set_default_attn_processor()
    return model


def about(run):
    """Training time of a run folder so far: {"steps": ..., "minutes": ...}."""
    with safe_open(state_file(run), "pt") as file:
        facts = file.metadata()
    return {"steps": int(facts["step"]), "minutes": round(float(facts["seconds"]) / 60, 1)}


def generator(seed, step):
    """The step's own random number generator."""
    return torch.Generator().manual_seed(seed * 1_000_003 + step)
