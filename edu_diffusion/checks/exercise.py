"""What an exercise is, and how an answer to it is judged."""

from typing import Callable, NamedTuple

import torch

TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}


class Exercise(NamedTuple):
    """One function for the learner to write.

    cases() makes the lists of arguments, new ones at each call. wrong: pairs (hint, function that makes the
    mistake), the first one that gives the learner's numbers in every case tells the hint.
    """

    name: str
    reference: Callable
    cases: Callable
    wrong: tuple
    praise: str  # what a right answer can now do


class Verdict(NamedTuple):
    """right: True, False, or None when there is nothing to judge. words: what to tell the learner."""

    right: bool | None
    words: str


class Fault(Exception):
    """An answer that cannot be compared; its text is the hint."""


def judged(exercise, mine):
    """The Verdict on a function."""
    if mine is None:
        return Verdict(None, f"Nothing to check yet: your {exercise.name} is not written.")
    try:
        found = answers(mine, exercise, careful=True)
        wanted = answers(exercise.reference, exercise)
        if agree(found, wanted):
            return Verdict(True, f"Right: {exercise.praise}")
        return Verdict(False, f"Not yet: {hint(exercise, found, wanted)}")
    except Fault as fault:
        return Verdict(False, f"Not yet: {fault}")


def answers(function, exercise, careful=False):
    """What a function returns in every case, as tensors; careful: it is a learner's and may do anything."""
    call = answer if careful else (lambda f, make: torch.as_tensor(f(*make())))
    return [call(function, lambda i=i: exercise.cases()[i]) for i in range(len(exercise.cases()))]


def answer(mine, make):
    """The learner's result for one case. Raises Fault where there is none, or another one each time."""
    if not callable(mine):
        raise Fault(f"this is {article(mine)}, not a function; give its name without brackets.")
    results = []
    for _ in range(2):
        given = make()
        try:
            results.append(mine(*given))
        except Exception as error:  # whatever it is, it is the learner's to see
            raise Fault(f"it stopped with {type(error).__name__}: {error}") from error
        if any(torch.is_tensor(a) and not same(a, b) for a, b in zip(given, make())):
            raise Fault("it changes what it is given, perhaps by += or by an operation that ends in _; "
                        "make new tensors.")
    return tensor(*results)


def tensor(first, second):
    """A result as a tensor. Raises Fault for another thing, or when the second call gave another one."""
    if first is None:
        raise Fault("it returns nothing; does it end with `return`?")
    try:
        first, second = torch.as_tensor(first), torch.as_tensor(second)
    except (TypeError, ValueError, RuntimeError):
        raise Fault(f"it returns {article(first)}; it must return a tensor.") from None
    if not same(first, second):
        raise Fault("it gives another result each time; use the noise that it is given, and draw none.")
    return first.detach().float()


def hint(exercise, found, wanted):
    """The hint for the first known mistake with these numbers; else what can be said of shapes and sizes."""
    for words, wrong in exercise.wrong:
        try:
            if agree(found, [torch.as_tensor(a).float() for a in answers(wrong, exercise)]):
                return words
        except (RuntimeError, IndexError):  # a mistake that does not even run in every case
            continue
    for mine, right in zip(found, wanted):
        if mine.shape != right.shape:
            return f"it returns the shape {tuple(mine.shape)}; it must be {tuple(right.shape)}."
        if not mine.isfinite().all():
            return "some of its numbers are NaN or infinite; is something divided by zero?"
    return "the numbers differ from the formula's; compare it with yours, sign by sign and root by root."


def agree(found, wanted):
    return all(a.shape == b.shape and torch.allclose(a.float(), b.float(), **TOLERANCE)
               for a, b in zip(found, wanted))


def same(a, b):
    return a.shape == b.shape and torch.equal(a.nan_to_num(), b.nan_to_num())


def article(thing):
    return f"a {type(thing).__name__}"
