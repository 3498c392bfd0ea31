"""Exercises of lesson 06: the timestep embedding and attention of a U-Net; and a way to run a learner's attention."""

import math
from contextlib import contextmanager

import torch

from .. import steps
from .exercise import Exercise

__all__ = ["EXERCISES", "attending"]


def timestep_embedding(t, width):
    return steps.timestep_embedding(t, width)


def times():
    """Arguments (t, width). The timesteps are small: in float32 the cosine of a large number is less exact."""
    return [(torch.tensor([0, 3, 40]), 8), (torch.tensor([17]), 6)]


def waves(t, f):
    """Cosines, then sines, of t times the frequencies."""
    return torch.cat([torch.cos(t[:, None] * f), torch.sin(t[:, None] * f)], dim=1)


def falling(width, i=None, base=10000, by=None):
    """The width / 2 frequencies base^(-i / by)."""
    i = torch.arange(width // 2) if i is None else i
    return torch.exp(-math.log(base) * i / (by or width / 2))


def looks():
    """Arguments (q, k, v): with heads and without; all sizes differ, so that no mistake fits by chance."""
    rng = torch.Generator().manual_seed(16)
    shapes = [((2, 3, 5, 4), (2, 3, 6, 4), (2, 3, 6, 7)), ((1, 4, 8), (1, 9, 8), (1, 9, 3))]
    return [tuple(torch.randn(shape, generator=rng) * 1.5 for shape in three) for three in shapes]


def scores(q, k):
    return q @ k.transpose(-2, -1)


def scaled(q, k):
    return scores(q, k) / q.shape[-1] ** 0.5


EXERCISES = [
    Exercise(
        "timestep_embedding",
        timestep_embedding,
        times,
        (
            (
                "the order is reversed: the cosines come first, then the sines.",
                lambda t, width: waves(t, falling(width)).roll(width // 2, 1),
            ),
            (
                "here cosines and sines alternate; put all the cosines first, then all the sines.",
                lambda t, width: waves(t, falling(width)).unflatten(1, (2, -1)).transpose(1, 2).flatten(1),
            ),
            (
                "these are the cosines alone; append the sines with torch.cat(..., dim=1).",
                lambda t, width: waves(t, falling(width))[:, : width // 2],
            ),
            (
                "these are the sines alone; put the cosines before them with torch.cat(..., dim=1).",
                lambda t, width: waves(t, falling(width))[:, width // 2 :],
            ),
            (
                "the waves become faster with i instead of slower: the exponent lacks its minus sign.",
                lambda t, width: waves(t, 1 / falling(width)),
            ),
            (
                "i is divided by the whole width; divide it by half of it, the number of frequencies.",
                lambda t, width: waves(t, falling(width, by=width)),
            ),
            (
                "i is divided by width / 2 - 1, as some implementations do; here it is divided by width / 2.",
                lambda t, width: waves(t, falling(width, by=width / 2 - 1)),
            ),
            (
                "i starts at 1; start at 0, so that the highest frequency is 1.",
                lambda t, width: waves(t, falling(width, torch.arange(1, width // 2 + 1))),
            ),
            ("the base is 10000, not 1000.", lambda t, width: waves(t, falling(width, base=1000))),
            (
                "the result does not depend on t: multiply each t by all the frequencies.",
                lambda t, width: waves(torch.ones_like(t), falling(width)),
            ),
            ("there is no 2 pi in this formula.", lambda t, width: waves(t * 2 * math.pi, falling(width))),
            (
                "these are t times the frequencies; take their cosines and their sines.",
                lambda t, width: (t[:, None] * falling(width)).repeat(1, 2),
            ),
            ("all frequencies are the same; each i has its own.", lambda t, width: waves(t, torch.ones(width // 2))),
        ),
        "this tells a network the timestep, with waves as slow and as fast as the hands of a clock.",
    ),
    Exercise(
        "attention",
        steps.multi_head_attention,
        looks,
        (
            (
                "divide by the square root of d before the softmax: otherwise one key gets nearly all the attention.",
                lambda q, k, v: scores(q, k).softmax(-1) @ v,
            ),
            ("divide by the square root of d, not by d.", lambda q, k, v: (scores(q, k) / q.shape[-1]).softmax(-1) @ v),
            (
                "divide by the square root of d instead of multiplying by it.",
                lambda q, k, v: (scores(q, k) * q.shape[-1] ** 0.5).softmax(-1) @ v,
            ),
            (
                "d is the width of a query, q.shape[-1], not the number of keys.",
                lambda q, k, v: (scores(q, k) / k.shape[-2] ** 0.5).softmax(-1) @ v,
            ),
            (
                "d is the width of a query, q.shape[-1], not that of a value.",
                lambda q, k, v: (scores(q, k) / v.shape[-1] ** 0.5).softmax(-1) @ v,
            ),
            (
                "the attention weights of one query must add up to 1: the softmax goes over the keys, dim=-1.",
                lambda q, k, v: scaled(q, k).softmax(-2) @ v,
            ),
            (
                "the softmax is missing: attention weights are positive and add up to 1 for each query.",
                lambda q, k, v: scaled(q, k) @ v,
            ),
            (
                "these are the attention weights; now take the weighted sum of the values: weights @ v.",
                lambda q, k, v: scaled(q, k).softmax(-1),
            ),
            (
                "these are the scaled dot products of queries and keys; the softmax and the values are still missing.",
                lambda q, k, v: scaled(q, k),
            ),
            (
                "divide by the square root of d before the softmax, not after it.",
                lambda q, k, v: scores(q, k).softmax(-1) / q.shape[-1] ** 0.5 @ v,
            ),
            (
                "dividing by the sum is not a softmax, since some numbers are negative; take .softmax(dim=-1).",
                lambda q, k, v: scaled(q, k) / scaled(q, k).sum(-1, keepdim=True) @ v,
            ),
            (
                "every query takes only the value whose key fits best; it must take a weighted sum of all values.",
                lambda q, k, v: torch.eye(k.shape[-2])[scaled(q, k).argmax(-1)] @ v,
            ),
            (
                "this is the plain mean of all values; it depends on no query.",
                lambda q, k, v: v.mean(-2, keepdim=True).expand(*q.shape[:-1], -1),
            ),
            (
                "the queries are compared with each other; compare them with the keys.",
                lambda q, k, v: scaled(q, q).softmax(-1) @ v[..., : q.shape[-2], :],
            ),
        ),
        "this is how each position of the picture attends to the words that matter for it.",
    ),
]


class Own:
    """Stands in for the library's attention processor, and calls a function (q, k, v) to compute attention."""

    def __init__(self, function):
        self.function = function

    def __call__(self, attn, x, encoder_hidden_states=None, **_):
        c = x if encoder_hidden_states is None else encoder_hidden_states
        heads = [y.unflatten(2, (attn.heads, -1)).transpose(1, 2) for y in (attn.to_q(x), attn.to_k(c), attn.to_v(c))]
        linear, dropout = attn.to_out
        return dropout(linear(self.function(*heads).transpose(1, 2).flatten(2)))


@contextmanager
def attending(unet, function):
    """Compute every self- and cross-attention of a U-Net with a function inside the `with` block.

    unet: diffusers' UNet2DConditionModel. function: (q, k, v) -> the weighted values, see steps.attention;
    q: (B, heads, N, d), k: (B, heads, M, d), v: (B, heads, M, width).
    """
    before = dict(unet.attn_processors)
    unet.set_attn_processor(Own(function))
    try:
        yield unet
    finally:
        unet.set_attn_processor(before)
