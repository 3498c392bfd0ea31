"""The sentences that a learner may read about an exercise: they are what a language's file translates."""

from typing import Any


def sentences(exercise: Any) -> list[str]:
    """The hints, the praise and the note of an Exercise, Choice or Number, each as it is declared."""
    hints = [*getattr(exercise, "words", {}).values(), *(hint for hint, _ in getattr(exercise, "wrong", ()))]
    return [*hints, *filter(None, (getattr(exercise, name, "") for name in ("praise", "note")))]
