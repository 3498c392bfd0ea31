"""Parameters, time and memory, block by block."""

import statistics
import time
from collections.abc import Iterable
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import nn

from .names import callable_names, matching, modules
from .tree import nbytes

__all__ = ["Profile", "Share", "profile"]

REST = "the rest"


class Share(NamedTuple):
    """What one block costs."""

    name: str
    kind: str  # its class
    parameters: int
    nbytes: int  # of all its output tensors
    seconds: float  # of one run: the median
    low: float  # the fastest run
    high: float  # the slowest run


class Profile(NamedTuple):
    """What a model costs. The difference of `plain` and `seconds` is the cost of measuring, and random variation."""

    shares: list  # a Share for each block, in the order of the calls; the last, "the rest", is everything between
    seconds: float  # of a whole run with a clock at every block: the median
    plain: float  # of a whole run without clocks
    runs: int


class Clocks:
    """The measurements of one run: {name: seconds}, {name: bytes}, in the order of the calls."""

    def __init__(self, device):
        self.device = device
        self.begin = {}
        self.seconds = {}
        self.nbytes = {}

    def now(self):
        """Return seconds. A GPU is synchronised first, since it still computes after a call has returned."""
        if self.device.type != "cpu":
            torch.accelerator.synchronize(self.device)
        return time.perf_counter()

    def start(self, name):
        self.seconds.setdefault(name, 0.0)
        self.begin[name] = self.now()

    def stop(self, name, outputs):
        self.seconds[name] += self.now() - self.begin[name]
        self.nbytes[name] = nbytes([outputs])


@torch.no_grad()
def profile(model: nn.Module, *inputs: object, names: Iterable[str] | None = None, runs: int = 5, **more: object) -> Profile:
    """Measure the parameters of every block of a model, the memory of its output, and its run time.

    The model is called once to warm up, then `runs` times with a clock at each block, each time followed by a
    run without. Other work on the machine adds time, and not equally to all runs: a difference smaller than a
    block's range from `low` to `high` is random variation.

    model: a torch module. inputs, more: its arguments. names: blocks by dotted name or pattern, none
    inside another; None: its direct parts, with each block of a list counted by itself. runs: at least 1.
    Returns a Profile. Raises ValueError for wrong names and runs.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"model is a {type(model).__name__}; it must be a torch module, such as pipe.unet.")
    found = modules(model)
    names = matching(callable_names(found), parts(model) if names is None else names)
    apart(names, runs)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    model(*inputs, **more)
    clocked, plain = [], []
    for _ in range(runs):
        with clocks(found, names, device) as clock:
            run(model, inputs, more, clock)
        clocked.append(clock)
        plain.append(run(model, inputs, more, Clocks(device)))
    whole = statistics.median(clock.seconds[REST] for clock in clocked)
    return Profile(shares(found, names, clocked), whole, statistics.median(plain), runs)


def parts(model):
    """Yield the names of a model's direct parts; each module in a list counts by itself."""
    for name, child in model.named_children():
        inner = [f"{name}.{i}" for i, _ in child.named_children()]
        yield from inner if isinstance(child, nn.ModuleList) else [name]


def apart(names, runs):
    """Raise ValueError if a name is inside another: its time would count twice."""
    if isinstance(runs, bool) or not isinstance(runs, int) or runs < 1:
        raise ValueError(f"runs is {runs!r}; it must be a whole number, at least 1.")
    for outer in names:
        inner = [name for name in names if name != outer and name.startswith(f"{outer}.".lstrip("."))]
        if inner:
            raise ValueError(
                f"{inner[0]} is inside {outer or 'the whole model'}; choose one of the two, or its time would count twice."
            )


@contextmanager
def clocks(found, names, device):
    """Put a clock at every block during one run."""
    clock, handles = Clocks(device), []
    try:
        for name in names:
            handles.append(found[name].register_forward_pre_hook(lambda m, x, name=name: clock.start(name)))
            handles.append(found[name].register_forward_hook(lambda m, x, y, name=name: clock.stop(name, y)))
        yield clock
    finally:
        for handle in handles:
            handle.remove()


def run(model, inputs, more, clock):
    """Run the model once, with a clock around all of it; returns the seconds."""
    clock.start(REST)
    clock.stop(REST, model(*inputs, **more))
    return clock.seconds[REST]


def shares(found, names, clocked):
    """Return a Share for each block in the order of the calls, then those never called, then the rest."""
    order = list(clocked[0].seconds)
    names = sorted(names, key=lambda name: order.index(name) if name in order else len(order))
    rows = [share(name, found[name], clocked) for name in names]
    between = [clock.seconds[REST] - sum(clock.seconds.get(name, 0.0) for name in names) for clock in clocked]
    known = {id(p) for name in names for p in found[name].parameters()}
    left = sum(p.numel() for p in found[""].parameters() if id(p) not in known)
    return [*rows, Share(REST, "", left, 0, *spread(between))]


def share(name, module, clocked):
    """Return one block's Share."""
    size = sum(p.numel() for p in module.parameters())
    seconds = spread([clock.seconds.get(name, 0.0) for clock in clocked])
    return Share(name, type(module).__name__, size, clocked[0].nbytes.get(name, 0), *seconds)


def spread(seconds):
    """Return median, smallest and largest."""
    return statistics.median(seconds), min(seconds), max(seconds)
