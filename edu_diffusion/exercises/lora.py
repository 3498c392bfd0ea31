"""Questions of lesson 10: a low-rank layer, how it starts, its weight, what is forgotten, and merging it."""

import torch

from ..steps import lora_linear, lora_merge
from .exercise import Exercise
from .lora_choices import LORA_SIZE, LORA_TWO, LORA_WEIGHT, LORA_WORDS, ZERO_START


def merge(W, A, B, alpha, weight):
    return lora_merge(W, (A, B, alpha, weight))


def layers():
    """Arguments (W, A, B, alpha, weight): square layers, so that mistakes run without an error."""
    rng = torch.Generator().manual_seed(20)
    draw = lambda *shape: torch.randn(shape, generator=rng)
    return [(draw(6, 6), draw(r, 6), draw(6, r), alpha, weight) for r, alpha, weight in ((2, 3.0, 0.5), (4, 2.0, 1.3))]


class Layer(torch.nn.Module):
    """What a lesson's LoraLayer holds, with a B that has learned something."""

    def __init__(self, size, rank, alpha, rng):
        super().__init__()
        draw = lambda *shape: torch.nn.Parameter(torch.randn(shape, generator=rng))
        self.A, self.B, self.rank, self.alpha = draw(rank, size), draw(size, rank), rank, alpha
        self.linear = torch.nn.Linear(size, size)
        self.linear.weight, self.linear.bias = draw(size, size), draw(size)
        self.linear.requires_grad_(False)


def inputs():
    """Arguments (self, x): layers with a square weight, so that mistakes run without an error; x with and without tokens."""
    rng = torch.Generator().manual_seed(24)
    return [
        (Layer(size, rank, alpha, rng), torch.randn(*shape, size, generator=rng))
        for size, rank, alpha, shape in ((6, 2, 3.0, (2, 3)), (5, 4, 2.0, (7,)))
    ]


def lora_forward(self, x):
    return lora_linear(self.linear, x, (self.A, self.B, self.alpha, 1.0))


def change(self, x):
    return x @ self.A.T @ self.B.T


LORA_FORWARD = Exercise(
    "lora_forward",
    lora_forward,
    inputs,
    (
        (
            "the frozen layer is missing: its output is what the low-rank path is added to.",
            lambda self, x: self.alpha / self.rank * change(self, x),
        ),
        (
            "alpha / rank is missing: without it, another rank would need another learning rate.",
            lambda self, x: self.linear(x) + change(self, x),
        ),
        ("divide by the rank as well: the factor is alpha / rank.", lambda self, x: self.linear(x) + self.alpha * change(self, x)),
        ("alpha is missing: the factor is alpha / rank.", lambda self, x: self.linear(x) + change(self, x) / self.rank),
        (
            "the factor is upside down: it is alpha / rank.",
            lambda self, x: self.linear(x) + self.rank / self.alpha * change(self, x),
        ),
        (
            "the factor belongs to the low-rank path only; the frozen layer counts fully.",
            lambda self, x: self.alpha / self.rank * (self.linear(x) + change(self, x)),
        ),
        (
            "both paths start from x: here A gets the output of the frozen layer.",
            lambda self, x: self.linear(x) + self.alpha / self.rank * change(self, self.linear(x)),
        ),
        ("the low-rank path is added, not subtracted.", lambda self, x: self.linear(x) - self.alpha / self.rank * change(self, x)),
        (
            "the bias of the frozen layer is lost; call self.linear(x) rather than multiply by its weight.",
            lambda self, x: x @ self.linear.weight.T + self.alpha / self.rank * change(self, x),
        ),
        (
            "the order is reversed: x goes through A first, then through B.",
            lambda self, x: self.linear(x) + self.alpha / self.rank * (x @ self.B @ self.A),
        ),
        ("the low-rank path is missing: this is the frozen layer alone.", lambda self, x: self.linear(x)),
        (
            "divide alpha by the rank itself, not by its root.",
            lambda self, x: self.linear(x) + self.alpha / self.rank**0.5 * change(self, x),
        ),
        (
            "`//` rounds down to a whole number: the factor is alpha / rank.",
            lambda self, x: self.linear(x) + self.alpha // self.rank * change(self, x),
        ),
    ),
    "the layer gives the frozen layer's output plus that of its low-rank path.",
)

LORA_MERGE = Exercise(
    "lora_merge",
    merge,
    layers,
    (
        (
            "the rank is forgotten: the layer divides by it. It is the number of rows of A, len(A).",
            lambda W, A, B, alpha, weight: W + weight * alpha * B @ A,
        ),
        (
            "alpha is missing: set x to anything, and compare with the output of your layer.",
            lambda W, A, B, alpha, weight: W + weight / len(A) * B @ A,
        ),
        (
            "the factor alpha / rank of your layer is missing; the rank is len(A).",
            lambda W, A, B, alpha, weight: W + weight * B @ A,
        ),
        ("the weight is missing: with weight 0 the result must be W.", lambda W, A, B, alpha, weight: W + alpha / len(A) * B @ A),
        (
            "this is the change alone; the frozen weight is part of the sum.",
            lambda W, A, B, alpha, weight: weight * alpha / len(A) * B @ A,
        ),
        (
            "the weight multiplies the change only; W stays as it is.",
            lambda W, A, B, alpha, weight: weight * (W + alpha / len(A) * B @ A),
        ),
        ("the change is added, not subtracted.", lambda W, A, B, alpha, weight: W - weight * alpha / len(A) * B @ A),
        (
            "this is transposed: the product is B @ A, (out, rank) times (rank, in).",
            lambda W, A, B, alpha, weight: W + weight * alpha / len(A) * (B @ A).T,
        ),
        (
            "the rank is the number of rows of A, len(A), not the width of W.",
            lambda W, A, B, alpha, weight: W + weight * alpha / len(B) * B @ A,
        ),
        (
            "`//` rounds down to a whole number: the factor is alpha / rank.",
            lambda W, A, B, alpha, weight: W + weight * (alpha // len(A)) * B @ A,
        ),
        (
            "this is A @ B, with the rank outside; the product is B @ A, (out, rank) times (rank, in).",
            lambda W, A, B, alpha, weight: W + A @ B,
        ),
        ("this multiplies by the rank; divide by it.", lambda W, A, B, alpha, weight: W + weight * alpha * len(A) * B @ A),
        (
            "this is a weighted sum of W and the change; W stays whole, and the change is added to it.",
            lambda W, A, B, alpha, weight: (1 - weight) * W + weight * alpha / len(A) * B @ A,
        ),
        (
            "A and B are both multiplied by the factor, so it counts twice; multiply their product once.",
            lambda W, A, B, alpha, weight: W + (weight * alpha / len(A)) ** 2 * B @ A,
        ),
    ),
    "the merged layer gives the same output as the layer with the adapter beside it, at no extra cost.",
)

EXERCISES = [LORA_SIZE, LORA_FORWARD, ZERO_START, LORA_WEIGHT, LORA_WORDS, LORA_MERGE, LORA_TWO]
