"""The arithmetic of a training step: bf16 autocast on float32 weights, or bf16 weights with float32 master weights.

Autocast rounds the float32 weights of every convolution and linear layer to bf16 in each step, and casts their gradients
back. When the module holds these weights in bf16 itself, those casts are not needed; the optimiser then updates float32
master weights, because an update of 1e-3 of a weight would be lost in bf16's 8 bits (Micikevicius et al. 2018). The loss is
the same number either way. Normalisation and embeddings stay float32: they are few, and autocast does not round them either.
"""

import math
import time

import torch

from ..errors import EduError
from ..models import autocast
from ..models.device import bf16_units

ARITHMETIC = ("autocast", "channels_last", "bf16", "bf16_channels_last")
ROUNDED = (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)  # what autocast computes in bf16
QUICKER = 1.1  # minimum speed-up over autocast for another arithmetic to be used


class Weights:
    """The trainable weights of a module, as the optimiser sees them.

    names: n of them. masters: n float32 tensors; the module's own weights, or copies where the module now holds bf16.
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
        """The context of a forward pass: bf16 weights need it on every machine, float32 weights only where it is faster."""
        device = self.own[0].device
        return torch.autocast(device.type, torch.bfloat16) if "bf16" in self.arithmetic else autocast(device)

    def take_gradients(self):
        """Move the gradients of the bf16 weights to their master weights, in float32."""
        for p, master in self.rounded.items():
            master.grad = None if p.grad is None else torch.empty_like(master).copy_(p.grad)
            p.grad = None

    def put(self):
        """Round the master weights into the module's bf16 weights."""
        with torch.no_grad():
            if self.rounded:
                torch._foreach_copy_(list(self.rounded), list(self.rounded.values()))

    def restore(self):
        """Give the module its master weights back as float32, in the usual memory layout."""
        for p, master in self.rounded.items():
            p.grad, p.data = None, master
        self.rounded = {}
        if "channels_last" in self.arithmetic:
            self.model.to(memory_format=torch.contiguous_format)


def round_weights(model):
    """Store in bf16 the float32 weights that autocast would round; returns {parameter: its float32 copy}."""
    layers = (m for m in model.modules() if isinstance(m, ROUNDED))
    exact = {p: p.detach().clone() for m in layers for p in m.parameters(recurse=False) if p.dtype == torch.float32}
    for p, master in exact.items():
        p.grad, p.data = None, master.to(torch.bfloat16)
    return exact


def quickest(model, loss, others=("bf16",), seconds=1.0):
    """The arithmetic with the fastest forward and backward pass of loss(); "autocast" unless another is QUICKER.

    All take turns until `seconds` are over; the first turn warms up, and the shortest of the later times counts.
    Measured on CPUs only, and bf16 only where the CPU has units for it: emulated, one pass may take half a minute. The
    module is left unchanged.
    """
    others = [name for name in others if "bf16" not in name or bf16_units()]
    if next(model.parameters()).device.type != "cpu" or not others:
        return "autocast"
    end = time.monotonic() + seconds
    best = {}
    turn = 0
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
    """Seconds from weights to gradients, including the casts between steps."""
    start = time.monotonic()
    with weights.autocast():
        value = loss()
    value.backward()
    weights.take_gradients()
    weights.put()
    return time.monotonic() - start
