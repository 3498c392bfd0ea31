"""Answers that are not functions: a letter for a multiple-choice question or prediction, and a number."""

from typing import Any, NamedTuple

from ..errors import said
from .exercise import Verdict

LETTERS = "ABCD"
CLOSE = 0.05  # relative: a number that is off by less is called nearly right


class Choice(NamedTuple):
    """A question with the options A to D, asked in the lesson's text.

    right: the right letter. words: for each letter the sentence that a learner gets who chose it; that of a wrong one names the
    misconception and says what the picture or the numbers show instead.
    """

    name: str
    right: str
    words: dict[str, str]
    prediction: bool = False  # asked before a run that then shows the answer


class Number(NamedTuple):
    """A number for the learner to find. wrong: pairs (hint, number that this mistake gives). tolerance: relative."""

    name: str
    right: float
    wrong: tuple
    praise: str
    tolerance: float = 0.01


def chosen(question: Choice, mine: object) -> Verdict:
    """Return the Verdict on a letter; None or "" is no answer yet."""
    letter = mine.strip().strip(".)").upper() if isinstance(mine, str) else mine
    options = sorted(question.words)
    if letter in (None, ""):
        return Verdict(None, said("Nothing to check yet: put {} between the quotes of my_{}.", listed(options), question.name))
    if not isinstance(letter, str) or letter not in question.words:
        return Verdict(False, said("Not yet: answer with one letter, {}; this is {!r:.40}.", listed(options), mine))
    if letter == question.right:
        return Verdict(True, said("Right: {}", said(question.words[letter])))
    return Verdict(False, said("Not {letter}: {words}", letter=letter, words=said(question.words[letter])))


def counted(question: Number, mine: Any) -> Verdict:
    """Return the Verdict on a number; None is no answer yet."""
    if mine is None or mine == "":
        return Verdict(None, said("Nothing to check yet: give my_{} a number.", question.name))
    try:
        value = float(mine)
    except (TypeError, ValueError, RuntimeError):
        return Verdict(False, said("Not yet: my_{} must be a number; this is a {}.", question.name, type(mine).__name__))
    if near(value, question.right, question.tolerance):
        return Verdict(True, said("Right: {}", said(question.praise)))
    known = [pair for pair in question.wrong if near(value, pair[1], question.tolerance)]
    if known:
        words, _ = min(known, key=lambda pair: abs(value - pair[1]))
        return Verdict(False, said("Not yet: {}", said(words)))
    return Verdict(False, said("Not yet: {}", off(value, question.right)))


def near(value, right, tolerance):
    return abs(value - right) <= tolerance * abs(right) + 1e-9


def off(value, right):
    """How far a number is from the right one, without saying it."""
    if value != value or abs(value) == float("inf"):
        return said("this is not a number.")
    if right and value and value / right > 0:
        times = value / right
        if abs(times - 1) < CLOSE:
            return said("{:g} is nearly right: it is off by {:.2g} %.", value, 100 * abs(times - 1))
        if times > 1:
            return said("{value:g} is {times:.3g} times as large as it should be.", value=value, times=times)
        return said("{value:g} is {times:.3g} times too small.", value=value, times=1 / times)
    return said("{:g} has the wrong sign.", value) if right and value else said("{:g} is not it.", value)


def listed(letters):
    return said("{} or {}", ", ".join(letters[:-1]), letters[-1])
