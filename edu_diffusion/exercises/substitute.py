"""Would a wrong result be right with another argument? Ours is called with one replaced, or with two exchanged."""

import itertools

import torch

from ..errors import said
from .compare import equal

NUMBERS = (  # what a number may have been taken for -> the words, and the value in its place
    ("{} = 0: is it left out?", lambda x: 0 * x),
    ("{} = 1: is it left out?", lambda x: 0 * x + 1),
    ("the square of {}: is a root missing, or is it multiplied in twice?", lambda x: x**2),
    ("the root of {}: is there a root too many?", lambda x: x**0.5),
    ("1 - {0} in place of {0}: is it the other way round?", lambda x: 1 - x),
    ("1 / {0} in place of {0}: multiply where you divide, or the other way round.", lambda x: 1 / x),
    ("-{0} in place of {0}: a sign is wrong.", lambda x: -x),
    ("twice {}.", lambda x: 2 * x),
    ("half of {}.", lambda x: x / 2),
)
TENSORS = (
    ("zeros in place of {}: is it left out?", torch.zeros_like),
    ("-{0} in place of {0}: a sign is wrong.", torch.neg),
    ("the first {} in place of each: every one must be used.", lambda x: x[:1].expand_as(x)),
    ("{} in reverse order.", lambda x: x.flip(0)),
)


def substituted(found, exercise, names):
    """Say with which other arguments our function gives what was found in every case; None if with none of them.

    found: the wrong results, a tensor for each case. names: the arguments' names.
    """
    tries = itertools.chain(replaced(exercise, names), exchanged(exercise, names))
    return next((words for words, cases in tries if gives(exercise.reference, cases, found)), None)


def replaced(exercise, names):
    """(words, cases) for each argument and each thing that it may have been taken for."""
    for i, name in given(exercise, names):
        for pairs, fits in ((NUMBERS, is_number), (TENSORS, is_tensor)):
            for words, change in pairs if all(fits(case[i]) for case in exercise.cases()) else ():
                cases = [[*case[:i], change(case[i]), *case[i + 1 :]] for case in exercise.cases()]
                yield said("your result is what comes out with {}", said(words, name)), cases


def exchanged(exercise, names):
    """(words, cases) for each two arguments that could stand in each other's place."""
    for (i, a), (j, b) in itertools.combinations(given(exercise, names), 2):
        if all(alike(case[i], case[j]) for case in exercise.cases()):
            cases = [list(case) for case in exercise.cases()]
            for case in cases:
                case[i], case[j] = case[j], case[i]
            yield said("your result is what comes out with {} and {} exchanged.", a, b), cases


def given(exercise, names):
    """(index, name) of the arguments that every case has."""
    return list(enumerate(names[: min(map(len, exercise.cases()))]))


def gives(function, cases, found):
    """Whether our function gives these results with other arguments; where it fails, it does not."""
    try:
        results = (torch.as_tensor(function(*case)).detach().float() for case in cases)
        return all(result.isfinite().all() and equal(mine, result) for mine, result in zip(found, results))
    except Exception:  # it was not made for such arguments
        return False


def is_number(x):
    return isinstance(x, float) or (torch.is_tensor(x) and x.ndim == 0 and x.is_floating_point())


def is_tensor(x):
    return torch.is_tensor(x) and x.ndim > 0 and x.is_floating_point()


def alike(a, b):
    """Whether two arguments differ in their values alone."""
    if is_tensor(a) and is_tensor(b):
        return a.ndim == b.ndim
    return is_number(a) and is_number(b)
