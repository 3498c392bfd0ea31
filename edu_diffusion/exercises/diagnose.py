"""What the numbers of a wrong result reveal, where no known mistake fits: a ratio, a sign, a weight, a place."""

import torch

from ..errors import said
from .compare import close, equal, near
from .parts import along, excess, partly
from .relations import expression, number, numbers, weights
from .substitute import substituted


def difference(found, wanted, cases, names, exercise=None):
    """Return a hint from the first result that differs: found and wanted, the arguments of each case, the arguments' names.

    exercise: its reference is tried with other arguments; None for no such trial.
    """
    k = next(i for i, (mine, right) in enumerate(zip(found, wanted)) if not equal(mine, right))
    mine, right, given = found[k], wanted[k], dict(zip(names, cases[k]))
    other = lambda: exercise and substituted(found, exercise, names)
    words = form(mine, right) or pattern(mine, right, given, list(zip(found, wanted)), cases, other)
    return f"{words}{elsewhere(found, wanted, k, given)}"


def form(mine, right):
    """What shape and kind of the result reveal."""
    if mine.shape != right.shape:
        return shapes(mine, right)
    if mine.is_complex():
        return said("the numbers are complex; is a root taken of something negative?")
    return None if mine.isfinite().all() else endless(mine, right)


def endless(mine, right):
    """What numbers that are NaN or infinite reveal."""
    rows = mine.isnan().flatten(0, -2).all(-1) if mine.ndim > 1 else mine.isnan().all()[None]
    if mine.ndim > 1 and rows.any() and not rows.all() and mine.isnan().sum() == rows.sum() * mine.shape[-1]:
        return said(
            "some rows of the result are NaN as a whole: does a softmax get only -inf there, or is a root taken of less than 0?"
        )
    return said(
        "some numbers of the result are NaN or infinite; is something divided by 0, a root or logarithm taken of less than 0, "
        "or infinity multiplied by 0?"
    )


def shapes(mine, right):
    """What the wrong shape of a result reveals."""
    words = said("the result has the shape {}; it must be {}", tuple(mine.shape), tuple(right.shape))
    if mine.ndim > 1 and mine.shape != right.shape and near(mine.transpose(-1, -2), right):
        return said("{}: it is transposed.", words)
    if mine.numel() == right.numel() and mine.numel() > 1:
        return said("{}: the numbers are as many, so a dimension is missing or in another place.", words)
    if mine.numel() == 1:
        return said("{}: is a mean or a sum taken over everything?", words)
    return f"{words}{sizes(list(mine.shape), list(right.shape))}."


def sizes(mine, right):
    """In which dimension a shape is wrong, after a colon; nothing where that is not clear."""
    gone = [d for d in range(len(right)) if right[:d] + right[d + 1 :] == mine]
    more = [d for d in range(len(mine)) if mine[:d] + mine[d + 1 :] == right]
    if gone:
        return said(": dimension {}, of size {}, is missing", gone[0], right[gone[0]])
    if more:
        return said(": dimension {}, of size {}, is one too many", more[0], mine[more[0]])
    wrong = [d for d in range(len(right)) if len(mine) == len(right) and mine[d] != right[d]]
    if len(wrong) != 1:
        return ""
    return said(": dimension {} has {} in place of {}", wrong[0], mine[wrong[0]], right[wrong[0]])


def pattern(mine, right, given, pairs, cases, other):
    """The first pattern that explains a wrong result of the right shape."""
    every = [dict(zip(given, case)) for case in cases]
    return (
        nearly(mine, right)
        or argument(mine, given, every, pairs)
        or ratio(mine, right, pairs, every)
        or power(mine, right)
        or places(mine, right)
        or other()
        or weights(mine, right, given, pairs, every)
        or offset(mine, right)
        or excess(mine, right, given)
        or constant(pairs)
        or part(mine, right)
    )


def part(mine, right):
    """Which part of it is right; else what holds along a dimension, and where it differs first."""
    where = partly(mine, right)
    return f"{where}{first(mine, right)}" if where else along(mine, right) or first(mine, right)


def nearly(mine, right):
    """Is it off by little more than rounding?"""
    if not near(mine, right):
        return None
    most = (mine - right).abs().max()
    return said("your result is nearly right, off by up to {:.2g}: is something rounded, or a small number added?", most)


def argument(mine, given, every, pairs):
    """Is it one of the arguments, unchanged, in this case or in all?"""
    for name, value in given.items():
        if torch.is_tensor(value) and value.is_floating_point() and near(mine, value.detach()):
            if all(torch.is_tensor(x := case[name]) and near(found, x.detach()) for case, (found, _) in zip(every, pairs)):
                return said("the result is {} itself, unchanged.", name)
            return said(
                "here the result is {} itself, unchanged, but not in all cases: does your code fit other sizes or numbers?", name
            )
    return None


def constant(pairs):
    """Is it the same in every case, where the expected results differ?"""
    (mine, right), *others = pairs
    if all(near(mine, other) for other, _ in others) and not all(near(right, other) for _, other in others):
        return said("the result is the same in every case: does it use all of its arguments?")
    return None


def ratio(mine, right, pairs, every):
    """Is it a multiple of the expected result, in this case or in all?"""
    times = [factor(a, b) for a, b in pairs]
    here = factor(mine, right)
    if here is None or abs(here - 1) < 1e-3:
        return None
    if all(f is not None and abs(f - here) < 1e-3 * abs(here) for f in times):
        return sign(here) or said(
            "your result is always {:.4g} times the expected one: a constant factor is wrong or missing.", here
        )
    if all(f is not None for f in times) and (formula := expression(times, list(map(numbers, every)))):
        return said("your result is the expected one times {}.", formula)
    if right.numel() > 1 and all(f is not None for f in times):  # any two single numbers have a ratio
        listed = said(" and ").join(f"{f:.4g}" for f in times[:3])
        return said("your result is {} times the expected one: a factor that depends on the arguments is wrong or missing.", listed)
    return None


def sign(factor):
    return said("your result has the opposite sign of the expected one.") if abs(factor + 1) < 1e-3 else None


def factor(mine, right):
    """The number that turns the expected result into this one, or None."""
    if mine.shape != right.shape or not right.any():
        return None
    best = (mine * right).sum() / right.square().sum()
    return best.item() if near(mine, best * right) and best.abs() > 1e-6 else None


def power(mine, right):
    """Is it the square or the square root of the expected result?"""
    if near(mine, right.square()):
        return said("your result is the square of the expected one.")
    if (right >= 0).all() and near(mine, right.sqrt()):
        return said("your result is the square root of the expected one.")
    return None


def places(mine, right):
    """Are the numbers right and in other places?"""
    if right.numel() < 2:
        return None
    if right.ndim > 1 and right.shape[-1] == right.shape[-2] and near(mine, right.transpose(-1, -2)):
        return said("your result is transposed: its last two dimensions are exchanged.")
    if near(mine.flatten().sort().values, right.flatten().sort().values):
        return said("the numbers are right, but not in the right places: look at the order, or at the dimension you work along.")
    return None


def offset(mine, right):
    """Does it differ from the expected result by a constant?"""
    gap = (mine - right).mean()
    if right.numel() > 1 and abs(gap) > 1e-4 and near(mine - gap, right):
        return said("every number is off by {:+.4g}: something is added, or missing.", gap)
    return None


def first(mine, right):
    """Where does it differ first, and by how much?"""
    wrong = ~close(mine, right)
    at = wrong.nonzero()[0].tolist()
    counts = int(wrong.sum()), wrong.numel()
    share = said("in {} of {} places, ", *counts) if mine[wrong].any() else said("in {} of {} places, where yours is 0, ", *counts)
    return said(
        "the numbers differ from the expected ones, {share}first {where}where yours is {yours:.4g} and {expected:.4g} is expected.",
        share="" if wrong.all() else share,
        where=said("at {} ", at) if at else "",
        yours=mine[tuple(at)].item(),
        expected=right[tuple(at)].item(),
    )


def elsewhere(found, wanted, k, given):
    """In which of several cases the result differs, where it is right in another one; else with which text."""
    right = sum(map(equal, found, wanted))
    named = ", ".join(f"{name} = {short(value)}" for name, value in given.items() if short(value))
    if not right:
        return said(" This is with {}.", named) if any(isinstance(value, str) for value in given.values()) else ""
    case = said(" (the one with {})", named) if named else ""
    return said(" It is right in {} of {} cases; this is case {}{}.", right, len(found), k + 1, case)


def short(value):
    """An argument that is a single number or a text, in a few characters; "" for another one."""
    if isinstance(value, str):
        return f'"{value:.40}"'
    return "" if number(value) is None else f"{number(value):.4g}"
