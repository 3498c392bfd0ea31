"""Whether two results are the same, up to rounding."""

import torch

RELATIVE, ABSOLUTE = 1e-4, 1e-5


def agree(found, wanted):
    """Whether all results have the same shapes and, up to rounding, the same numbers."""
    return all(map(equal, found, wanted))


def equal(a, b):
    """Whether two results have the same shape and, up to rounding, the same numbers; compared in plain Python."""
    return a.shape == b.shape and a.dtype == b.dtype and all(map(close, a.flatten().tolist(), b.flatten().tolist()))


def close(a, b):
    return abs(a - b) <= ABSOLUTE + RELATIVE * abs(b)


def same(a, b):
    """Whether two tensors are equal in every bit, except that every NaN is the same."""
    return a.shape == b.shape and torch.equal(a.detach().nan_to_num(), b.detach().nan_to_num())
