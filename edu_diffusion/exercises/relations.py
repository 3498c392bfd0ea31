"""What the weights of a wrong sum have to do with the expected ones: a root, a sign, an exchange, a factor with a formula."""

import contextlib

import torch

from ..errors import said
from .compare import near

KINDS = (  # what a weight w is where r is expected -> 0 where that is so
    ("the expected one with the wrong sign.", lambda w, r: w + r),
    ("the square of the expected one: is a root missing?", lambda w, r: abs(w) - r * r),
    ("the square root of the expected one: is there a root too many?", lambda w, r: abs(w) - abs(r) ** 0.5),
    ("1 divided by the expected one: multiply where you divide, or the other way round.", lambda w, r: w * r - 1),
)
FORMULAS = {  # of a number x, in Python
    "{}": lambda x: x,
    "1 / {}": lambda x: 1 / x,
    "{}**0.5": lambda x: x**0.5,
    "{}**-0.5": lambda x: x**-0.5,
    "{}**2": lambda x: x**2,
    "(1 - {})": lambda x: 1 - x,
    "1 / (1 - {})": lambda x: 1 / (1 - x),
    "(1 - {})**0.5": lambda x: (1 - x) ** 0.5,
    "(1 - {})**-0.5": lambda x: (1 - x) ** -0.5,
}


def weights(mine, right, given, pairs, every):
    """Is it a sum of the arguments with other weights?"""
    here = solved(mine, right, given)
    if here is None:
        return None
    yours, expected = (" + ".join(f"{w:.3f} {name}" for name, w in ws.items()) for ws in here)
    found = [solved(*pair, case) for pair, case in zip(pairs, every)]
    known = related(*here) or ("" if None in found else factors(found, list(map(numbers, every))))
    return said("your result is {}; expected is {}.", yours, expected) + known


def solved(mine, right, given):
    """({name: weight} of the arguments in a result, the same in the expected one); None where they are no such sums."""
    terms = {name: x.detach().float() for name, x in given.items() if torch.is_tensor(x) and x.shape == mine.shape}
    ordinary = mine.shape == right.shape and not mine.is_complex() and mine.isfinite().all()
    if not ordinary or len(terms) < 2 or mine.numel() <= 2 * len(terms):
        return None
    columns = torch.stack([x.flatten() for x in terms.values()], 1)
    both = [torch.linalg.lstsq(columns, y.flatten()[:, None]).solution[:, 0] for y in (mine, right)]
    if not all(near(columns @ w, y.flatten()) for w, y in zip(both, (mine, right))):
        return None
    return tuple(dict(zip(terms, ws.tolist())) for ws in both)


def related(yours, expected):
    """Return what the wrong weights, {name: weight}, have in common with the expected ones, as a sentence, or ""."""
    pairs = wrong(yours, expected)
    if any(zero(w) for w, _ in pairs.values()):
        return ""
    if len(pairs) == 2 and zero(sum(w for w, _ in pairs.values()) - sum(r for _, r in pairs.values())):
        (w, _), (_, r) = pairs.values()
        if zero(w - r):
            return said(" The weights of {} are exchanged.", said(" and ").join(pairs))
    for words, gap in KINDS:
        if pairs and all(zero(gap(w, r)) for w, r in pairs.values()):
            if len(pairs) > 1:
                return said(" Each wrong weight is {}", said(words))
            return said(" The weight of {} is {}", next(iter(pairs)), said(words))
    return ""


def wrong(yours, expected):
    """{name: (weight, expected one)} of the wrong weights."""
    return {name: (yours[name], r) for name, r in expected.items() if not zero(yours[name] - r)}


def factors(found, numbers):
    """Return by which formula each wrong weight differs from the expected one, as sentences, or "" where one has none.

    found: (yours, expected) of each case. numbers: the arguments of each case that are single numbers, {name: value}.
    """
    names = {name for yours, expected in found for name in wrong(yours, expected)}
    if any(zero(expected[name]) for _, expected in found for name in names):
        return ""
    formulas = {name: expression([yours[name] / expected[name] for yours, expected in found], numbers) for name in names}
    told = (said(" The weight of {} is the expected one times {}.", name, formulas[name]) for name in sorted(names))
    return "".join(told) if all(formulas.values()) else ""


def expression(factors, numbers):
    """The formula in a single number that gives these factors, one for each {name: value} of numbers, or None."""
    for name in numbers[0]:
        for formula, value in FORMULAS.items():
            with contextlib.suppress(ArithmeticError, TypeError, KeyError):  # it cannot be computed of such a number
                if all(abs(value(case[name]) - factor) < 1e-3 * abs(factor) for case, factor in zip(numbers, factors)):
                    return formula.format(name)
    return None


def zero(gap):
    return abs(gap) < 2e-3


def number(value):
    """An argument that is a single number, or None."""
    if torch.is_tensor(value):
        return value.item() if value.numel() == 1 else None
    return float(value) if isinstance(value, int | float) else None


def numbers(given):
    """Those of the arguments that are single numbers."""
    return {name: number(value) for name, value in given.items() if number(value) is not None}
