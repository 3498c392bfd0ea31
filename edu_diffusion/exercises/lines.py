"""The lines of a right answer, shuffled: for a learner who has never programmed. The check is the same as for written code.

ed.arrange("q_sample")                    # shows the lines, with letters
my_q_sample = ed.arrange("q_sample", "BAC")   # the function made of them in this order
"""

import html
import random
from collections.abc import Callable

import torch

from .. import steps
from ..errors import EduError, said
from .exercise import Exercise

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Lines:
    """The shuffled lines of an exercise, shown as a list with letters."""

    def __init__(self, name: str, lines: list[str]) -> None:
        self.name, self.lines = name, lines

    def __repr__(self) -> str:
        return "\n".join(f"{letter}  {line}" for letter, line in zip(LETTERS, self.lines))

    def _repr_html_(self) -> str:
        rows = "".join(f"<li><code>{html.escape(line)}</code></li>" for line in self.lines)
        label = html.escape(said("The lines of {}, shuffled", self.name))
        return f'<ol type="A" aria-label="{label}" style="font-size:1rem">{rows}</ol>'


def arranged(exercise: Exercise, order: str = "") -> Lines | Callable:
    """Return the shuffled lines of an exercise, or, given an order such as "BAC", the function that they make.

    Letters may be separated by spaces or commas. Raises EduError for an exercise without lines, and for letters that are not
    each used once, or lines that make no function in this order.
    """
    if not exercise.lines:
        raise EduError(said("{} has no lines to arrange; write it as a function.", exercise.name))
    first, *body = exercise.lines
    shown = shuffled(body, exercise.name)
    letters = [letter for letter in order.upper() if letter.isalnum()]
    if not letters:
        return Lines(exercise.name, shown)
    if sorted(letters) != list(LETTERS[: len(body)]):
        raise EduError(said("use each of the letters A to {} once; this is {!r:.40}.", LETTERS[len(body) - 1], order))
    return made(exercise.name, first, [shown[LETTERS.index(letter)] for letter in letters])


def shuffled(lines, name):
    """The lines in an order that is always the same, and not the right one."""
    rng, mixed = random.Random(name), list(lines)
    while mixed == list(lines) and len(lines) > 1:
        rng.shuffle(mixed)
    return mixed


def made(name, first, body):
    """The function of some lines. Python's own `torch` and our steps are what the lines may use."""
    text = "\n".join([first, *body])
    space = {**vars(steps), "torch": torch}
    try:
        exec(compile(text, f"arranged {name}", "exec"), space)  # our own lines only, in the learner's order
    except SyntaxError:
        raise EduError(said("in this order the lines make no function: a line that is indented stands where it cannot.")) from None
    return space[first.removeprefix("def ").split("(")[0]]
