"""Exercise of lesson 10: merging a low-rank adapter into a weight."""

import torch

from ..steps import lora_merge
from .exercise import Exercise


def merge(W, A, B, alpha, weight):
    return lora_merge(W, (A, B, alpha, weight))


def layers():
    """Arguments (W, A, B, alpha, weight): square layers, so that mistakes run without an error."""
    rng = torch.Generator().manual_seed(20)
    draw = lambda *shape: torch.randn(shape, generator=rng)
    return [(draw(6, 6), draw(r, 6), draw(6, r), alpha, weight) for r, alpha, weight in ((2, 3.0, 0.5), (4, 2.0, 1.3))]


EXERCISES = [
    Exercise(
        "lora_merge",
        merge,
        layers,
        (
            (
                "divide by the rank: the change is multiplied by alpha / rank, and the rank is len(A).",
                lambda W, A, B, alpha, weight: W + weight * alpha * B @ A,
            ),
            (
                "alpha is missing: the change is multiplied by alpha / rank.",
                lambda W, A, B, alpha, weight: W + weight / len(A) * B @ A,
            ),
            ("alpha / rank is missing; the rank is len(A).", lambda W, A, B, alpha, weight: W + weight * B @ A),
            (
                "the weight is missing: with weight 0 the result must be W.",
                lambda W, A, B, alpha, weight: W + alpha / len(A) * B @ A,
            ),
            ("this is the change alone; add it to W.", lambda W, A, B, alpha, weight: weight * alpha / len(A) * B @ A),
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
        ),
        "the merged layer gives the same output as the layer with the adapter beside it.",
    )
]
