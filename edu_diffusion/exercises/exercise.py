"""What an exercise is, and how a learner's answer to it is checked."""

from typing import Callable, NamedTuple

import torch

TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}


class Exercise(NamedTuple):
    """One function for the learner to write.

    cases() makes the lists of arguments, new ones at each call. wrong: pairs (hint, function that makes the
    mistake); the first one that gives the same numbers as the learner's in every case provides the hint.
    """

    name: str
    reference: Callable
    cases: Callable
    wrong: tuple
    praise: str  # what the learner's function can now do


class Verdict(NamedTuple):
    """right: True, False, or None when there is nothing to check. words: what to tell the learner."""

    right: bool | None
    words: str


class Fault(Exception):
    """An answer that cannot be compared; its text is the hint."""


def judged(exercise, mine):
    """Return the Verdict on a function."""
    if mine is None:
        return Verdict(None, f"Nothing to check yet: you have not written {exercise.name}.")
    try:
        found = answers(mine, exercise, careful=True)
        wanted = answers(exercise.reference, exercise)
        if agree(found, wanted):
            return Verdict(True, f"Right: {exercise.praise}")
        return Verdict(False, f"Not yet: {hint(exercise, found, wanted)}")
    except Fault as fault:
        return Verdict(False, f"Not yet: {fault}")


def answers(function, exercise, careful=False):
    """Return a function's results for all cases, as tensors; careful: it is a learner's and may do anything."""
    call = answer if careful else (lambda f, make: torch.as_tensor(f(*make())))
    return [call(function, lambda i=i: exercise.cases()[i]) for i in range(len(exercise.cases()))]


def answer(mine, make):
    """Return the learner's result for one case. Raises Fault if there is none, or a different one each time."""
    if not callable(mine):
        raise Fault(f"this is {article(mine)}, not a function; give its name without brackets.")
    results = []
    for _ in range(2):
        given = make()
        try:
            results.append(mine(*given))
        except Exception as error:  # whatever it is, the learner must see it
            raise Fault(f"it stopped with {type(error).__name__}: {error}") from error
        if any(torch.is_tensor(a) and not same(a, b) for a, b in zip(given, make())):
            raise Fault("it changes what it is given, perhaps by += or by an operation that ends in _; "
                        "make new tensors.")
    return tensor(*results)


def tensor(first, second):
    """Return a result as a tensor. Raises Fault for anything else, or if the second call gave a different result."""
    if first is None:
        raise Fault("it returns nothing; does it end with `return`?")
    try:
        first, second = torch.as_tensor(first), torch.as_tensor(second)
    except (TypeError, ValueError, RuntimeError):
        raise Fault(f"it returns {article(first)}; it must return a tensor.") from None
    if not same(first, second):
        raise Fault("it gives a different result each time; use the noise that it is given, do not draw new noise.")
    return first.detach().float()


def hint(exercise, found, wanted):
    """Return the hint for the first known mistake with these numbers; else what shapes and values reveal."""
    for words, wrong in exercise.wrong:
        try:
            if agree(found, [torch.as_tensor(a).float() for a in answers(wrong, exercise)]):
                return words
        except (RuntimeError, IndexError):  # a mistake that does not run in every case
            continue
    for mine, right in zip(found, wanted):
        if mine.shape != right.shape:
            return f"the result has the shape {tuple(mine.shape)}; it must be {tuple(right.shape)}."
        if not mine.isfinite().all():
            return "some numbers of the result are NaN or infinite; is something divided by zero?"
    return "the numbers differ from the formula's; compare your code with it, sign by sign and root by root."


def agree(found, wanted):
    return all(a.shape == b.shape and torch.allclose(a.float(), b.float(), **TOLERANCE)
               for a, b in zip(found, wanted))


def same(a, b):
    return a.shape == b.shape and torch.equal(a.nan_to_num(), b.nan_to_num())


def article(thing):
    return f"a {type(thing).__name__}"
