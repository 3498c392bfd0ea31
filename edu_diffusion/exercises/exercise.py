"""What an exercise is, and how a learner's answer to it is checked.

The right results are computed first, the learner's function then runs under the guards of careful.py, and what it returned is
compared afterwards, number by number in plain Python: nothing that it changes can make a wrong answer right.
"""

from typing import Callable, NamedTuple

import torch

from .careful import ORDINARY, Fault, article, results
from .gradients import check_gradients

RELATIVE, ABSOLUTE = 1e-4, 1e-5


class Exercise(NamedTuple):
    """One function for the learner to write.

    cases() makes the lists of arguments, new ones at each call. wrong: pairs (hint, function that makes the
    mistake); the first one that gives the same numbers as the learner's in every case provides the hint.
    finer() makes lists of arguments beyond what the lesson asks for; an answer that differs there is right, with the `note`.
    """

    name: str
    reference: Callable
    cases: Callable
    wrong: tuple
    praise: str  # what the learner's function can now do
    finer: Callable | None = None
    note: str = ""


class Verdict(NamedTuple):
    """right: True, False, or None when there is nothing to check. words: what to tell the learner."""

    right: bool | None
    words: str


@torch.inference_mode(False)
@torch.enable_grad()
def judged(exercise, mine):
    """Return the Verdict on a function."""
    if mine is None:
        return Verdict(None, f"Nothing to check yet: you have not written {exercise.name}.")
    try:
        wanted = answers(exercise.reference, exercise.cases())
        given, returned, found = learners(mine, exercise.cases)
        if not agree(found, wanted):
            return Verdict(False, f"Not yet: {hint(exercise, found, wanted)}")
        check_gradients(exercise, given, returned)
        return Verdict(True, f"Right: {exercise.praise}{remark(exercise, mine)}")
    except Fault as fault:
        return Verdict(False, f"Not yet: {fault}")


def answers(function, cases):
    """Return the results of one of our functions."""
    return [torch.as_tensor(function(*case)).detach().float() for case in cases]


def learners(mine, cases):
    """Return (arguments, what the learner's function returned, the same as plain tensors). Raises Fault if that cannot be.

    It is called twice for each case: a function that draws random numbers, or changes what it is given, shows then.
    """
    given, again = cases(), cases()
    returned = results(mine, [*given, *again])
    check_unchanged([*given, *again], [*cases(), *cases()])
    first, second = returned[: len(given)], returned[len(given) :]
    return given, first, [tensor(*pair) for pair in zip(first, second)]


def check_unchanged(given, fresh):
    """Raise Fault when a tensor among the arguments has changed."""
    pairs = [(a, b) for case, other in zip(given, fresh) for a, b in zip(case, other) if torch.is_tensor(a)]
    if any(a.dtype != b.dtype or not same(a, b) for a, b in pairs):
        raise Fault("it changes what it is given, perhaps by += or by an operation that ends in _; make new tensors.")


def tensor(first, second):
    """Return a result as a plain tensor. Raises Fault for anything else, or if the second call gave a different result."""
    if first is None:
        raise Fault("it returns nothing; does it end with `return`?")
    if isinstance(first, list | tuple):
        raise Fault(f"it returns {article(first)}; it must return one tensor, made for example with torch.stack.")
    first, second = plain(first), plain(second)
    if not same(first, second):
        raise Fault("it gives a different result each time; use the noise that it is given, do not draw new noise.")
    return first


def plain(result):
    """Return one result as a tensor of ordinary numbers. Raises Fault if it is none."""
    if torch.is_tensor(result) and type(result) not in ORDINARY:
        raise Fault(f"it returns {article(result)}; it must return an ordinary tensor.")
    try:
        found = torch.as_tensor(result).detach().cpu().to_dense()
        return found if found.is_complex() else found.float()
    except (TypeError, ValueError, RuntimeError, NotImplementedError):
        raise Fault(f"it returns {article(result)}; it must return a tensor of numbers.") from None


def remark(exercise, mine):
    """Return what a right answer does not do beyond the lesson, or nothing."""
    if exercise.finer is None:
        return ""
    try:
        *_, found = learners(mine, exercise.finer)
    except Fault:
        found = []
    return "" if found and agree(found, answers(exercise.reference, exercise.finer())) else f" {exercise.note}"


def hint(exercise, found, wanted):
    """Return the hint for the first known mistake with these numbers; else what shapes and values reveal."""
    for words, wrong in exercise.wrong:
        try:
            if agree(found, answers(wrong, exercise.cases())):
                return words
        except (RuntimeError, IndexError):  # a mistake that does not run in every case
            continue
    for mine, right in zip(found, wanted):
        if mine.shape != right.shape:
            return f"the result has the shape {tuple(mine.shape)}; it must be {tuple(right.shape)}."
        if mine.is_complex():
            return "the numbers are complex; is a root taken of something negative?"
        if not mine.isfinite().all():
            return "some numbers of the result are NaN or infinite; is something divided by zero?"
    return "the numbers differ from the formula's; compare your code with it, sign by sign and root by root."


def agree(found, wanted):
    """Whether all results have the same shapes and, up to rounding, the same numbers."""
    return all(
        a.shape == b.shape and a.dtype == b.dtype and all(map(close, a.flatten().tolist(), b.flatten().tolist()))
        for a, b in zip(found, wanted)
    )


def close(a, b):
    return abs(a - b) <= ABSOLUTE + RELATIVE * abs(b)


def same(a, b):
    """Whether two tensors are equal in every bit, except that every NaN is the same."""
    return a.shape == b.shape and torch.equal(a.detach().nan_to_num(), b.detach().nan_to_num())
