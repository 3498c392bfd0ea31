"""Questions of lesson 10: a low-rank layer, how it starts, its weight, what is forgotten, and merging it."""

import torch

from ..steps import lora_linear, lora_merge
from .choices import Choice, Number
from .exercise import Exercise


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


LORA_SIZE = Number(
    "lora_size",
    4 * (320 + 320),
    (
        ("this is the full matrix; A and B together have far fewer numbers.", 320 * 320),
        ("this is one of the two matrices; count both.", 4 * 320),
        ("the product B A has the shape of W, but only A and B are trained, and not their product.", 4 * 320 * 320),
        ("these are the sides of the matrices; count the entries: rows times columns.", 2 * (4 + 320)),
        ("these are the rows of W; each row has 4 numbers in B, and A comes on top.", 320),
        ("the frozen matrix is not trained; count A and B alone.", 320 * 320 + 4 * 640),
        ("the rank is counted twice: A has 4 rows of 320, and B has 320 rows of 4.", 2 * 4 * 640),
        ("the two matrices of LoRA have no biases; count their entries alone.", 4 * 640 + 320),
        ("this is the share of the full matrix; the question asks for the count.", 0.025),
        ("this is the share of the full matrix in per cent; the question asks for the count.", 2.5),
    ),
    "4 · 320 in A and 320 · 4 in B are 2,560 numbers, 2.5 % of the 102,400 in the matrix. The count grows with the side of the "
    "matrix, not with its area, so the larger the model, the larger the saving.",
    tolerance=1e-6,
)

ZERO_START = Choice(
    "zero_start",
    "B",
    {
        "A": "the output at the start is indeed the same, but look at the gradients in the second row: both are 0, and an "
        "optimiser that follows a gradient of 0 does not move.",
        "B": "the gradient of A contains B as a factor, and that of B contains A x. If both matrices are zero, so are both "
        "gradients, for ever. If only B is zero, B moves first, and then A.",
        "C": "this is not slow, it stands still: both gradients in the second row are exactly 0, at every step.",
        "D": "the output is right: B A is zero if either matrix is. What goes wrong is shown by the gradients.",
    },
)

LORA_WEIGHT = Choice(
    "lora_weight",
    "B",
    {
        "A": "weight 0 is the base model. It knows nothing of the new style, but it draws these things, in its old styles.",
        "B": "half of the change is not half of the result. At 0.5 colours and lines are mixed, and fewer images are nearest to "
        "the thing that was asked for than at any other weight here. The adapter was trained with weight 1; nothing in its "
        "training made 0.5 good.",
        "C": "this is the weight with which the adapter was trained. The curve of the things has its lowest point elsewhere.",
        "D": "more than in the training makes the lines coarser, but most of these things are still there. The curve of the "
        "things has its lowest point elsewhere.",
    },
    prediction=True,
)

LORA_WORDS = Choice(
    "lora_words",
    "C",
    {
        "A": "it seems that the words should decide, but the adapter changes matrices that every prompt goes through. Most images "
        "in the lower row are line drawings.",
        "B": "the adapter has no switch that reads the prompt; where the words do not name a style, the images in the lower row "
        "are not half and half.",
        "C": "the adapter changes matrices that every prompt goes through, and in its training every image was a line drawing. So "
        'the words "contrast style" were never needed. This is a form of forgetting: the old styles are lost while it is on.',
        "D": "the images are not noise: the lower row shows drawings, in another style than the upper one.",
    },
    prediction=True,
)

LORA_TWO = Number(
    "lora_two",
    12,
    (
        ("a matrix of rank 8 can hold the larger change, but the other one needs room of its own.", 8),
        ("this is the smaller rank; even the larger adapter does not fit into it.", 4),
        ("ranks are not averaged; ask how many independent directions the sum of both changes can have.", 6),
        ("ranks do not multiply here: put the rows of both A's below one another, and count them.", 32),
        ("the rank counts rows of A or columns of B, and not both together.", 24),
        ("a full matrix of 320 x 320 could hold it, but so can far fewer rows: count those of both A's.", 320),
        ("the sides of the matrices stay 320; only the inner dimension grows.", 640),
    ),
    "the rows of both A's below one another, and the columns of both B's side by side: the product is the sum of the two changes, "
    "and its inner dimension is 4 + 8 = 12.",
)

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
