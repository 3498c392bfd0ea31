"""The one training loop that every recipe uses: AdamW to a deadline, moving average of the weights, safe to kill at any time."""

import math
import os
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

from ..errors import EduError
from . import half as halves
from .interrupt import Deferred
from .pace import Weights, quickest
from .state import State, started_in

SHORTEST_RISE = 10  # minimum steps of warm-up, when it is a share of the run


class Progress(NamedTuple):
    """What a recipe reports after each step. loss: moving average. seconds: trained so far; left: to the deadline."""

    step: int
    loss: float
    seconds: float
    left: float
    model: object


class Bound:
    """How much of a training run is done: a deadline in minutes, a number of steps, or both.

    The environment variable EDU_DIFFUSION_SECONDS makes every run that would be longer end after so many seconds: to go through
    all lessons quickly.
    """

    def __init__(self, minutes=None, steps=None):
        if not any((minutes, steps)) or any(x is not None and not x > 0 for x in (minutes, steps)):
            raise EduError("Say how long to train: minutes=... or steps=..., greater than zero.")
        most = float(os.environ.get("EDU_DIFFUSION_SECONDS") or math.inf)
        self.limit, self.steps = min((minutes or math.inf) * 60, most), steps or math.inf

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


def fit(
    model: torch.nn.Module,
    loss: Callable[[int], torch.Tensor],
    *,
    minutes: float | None = None,
    steps: int | None = None,
    lr: float = 1e-3,
    ema: float = 0.998,
    warmup: float = 0.02,
    clip: float = 1.0,
    run: str | os.PathLike | None = None,
    every: float = 30.0,
    arithmetic: str | None = None,
    probe: Callable[[], torch.Tensor] | None = None,
    together: Callable[[list[torch.Tensor]], None] | None = None,
    writes: bool = True,
    half: str | None = None,
) -> Iterator[Progress]:
    """Minimise loss(step) over model's trainable parameters; a generator of Progress.

    The learning rate rises during `warmup` (see Bound.rise) and falls linearly to zero at the deadline; at the end the
    model holds the exponential moving average of its weights (decay `ema`). loss(step) must derive its data from the step
    number alone: then a run that was killed and resumed sees the same data as an uninterrupted one.
    run: folder in which the state is saved every `every` seconds, and after Ctrl-C, SIGTERM or the generator's close(), which
    wait for the end of a step. Of a finished run the last Progress is shown again. Raises EduError when the loss is not finite.
    arithmetic: one of pace.ARITHMETIC; None: the fastest for the loss probe() if given, else "autocast"; a resumed run
    keeps its own. In "bf16" the model has bf16 weights until the run ends or is interrupted, then float32.
    together: a function that receives the gradients, a list of float32 tensors, and may change them in place: averaging
    over several processes, say; no time is then spent on the probe. writes: whether this process saves the state.
    """
    bound = Bound(minutes, steps)
    weights = Weights(model, started_in(run) or arithmetic or probed(model, None if together else probe, bound))
    try:
        yield from descend(weights, loss, bound, lr, ema, warmup, clip, run, every, together, writes, half)
    finally:
        weights.restore()


def probed(model, probe, bound):
    """The arithmetic for a new run: the fastest if a probe is given and the run is long enough, else autocast."""
    return quickest(model, probe) if probe and bound.long() else "autocast"


def descend(weights, loss, bound, lr, ema, warmup, clip, run, every, together, writes, half=None):
    """The loop of fit. Yields Progress; at the end the master weights are the moving average."""
    optimiser = torch.optim.AdamW(weights.masters, lr, betas=(0.9, 0.99), weight_decay=1e-4, fused=True)
    average = [w.detach().clone() for w in weights.masters]
    state = State(run, weights, average, optimiser, writes)
    step, seconds, mean = state.load()
    begun, saved = step, seconds
    while bound.done(step, seconds) < 1:
        start = time.monotonic()
        for group in optimiser.param_groups:
            group["lr"] = lr * bound.rise(step, seconds, warmup) * (1 - bound.done(step, seconds))
        with Deferred() as stop:
            value = one_step(loss, step, weights, optimiser, clip, together)
            with torch.no_grad():
                torch._foreach_lerp_(average, weights.masters, 1 - min(ema, (1 + step) / (10 + step)))
        step, mean = step + 1, value if mean is None else mean + 0.02 * (value - mean)
        seconds += time.monotonic() - start
        if half and step == halves.LOOK and not begun and bound.limit < math.inf:
            help_along(half, step / seconds, weights, average)
        if seconds - saved > every or stop.asked:
            state.save(step, seconds, mean)
            saved = seconds
        if stop.asked:
            raise KeyboardInterrupt
        try:
            yield Progress(step, mean, seconds, bound.left(step, seconds), weights.model)
        except GeneratorExit:  # nobody wants to see the next step
            state.save(step, seconds, mean)
            raise
    state.save(step, seconds, mean)
    with torch.no_grad():
        torch._foreach_copy_(weights.masters, average)
    if step == begun:  # the run in the folder was finished already: show what it ended with
        yield Progress(step, mean, seconds, 0.0, weights.model)


def help_along(name, speed, weights, average):
    """Go on from a half-trained state if this computer is too slow; speed: training steps in a second."""
    half = halves.half_trained(name)
    if speed < half.speed:
        halves.put(half, weights.names, weights.masters, average)
        weights.put()
        print(halves.told(half, speed))


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


def plain_attention(model):
    """On a CPU, use the library's plain attention: at these sizes a training step is then faster than
    with the fused kernel (tests/benchmarks/attention.py prints the ratio). The weights do not change.
    """
    if next(model.parameters()).device.type == "cpu":
        model.set_default_attn_processor()
    return model


def generator(seed, step):
    """The step's own random number generator."""
    return torch.Generator().manual_seed(seed * 1_000_003 + step)
