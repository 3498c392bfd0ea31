"""Exercises of lesson 06 about attention, and a way to run a learner's attention in a U-Net."""

import math
from contextlib import contextmanager

import torch

from .. import steps
from .exercise import Exercise

__all__ = ["ATTENTION", "CAUSAL_ATTENTION", "attending"]


def looks():
    """Arguments (q, k, v): with heads and without; all sizes differ, so that no mistake fits by chance."""
    rng = torch.Generator().manual_seed(16)
    shapes = [((2, 3, 5, 4), (2, 3, 6, 4), (2, 3, 6, 7)), ((1, 4, 8), (1, 9, 8), (1, 9, 3))]
    return [tuple(torch.randn(shape, generator=rng) * 1.5 for shape in three) for three in shapes]


def scores(q, k):
    return q @ k.transpose(-2, -1)


def scaled(q, k):
    return scores(q, k) / q.shape[-1] ** 0.5


def tokens():
    """Arguments (q, k, v) of self-attention over the tokens of a text: as many keys as queries."""
    rng = torch.Generator().manual_seed(17)
    shapes = [((2, 5, 4), (2, 5, 4), (2, 5, 7)), ((1, 2, 7, 3), (1, 2, 7, 3), (1, 2, 7, 6))]
    return [tuple(torch.randn(shape, generator=rng) * 1.5 for shape in three) for three in shapes]


def allowed(n, offset=0):
    """(n, n), true where the key's position is at most the query's, plus an offset."""
    return torch.ones(n, n).tril(offset).bool()


def causal_attention(q, k, v):
    return masked(q, k, v, allowed(q.shape[-2]))


def masked(q, k, v, mask, value=-math.inf):
    """Attention in which scores outside of the mask are replaced."""
    return scaled(q, k).masked_fill(~mask, value).softmax(-1) @ v


ATTENTION = Exercise(
    "attention",
    steps.multi_head_attention,
    looks,
    (
        (
            "divide by the square root of d before the softmax: otherwise one key gets nearly all the attention.",
            lambda q, k, v: scores(q, k).softmax(-1) @ v,
        ),
        (
            "some rows are NaN, as from the root of a negative number: scores may be negative. Take the root of d alone.",
            lambda q, k, v: (scores(q, k) / q.shape[-1]).sqrt().softmax(-1) @ v,
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
            "d is the width of a query, q.shape[-1], not the number of queries.",
            lambda q, k, v: (scores(q, k) / q.shape[-2] ** 0.5).softmax(-1) @ v,
        ),
        (
            "a power comes before a division: ** 1/2 divides by d and by 2. For a square root, write ** 0.5.",
            lambda q, k, v: (scores(q, k) / q.shape[-1] / 2).softmax(-1) @ v,
        ),
        (
            "this divides by d / 2, not by the square root of d. (** 1/2 is a power of 1, halved; write ** 0.5.)",
            lambda q, k, v: (scores(q, k) / (q.shape[-1] / 2)).softmax(-1) @ v,
        ),
        (
            "dim=1 is that of the heads or of the queries, depending on the shape; the keys are always the last one, dim=-1.",
            lambda q, k, v: scaled(q, k).softmax(1) @ v,
        ),
        (
            "the softmax turns the scores into weights; take it before the weighted sum of the values, not after it.",
            lambda q, k, v: (scaled(q, k) @ v).softmax(-1),
        ),
        ("divide by the square root of d, not by its square.", lambda q, k, v: (scores(q, k) / q.shape[-1] ** 2).softmax(-1) @ v),
        (
            "a sigmoid judges every key alone; the weights of one query must add up to 1, so take the softmax.",
            lambda q, k, v: scaled(q, k).sigmoid() @ v,
        ),
        (
            "k.T reverses all the dimensions; .transpose(-2, -1) exchanges the last two.",
            lambda q, k, v: q @ k.permute(*reversed(range(k.ndim))) @ v,
        ),
        (
            "count dimensions from the end: .transpose(-2, -1); .transpose(0, 1) exchanges those of images and heads.",
            lambda q, k, v: q @ k.transpose(0, 1) @ v,
        ),
        (
            "the rows of the table of scores are the queries: q times k transposed, not the other way round.",
            lambda q, k, v: scaled(k, q).softmax(-1) @ v,
        ),
        ("the weights stand on the left: weights @ v.", lambda q, k, v: v @ scaled(q, k).softmax(-1)),
        ("the weighted sum of the values is a matrix product: @, not *.", lambda q, k, v: scaled(q, k).softmax(-1) * v),
        (
            "the attention weights of one query must add up to 1: the softmax goes over the keys, dim=-1.",
            lambda q, k, v: scaled(q, k).softmax(-2) @ v,
        ),
        (
            "there are two mistakes. Along which dimension do the weights of *one* query lie? And what exactly stands under the "
            "fraction bar in the formula?",
            lambda q, k, v: (scores(q, k) / q.shape[-1]).softmax(-2) @ v,
        ),
        (
            "the division is missing, and the softmax goes over the queries: the weights of one query must add up to 1.",
            lambda q, k, v: scores(q, k).softmax(-2) @ v,
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
    "every position now takes a weighted mean of the values, with weights of its own.",
)

CAUSAL_ATTENTION = Exercise(
    "causal_attention",
    causal_attention,
    tokens,
    (
        ("nothing is hidden: every token still attends to the later ones.", lambda q, k, v: steps.multi_head_attention(q, k, v)),
        (
            "the wrong half is hidden: the first token must attend to itself only, the last one to all. Look at .tril and .triu.",
            lambda q, k, v: masked(q, k, v, allowed(q.shape[-2]).T),
        ),
        (
            "each token attends to the later ones only, and the last one to none (NaN). masked_fill replaces where the mask is "
            "True, so it must be True for the keys to hide: .triu(1).",
            lambda q, k, v: masked(q, k, v, ~allowed(q.shape[-2])),
        ),
        (
            "a token may attend to itself: hide only the keys *after* it. (The first token has nothing else.)",
            lambda q, k, v: masked(q, k, v, allowed(q.shape[-2], -1)),
        ),
        (
            "a token may attend to itself: hide only the keys *after* it. (The first token has nothing else.)",
            lambda q, k, v: masked(q, k, v, allowed(q.shape[-2], -1), -1e9),
        ),
        ("one later token can still be seen; hide it, too.", lambda q, k, v: masked(q, k, v, allowed(q.shape[-2], 1))),
        (
            "the hidden weights are 0, but the others no longer add up to 1: hide the scores *before* the softmax.",
            lambda q, k, v: (scaled(q, k).softmax(-1) * allowed(q.shape[-2])) @ v,
        ),
        (
            "a score of 0 is not hidden: its weight is e^0, divided by the sum. Which score gives the weight 0?",
            lambda q, k, v: masked(q, k, v, allowed(q.shape[-2]), 0.0),
        ),
        (
            "a score of -1 is low, but not hidden. Which score gives exactly the weight 0?",
            lambda q, k, v: masked(q, k, v, allowed(q.shape[-2]), -1.0),
        ),
        (
            "a score of -10 hides a token nearly, but not quite. Which score gives exactly the weight 0?",
            lambda q, k, v: masked(q, k, v, allowed(q.shape[-2]), -10.0),
        ),
        (
            "a score of plus infinity takes all the weight; a hidden one needs *minus* infinity.",
            lambda q, k, v: masked(q, k, v, allowed(q.shape[-2]), math.inf),
        ),
        (
            "minus infinity is a score: it belongs before the softmax, which makes the weight 0 of it.",
            lambda q, k, v: scaled(q, k).softmax(-1).masked_fill(~allowed(q.shape[-2]), -math.inf) @ v,
        ),
        (
            "the softmax is taken twice: a weight of 0 becomes e^0 there, and counts again. Hide the scores before the first one.",
            lambda q, k, v: scaled(q, k).softmax(-1).tril().softmax(-1) @ v,
        ),
        (
            "divide by the square root of d, not by d.",
            lambda q, k, v: (scores(q, k) / q.shape[-1]).masked_fill(~allowed(q.shape[-2]), -math.inf).softmax(-1) @ v,
        ),
        (
            "the wrong half of the weights is set to 0; and hide the scores, before the softmax, so that the rest adds up to 1.",
            lambda q, k, v: scaled(q, k).softmax(-1).triu() @ v,
        ),
        (
            "N is the number of tokens, q.shape[-2]; other dimensions, such as images and heads, may stand before it.",
            lambda q, k, v: masked(q, k, v, allowed(q.shape[0])),
        ),
        (
            "N is the number of tokens, q.shape[-2], not the width of a query.",
            lambda q, k, v: masked(q, k, v, allowed(q.shape[-1])),
        ),
        (
            "a mask is made of True and False: torch.ones(N, N).bool().",
            lambda q, k, v: scaled(q, k).masked_fill(1.0 * allowed(q.shape[-2]), -math.inf),
        ),
        (
            "the right keys are hidden, but the scores must be divided by the square root of d, as before.",
            lambda q, k, v: scores(q, k).masked_fill(~allowed(q.shape[-2]), -math.inf).softmax(-1) @ v,
        ),
        (
            "the weights of one token must add up to 1: the softmax goes over the keys, dim=-1.",
            lambda q, k, v: scaled(q, k).masked_fill(~allowed(q.shape[-2]), -math.inf).softmax(-2) @ v,
        ),
        (
            "these are the attention weights; the weighted sum of the values is still missing.",
            lambda q, k, v: scaled(q, k).masked_fill(~allowed(q.shape[-2]), -math.inf).softmax(-1),
        ),
        ("each token takes its own value only; it must take a weighted mean of its own and all earlier ones.", lambda q, k, v: v),
        (
            "this is the plain mean of a token and the earlier ones; it depends on no query.",
            lambda q, k, v: v.cumsum(-2) / torch.arange(1, v.shape[-2] + 1)[:, None],
        ),
    ),
    "this is the attention of CLIP's text encoder, and of every large language model: no token can look at later ones.",
)


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
