"""Whether two results are the same, up to rounding."""

import torch

RELATIVE, ABSOLUTE = 1e-4, 1e-5
NEARLY = 5  # times the rounding that a right answer may have, for what a wrong one reveals


def agree(found, wanted, slack=1.0):
    """Whether all results have the same shapes and, up to `slack` times the rounding, the same numbers."""
    return all(equal(a, b, slack) for a, b in zip(found, wanted))


def equal(a, b, slack=1.0):
    """Whether two results have the same shape and, up to rounding, the same numbers; compared in plain Python."""
    numbers = zip(a.flatten().tolist(), b.flatten().tolist())
    alike = a.shape == b.shape and a.dtype == b.dtype
    return alike and all(x == y or x != x and y != y or close(x, y, slack) for x, y in numbers)  # x != x: NaN


def close(a, b, slack=1.0):
    """Whether two numbers are equal up to rounding; of two tensors, where."""
    return abs(a - b) <= slack * (ABSOLUTE + RELATIVE * abs(b))


def same(a, b):
    """Whether two tensors are equal in every bit, except that every NaN is the same."""
    return a.shape == b.shape and torch.equal(a.detach().nan_to_num(), b.detach().nan_to_num())


def near(a, b):
    """Whether two tensors are nearly equal."""
    pairs = zip(a.flatten().tolist(), b.flatten().tolist())  # in plain Python: a patched library changes nothing
    return a.shape == b.shape and all(close(x, y, NEARLY) for x, y in pairs)
