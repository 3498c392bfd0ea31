"""What an exercise is, and how a learner's answer to it is checked.

There are three kinds: a function to write (Exercise), a letter to choose (Choice), a number to find (Number). For a function, the
right results are computed first, the learner's function then runs under the guards of careful.py, and what it returned is
compared afterwards, number by number in plain Python: nothing that it changes can make a wrong answer right.
"""

import contextlib
import inspect
import re
from typing import Callable, NamedTuple

import torch

from ..errors import said
from .careful import ORDINARY, Fault, article, code_of, first_line, results
from .compare import agree, same
from .diagnose import difference
from .gradients import check_gradients

CHANGING = (
    "it gives a different result each time: are random numbers or new weights made inside? Use the noise or the weights that it "
    "is given, or pass on its generator."
)
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
            words = hint(exercise, found, wanted)
            return Verdict(False, said("Not yet: {}", words) + ("" if "1/2" in words else slip(mine)))
        check_gradients(exercise, given, returned)
        return Verdict(True, said("Right: {}", said(exercise.praise)) + remark(exercise, mine))
    except Fault as fault:
        return Verdict(False, said("Not yet: {}", raised(exercise, fault)))


def unwritten(mine):
    """Whether a function is still the stub of a learner's copy: it does nothing, or a part of it is left to write."""
    code = code_of(mine)
    if code is None:
        return False
    text = source(code)
    if text:
        return STUB in text
    return code.co_code == (lambda: None).__code__.co_code and set(code.co_consts) <= {None}


def source(code):
    """The source of a function's code; "" where there is none, since the function was made without a file."""
    try:
        return inspect.getsource(code)
    except Exception:  # there is no file, or no code
        return ""


def slip(mine):
    """Return what is said besides of a root written as a power, which Python reads in another way; "" without one."""
    power = re.search(r"\*\*\s*1\s*/\s*2\b", re.sub("#.*", "", source(code_of(mine))))
    return said(" Your code has `{}`: Python computes the power first and then divides; write **0.5.", power[0]) if power else ""


def answers(function, cases):
    """Return the results of one of our functions."""
    results = (torch.as_tensor(function(*case)).detach() for case in cases)
    return [result if result.is_complex() else result.float() for result in results]


def learners(mine, cases):
    """Return (arguments, what the learner's function returned, the same as plain tensors). Raises Fault if that cannot be.

    It is called twice for each case: a function that draws random numbers, or changes what it is given, shows then.
    """
    given, again = cases(), cases()
    returned = results(mine, [*given, *again])
    check_unchanged([*given, *again], [*cases(), *cases()])
    first, second = returned[: len(given)], returned[len(given) :]
    check_paths(given, first)
    return given, first, [tensor(*pair) for pair in zip(first, second)]


def check_paths(given, returned):
    """Raise Fault when it returned something in some cases, and nothing in others."""
    nothing = [case for case, result in zip(given, returned) if result is None]
    if 0 < len(nothing) < len(returned):
        plain = ", ".join(f"{value!r:.40}" for value in nothing[0] if isinstance(value, str | int | float))
        where = said(", such as with {}", plain) if plain else ""
        count = len(nothing), len(returned)
        raise Fault(said("in {} of {} cases it returns nothing{}; is there a path without `return`?", *count, where))


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
        raise Fault(said(CHANGING))
    return first


def plain(result):
    """Return one result as a tensor of ordinary numbers. Raises Fault if it is none."""
    if torch.is_tensor(result) and type(result) not in ORDINARY:
        raise Fault(said("it returns {}; it must return an ordinary tensor.", article(result)))
    try:
        found = torch.as_tensor(result).detach().cpu().to_dense()
        found = found.to(torch.complex64) if found.is_complex() else found.float()
        found.tolist()  # a nested tensor, for example, has none
        return found
    except Exception:  # a thing of the learner's own may raise anything
        raise Fault(said("it returns {}; it must return numbers, in a tensor or a single one.", article(result))) from None


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
        with contextlib.suppress(Exception):
            yield words, answers(wrong, exercise.cases())


def raised(exercise, fault):
    """Return the text of a Fault; where it came from an exception that a known mistake raises, too, with the hint for that."""
    error = fault.__cause__
    alike = (words for words, wrong in exercise.wrong if error and stops_alike(wrong, exercise.cases(), error))
    words = next(alike, None)
    if words is None:
        return str(fault)
    line = first_line(error).rstrip(".")
    often = said("One mistake that ends like this: {}", said(words))
    return said("it stopped with {}: {}", type(error).__name__, f"{line}. {often}" if line else often)


def stops_alike(wrong, cases, error):
    """Whether a known mistake ends in the same exception."""
    try:
        answers(wrong, cases)
    except Exception as other:
        return type(other) is type(error) and first_line(other) == first_line(error)
    return False


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
