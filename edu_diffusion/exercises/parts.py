"""Which part of a wrong result is right: slices of a dimension, the pattern along one, or all but one more term."""

import functools

import torch

from ..errors import said
from . import compare

close = functools.partial(compare.close, slack=compare.NEARLY)  # where two tensors of one shape nearly agree


def partly(mine, right):
    """Are whole slices right, along some dimension, and others wrong?"""
    for d in range(right.ndim):
        good = close(mine, right).movedim(d, 0).flatten(1).all(1) if right.ndim > 1 else close(mine, right)
        if good.any() and not good.all():
            wrong = [x.movedim(d, 0)[~good] for x in (mine, right)]
            return said(
                "along dimension {d} your result is right at {right} and wrong at {wrong}{kind}; ",
                d=d,
                right=ranges(good),
                wrong=ranges(~good),
                kind=kind(*wrong),
            )
    return None


def ranges(flags):
    """The indices that are True, in words: "0 to 2 and 5"."""
    at = flags.nonzero()[:, 0].tolist()
    starts = [i for i in at if i - 1 not in at]
    ends = [i for i in at if i + 1 not in at]
    runs = [f"{a}" if a == b else said("{} to {}", a, b) for a, b in zip(starts, ends)]
    return said(" and ").join(runs) if len(runs) < 4 else ", ".join(runs[:3]) + ", ..."


def kind(mine, right):
    """What the numbers of the wrong part have to do with the expected ones, after a comma."""
    if not mine.any():
        return said(", where all of it is 0")
    best = ((mine * right).sum() / right.square().sum()).item() if right.any() else 0
    several = right.numel() > 1 and close(mine, best * right).all()
    return said(", where it is {:.4g} times the expected one", best) if several else ""


def along(mine, right):
    """Is it the expected result up to a term, or a factor, that is the same all along some dimension?"""
    for words, holds in ALONG:
        dims = [d for d in range(right.ndim) if right.shape[d] > 2 and holds(mine.movedim(d, -1), right.movedim(d, -1))]
        if dims and right.ndim > 1:
            if len(dims) == 1:
                return said("along dimension {} {}", dims[0], said(words))
            return said("along dimensions {} {}", said(" and ").join(map(str, dims)), said(words))
    return None


def same_term(mine, right):
    gap = mine - right
    return bool(close(right + gap.mean(-1, keepdim=True), mine).all())


def same_factor(mine, right):
    factor = (mine * right).sum(-1, keepdim=True) / right.square().sum(-1, keepdim=True).clamp(min=1e-12)
    return bool(close(mine, factor * right).all() and factor.abs().min() > 1e-6)


def same_pattern(mine, right):
    centred = [x - x.mean(-1, keepdim=True) for x in (mine, right)]
    varies = centred[1].abs().amax(-1).min() > 1e-3 and centred[0].abs().amax(-1).min() > 1e-3
    return right.shape[-1] > 3 and bool(varies) and same_factor(*centred)


ALONG = (
    (
        "the difference from the expected result is always the same: a term that is the same there, such as a mean or a bias, is "
        "wrong or missing.",
        same_term,
    ),
    (
        "your result is always the same multiple of the expected one: a factor that is the same there, such as a standard "
        "deviation or a sum, is wrong or missing.",
        same_factor,
    ),
    (
        "the pattern is right, but its scale and its mean are not: look at what you multiply with, and at what you add.",
        same_pattern,
    ),
)


def excess(mine, right, given):
    """Is it the expected result, and a multiple of an argument besides?"""
    gap = mine - right
    for name, value in given.items():
        if torch.is_tensor(value) and value.is_floating_point() and value.shape == gap.shape and value.any() and gap.numel() > 2:
            value = value.detach().float()
            times = (gap * value).sum() / value.square().sum()
            if times.abs() > 1e-3 and close(gap, times * value).all():
                return said(
                    "your result is the expected one and {:+.3g} times {}: it is added too often, or not often enough.", times, name
                )
    return None
