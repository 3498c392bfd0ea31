"""The cases of an exercise with other numbers: for a grader, so that hard-coded results of a lesson's cases are no answer.

The shapes and the other conditions of a case stay as its author wrote them: only the seeds of its generators change, or, where
nothing is drawn at random, the letters of a text and the whole numbers of a list.
"""

import contextlib
from collections.abc import Callable, Iterator
from unittest import mock

import torch

__all__ = ["other_cases"]

MANUAL_SEED = torch.manual_seed


def other_cases(cases: Callable[[], list], seed: int, vary: bool = False) -> Callable[[], list]:
    """Return a function like `cases` that makes lists of arguments of the same shapes with other numbers.

    seed: 1 or more; the same one gives the same numbers, here and in another process. vary: change texts and whole numbers, too,
    for cases that draw nothing at random.
    """

    def made():
        with other_seeds(seed):
            found = cases()
        return [tuple(varied(value, seed) for value in case) for case in found] if vary else found

    return made


@contextlib.contextmanager
def other_seeds(seed: int) -> Iterator[None]:
    """Within the block every seed that is given to torch is larger by `seed`."""

    class Shifted(torch.Generator):
        def manual_seed(self, own):
            return super().manual_seed(own + seed)

    with mock.patch.object(torch, "Generator", Shifted):
        with mock.patch.object(torch, "manual_seed", lambda own: MANUAL_SEED(own + seed)):
            yield


def varied(value, seed):
    """Return an argument with other letters or whole numbers of the same kind; anything else as it is."""
    if isinstance(value, str):
        return "".join(letter(sign, seed) for sign in value)
    if torch.is_tensor(value) and value.dtype == torch.int64:
        return value + 1 + seed % 7  # few more: in float32 the cosine of a large number is less exact
    if isinstance(value, list) and all(type(entry) is int for entry in value):
        return [entry + seed for entry in value]
    return value


def letter(sign, seed):
    """Another letter of the alphabet, large or small as before; other signs as they are."""
    first = "a" if "a" <= sign <= "z" else "A" if "A" <= sign <= "Z" else ""
    return chr((ord(sign) - ord(first) + 1 + seed % 25) % 26 + ord(first)) if first else sign
