"""Exercises: the correct answer, the known mistakes, and a hint for each of them.

    check("q_sample", my_q_sample)      # in a lesson's cell: prints "Right" or "Not yet" and a hint
    verdict("q_sample", my_q_sample)    # the same for a grader: Verdict(right, words)

Each exercise is declared once, as an Exercise; lessons, tests and graders take it from EXERCISES.
A learner's function may do anything: careful.py and limits.py keep it from harming the notebook. It has ten seconds.
"""

from collections.abc import Callable

from ..errors import EduError
from . import clip, control, denoise, edit, guidance, lora, noise, personalize, samplers, style, unet, vae
from .exercise import Exercise, Verdict, judged

__all__ = ["EXERCISES", "Exercise", "Verdict", "check", "verdict"]

EXERCISES = {
    e.name: e
    for e in [
        *guidance.EXERCISES,
        *noise.EXERCISES,
        *denoise.EXERCISES,
        *samplers.EXERCISES,
        *vae.EXERCISES,
        *clip.EXERCISES,
        *edit.EXERCISES,
        *personalize.EXERCISES,
        *lora.EXERCISES,
        *style.EXERCISES,
        *unet.EXERCISES,
        *control.EXERCISES,
    ]
}


def verdict(name: str, mine: Callable | None) -> Verdict:
    """Return the Verdict(right, words) on a learner's function; right is None while there is no function.

    name: of an exercise; an unknown one raises EduError. mine: the function; nothing that it raises is raised here, except
    the user's own Ctrl-C.
    """
    if name not in EXERCISES:
        raise EduError(f"There is no exercise {name!r}; the exercises are {', '.join(EXERCISES)}.")
    return judged(EXERCISES[name], mine)


def check(name: str, mine: Callable | None) -> None:
    """Print the verdict on a learner's function; mine: the function, or None while it is not written."""
    print(verdict(name, mine).words)
