"""What an exercise is, and how a learner's answer to it is checked.

There are three kinds: a function to write (Exercise), a letter to choose (Choice), a number to find (Number). For a function, the
right results are computed first, the learner's function then runs under the guards of careful.py, and what it returned is
compared afterwards, number by number in plain Python: nothing that it changes can make a wrong answer right.
"""

import contextlib
import inspect
from typing import Callable, NamedTuple

import torch

from ..errors import said
from .careful import ORDINARY, Fault, article, results
from .compare import agree, same
from .diagnose import difference
from .gradients import check_gradients

STUB = "pass  # your code here"  # stands in a learner's copy in place of the solution


class Exercise(NamedTuple):
    """One function for the learner to write, under the name my_<name>.

    cases() makes the lists of arguments, new ones at each call. wrong: pairs (hint, function that makes the
    mistake); the first one that gives the same numbers as the learner's in every case provides the hint.
    finer() makes lists of arguments beyond what the lesson asks for; an answer that differs there is right, with the `note`.
    lines: the lines of a right answer, `def` first, for the learner who arranges them instead of writing; see lines.py.
    """

    name: str
    reference: Callable
    cases: Callable
    wrong: tuple
    praise: str  # what the learner's function can now do
    finer: Callable | None = None
    note: str = ""
    lines: tuple = ()


class Verdict(NamedTuple):
    """right: True, False, or None when there is nothing to check. words: what to tell the learner."""

    right: bool | None
    words: str


@torch.random.fork_rng(devices=[])  # the random numbers of the cells below stay as they would be without the check
@torch.inference_mode(False)
@torch.enable_grad()
def judged(exercise, mine):
    """Return the Verdict on a function."""
    if mine is None or unwritten(mine):
        return Verdict(None, said("Nothing to check yet: you have not written my_{}.", exercise.name))
    try:
        wanted = answers(exercise.reference, exercise.cases())
        given, returned, found = learners(mine, exercise.cases)
        if not agree(found, wanted):
            return Verdict(False, said("Not yet: {}", hint(exercise, found, wanted)))
        check_gradients(exercise, given, returned)
        return Verdict(True, said("Right: {}", said(exercise.praise)) + remark(exercise, mine))
    except Fault as fault:
        return Verdict(False, said("Not yet: {}", fault))


def unwritten(mine):
    """Whether a function is still the stub of a learner's copy: it does nothing, or a part of it is left to write."""
    code = getattr(mine, "__code__", None)
    if code is None:
        return False
    try:
        return STUB in inspect.getsource(code)
    except (OSError, TypeError):  # there is no source: the function was made without a file
        return code.co_code == (lambda: None).__code__.co_code and set(code.co_consts) <= {None}


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
        raise Fault(said("it changes what it is given, perhaps by += or by an operation that ends in _; make new tensors."))


def tensor(first, second):
    """Return a result as a plain tensor. Raises Fault for anything else, or if the second call gave a different result."""
    if first is None:
        raise Fault(said("it returns nothing; does it end with `return`?"))
    if isinstance(first, list | tuple):
        raise Fault(said("it returns {}; it must return one tensor, made for example with torch.stack.", article(first)))
    first, second = plain(first), plain(second)
    if not same(first, second):
        raise Fault(said("it gives a different result each time; use the noise that it is given, do not draw new noise."))
    return first


def plain(result):
    """Return one result as a tensor of ordinary numbers. Raises Fault if it is none."""
    if torch.is_tensor(result) and type(result) not in ORDINARY:
        raise Fault(said("it returns {}; it must return an ordinary tensor.", article(result)))
    try:
        found = torch.as_tensor(result).detach().cpu().to_dense()
        return found if found.is_complex() else found.float()
    except (TypeError, ValueError, RuntimeError, NotImplementedError):
        raise Fault(said("it returns {}; it must return a tensor of numbers.", article(result))) from None


def remark(exercise, mine):
    """Return what a right answer does not do beyond the lesson, or nothing."""
    if exercise.finer is None:
        return ""
    try:
        *_, found = learners(mine, exercise.finer)
    except Fault:
        found = []
    return "" if found and agree(found, answers(exercise.reference, exercise.finer())) else f" {said(exercise.note)}"


def mistakes(exercise):
    """(hint, results) of each known mistake that runs in every case."""
    for words, wrong in exercise.wrong:
        with contextlib.suppress(RuntimeError, IndexError):
            yield words, answers(wrong, exercise.cases())


def hint(exercise, found, wanted):
    """Return the hint for the first known mistake with these numbers; else what the numbers themselves reveal.

    A mistake may be written in another way and round more: where none agrees exactly, one that nearly does is it.
    """
    known = list(mistakes(exercise))
    for slack in (1, 50):
        for words, made in known:
            if agree(found, made, slack):
                return said(words)
    names = list(inspect.signature(exercise.reference).parameters)
    return difference(found, wanted, exercise.cases(), names, exercise)
