"""How a training step computes: bf16 arithmetic on float32 weights, or bf16 weights with float32 masters beside them.

Autocast rounds the float32 weights of every convolution and linear layer to bf16 in each step, and casts their gradients
back. When the module holds these weights in bf16 itself, the casts inside the network go; the optimiser then steps float32
masters, for a step of 1e-3 of a weight would be lost in bf16's 8 bits (Micikevicius et al. 2018). The loss is the same
number either way. Normalisation, embeddings and all else stay float32: they are few, and autocast does not round them either.
"""

import math
import time

import torch

from ..errors import EduError
from ..models import autocast

ARITHMETIC = ("autocast", "channels_last", "bf16", "bf16_channels_last")
ROUNDED = (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)  # what autocast computes in bf16
QUICKER = 1.1  # how many times as fast as autocast another arithmetic must be to be worth it


class Weights:
    """The weights of a module that may learn, as the optimiser sees them.

    names: n of them. masters: n float32 tensors; a module's own weights, or copies where the module now holds bf16.
    """

    def __init__(self, model, arithmetic="autocast"):
        if arithmetic not in ARITHMETIC:
            raise EduError(f"There is no arithmetic {arithmetic!r}; use one of {list(ARITHMETIC)}.")
        self.model, self.arithmetic = model, arithmetic
        if "channels_last" in arithmetic:
            model.to(memory_format=torch.channels_last)
        self.rounded = round_weights(model) if "bf16" in arithmetic else {}
        self.names, self.own = zip(*((n, p) for n, p in model.named_parameters() if p.requires_grad))
        self.masters = [self.rounded.get(p, p) for p in self.own]

    def autocast(self):
        """The context of a forward pass: bf16 weights need it on every machine, float32 weights only where it is quicker."""
        device = self.own[0].device
        return torch.autocast(device.type, torch.bfloat16) if "bf16" in self.arithmetic else autocast(device)

    def take_gradients(self):
        """Move the gradients of the bf16 weights to their masters, in float32."""
        for p, master in self.rounded.items():
            master.grad = None if p.grad is None else torch.empty_like(master).copy_(p.grad)
            p.grad = None

    def put(self):
        """Round the masters into the module's bf16 weights."""
        with torch.no_grad():
            if self.rounded:
                torch._foreach_copy_(list(self.rounded), list(self.rounded.values()))

    def restore(self):
        """Give the module its masters as float32 weights, laid out as usual."""
        for p, master in self.rounded.items():
            p.grad, p.data = None, master
        self.rounded = {}
        if "channels_last" in self.arithmetic:
            self.model.to(memory_format=torch.contiguous_format)


def round_weights(model):
    """Hold the float32 weights that autocast would round in bf16; returns {parameter: its float32 copy}."""
    layers = (m for m in model.modules() if isinstance(m, ROUNDED))
    exact = {p: p.detach().clone() for m in layers for p in m.parameters(recurse=False) if p.dtype == torch.float32}
    for p, master in exact.items():
        p.grad, p.data = None, master.to(torch.bfloat16)
    return exact


def quickest(model, loss, others=("bf16",), seconds=1.0):
    """The arithmetic in which loss() of this module and its gradient are computed soonest; "autocast" unless QUICKER.

    All take turns until `seconds` are over; the first turn warms up, and the shortest time of the later ones counts.
    Only a CPU is asked. The module is left as it was.
    """
    if next(model.parameters()).device.type != "cpu":
        return "autocast"
    end, best, turn = time.monotonic() + seconds, {}, 0
    while turn < 2 or time.monotonic() < end:
        now = {name: timed(model, loss, name) for name in ("autocast", *others)}
        best, turn = {name: min(best.get(name, math.inf), now[name]) if turn else math.inf for name in now}, turn + 1
    name = min(best, key=best.get)
    return name if best["autocast"] > QUICKER * best[name] else "autocast"


def timed(model, loss, arithmetic):
    """Seconds of one forward and backward pass."""
    weights = Weights(model, arithmetic)
    try:
        with torch.random.fork_rng(devices=[]):
            return forward_backward(weights, loss)
    finally:
        model.zero_grad(set_to_none=True)
        weights.restore()


def forward_backward(weights, loss):
    """Seconds from weights to gradients, the casts between the steps included."""
    start = time.monotonic()
    with weights.autocast():
        value = loss()
    value.backward()
    weights.take_gradients()
    weights.put()
    return time.monotonic() - start
