"""Exercises: the correct answer, the known mistakes, and a hint for each of them.

    ed.check("q_sample")              # in a lesson: the verdict on my_q_sample, in a coloured box with a hint
    ed.verdict("q_sample", mine)      # the same for a grader: Verdict(right, words)
    noise_it = ed.use("q_sample")     # the learner's function once it is right, until then ours

Each is declared once, in the file of its lesson, as an Exercise (a function to write), a Choice (a letter) or a Number; lessons,
tests and graders take it from EXERCISES. A learner's function may do anything: careful.py and limits.py keep it from harming
the notebook. It has ten seconds.
"""

import os
from collections.abc import Callable
from typing import Any

from ..errors import EduError, said
from . import (
    bits,
    checkpoints,
    clip,
    compared,
    control,
    denoise,
    edit,
    few_steps,
    guidance,
    lookup,
    lora,
    noise,
    personalize,
    pipeline,
    real_models,
    samplers,
    start,
    style,
    unet,
    vae,
)
from .box import Box
from .choices import Choice, Number, chosen, counted
from .concepts import CONCEPTS
from .exercise import Exercise, Verdict, judged
from .lines import Lines, arranged

__all__ = [
    "CONCEPTS",
    "EXERCISES",
    "LESSONS",
    "Box",
    "Choice",
    "Exercise",
    "Number",
    "Verdict",
    "arrange",
    "check",
    "use",
    "verdict",
]

MODULES = {
    "00_start": start,
    "01_noise": noise,
    "02_denoise": denoise,
    "03_guidance": guidance,
    "04_vae": vae,
    "05_clip": clip,
    "06_unet": unet,
    "07_schedulers": samplers,
    "08_pipeline": pipeline,
    "09_edit": edit,
    "10_lora": lora,
    "11_controlnet": control,
    "12_personalize": personalize,
    "13_style": style,
    "14_compared": compared,
    "15_few_steps": few_steps,
    "16_memory_and_bits": bits,
    "17_checkpoints": checkpoints,
    "18_real_models": real_models,
}
LESSONS = {lesson: [e.name for e in module.EXERCISES] for lesson, module in MODULES.items()}
EXERCISES = {e.name: e for module in MODULES.values() for e in module.EXERCISES}
RIGHT: set[str] = set()  # the names of what this kernel has seen answered right
NOT_GIVEN = object()


def verdict(name: str, mine: object) -> Verdict:
    """Return the Verdict(right, words) on an answer; right is None while there is none.

    name: of an exercise; an unknown one raises EduError. mine: a function, a letter or a number, as the exercise asks; nothing
    that a function raises is raised here, except the user's own Ctrl-C.
    """
    exercise = known(name)
    kinds = {Choice: chosen, Number: counted}
    return kinds.get(type(exercise), judged)(exercise, mine)


def check(name: str, mine: object = NOT_GIVEN) -> Box:
    """Return the verdict on an answer as a coloured Box, with a hint; without `mine`, on the notebook's my_<name>.

    Where nbgrader runs the notebook, anything but a right answer raises AssertionError, since that is what it counts.
    """
    known(name)
    found, trouble = lookup.answer(name) if mine is NOT_GIVEN else (mine, None)
    judgement = spoken(trouble) if trouble else verdict(name, found)
    if judgement.right:
        RIGHT.add(name)
    if not judgement.right and os.environ.get("NBGRADER_EXECUTION"):
        raise AssertionError(judgement.words)
    return Box(judgement, *progress(name))


def use(name: str, mine: Any = NOT_GIVEN) -> Callable:
    """Return the learner's function if it is right, else ours, and print which of them it is.

    name: of an Exercise; a Choice or Number raises EduError. mine: the function; without it, the notebook's my_<name>.
    """
    if not isinstance(known(name), Exercise):
        raise EduError(said("{} is no function; `use` takes the name of a function to write.", name))
    found, _ = lookup.answer(name) if mine is NOT_GIVEN else (mine, None)
    judgement = verdict(name, found)
    if judgement.right:
        print(said("From here on your my_{} is used.", name))
        return found
    if judgement.right is None:
        print(said("From here on our own function is used: my_{} is not written yet.", name))
    else:
        print(said("From here on our own function is used: my_{} is not right yet.", name))
    return known(name).reference


def arrange(name: str, order: str = "") -> Lines | Callable:
    """Show the lines of a right answer, shuffled and lettered; with an order such as "BAC", return the function they make.

    Raises EduError where an exercise has no such lines, or the letters are not each used once.
    """
    return arranged(known(name), order)


def known(name):
    """The exercise of a name. Raises EduError where there is none."""
    if name not in EXERCISES:
        raise EduError(said("There is no exercise {!r}; the exercises are {}.", name, ", ".join(EXERCISES)))
    return EXERCISES[name]


def spoken(trouble):
    """The Verdict of an answer that was not found; it is not answered yet, or its cell failed."""
    return Verdict(False if isinstance(trouble, lookup.Failed) else None, trouble)


def progress(name):
    """(how many questions of the same lesson were answered right in this kernel, how many it has)."""
    names = next(names for names in LESSONS.values() if name in names)
    return len(RIGHT.intersection(names)), len(names)
