"""Arguments that batches, widgets and the command line share: how many, the seed, steps, guidance. One place says what is allowed.

`steps` imports nothing of ours and checks its own arguments (steps/validate.py); tests/test_data_arguments.py holds both to
the same limits.
"""

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

from ..errors import EduError

MOST = 100_000  # scenes at once: five gigabytes of images
SEEDS = 2**63  # torch takes seeds below it
STEPS = 1, 1000  # sampling steps: the timesteps of the training schedule
GUIDANCE = 0, 30  # beyond it pictures are noise; `steps` takes any finite number
SCALE = 1, 64  # enlargement of a picture that is written
SIDE = 8, 8192  # pixels of one side of a picture: multiples of 8, as every published VAE needs
SIZE_ADVICE = "a multiple of 8 from 8 to 8192, such as 512, or two as in 768x512 (width x height)"


def check_batch(n: int, seed: int = 0) -> tuple[int, int]:
    """n and the seed as Python's own numbers, as torch wants them.

    Raises EduError unless n is a whole number from 1 to MOST and the seed one from 0 to 2**63 - 1.
    """
    if not whole(n) or not 1 <= n <= MOST:
        raise EduError(f"n is {n!r}; it must be a whole number from 1 to {MOST:,}, since all of them are in memory at once.")
    if not is_seed(seed):
        raise EduError(f"The seed is {seed!r}; it must be a whole number from 0 to 2**63 - 1.")
    return int(n), int(seed)


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise EduError for steps, seed, guidance, scale or size of a picture that are out of range; those not given are right.

    size: (height, width) in pixels.
    """
    steps, seed, guidance, scale = (settings.get(name, 1) for name in ("steps", "seed", "guidance", "scale"))
    if not whole(steps) or not within(steps, STEPS):
        raise EduError(f"steps must be 1 to 1000, not {steps}; 20 is a good start")
    if not is_seed(seed):
        raise EduError(f"the seed must be 0 to 2**63 - 1, not {seed}; each seed gives another image")
    if not within(guidance, GUIDANCE):
        raise EduError(f"guidance must be 0 to 30, not {guidance}; 1 is no guidance, more follows the prompt more closely")
    if not whole(scale) or not within(scale, SCALE):
        raise EduError(f"scale must be 1 to 64, not {scale}; 8 gives an image of 512 x 512")
    height, width = settings.get("size", (8, 8))
    if not all(whole(side) and within(side, SIDE) and side % SIDE[0] == 0 for side in (height, width)):
        raise EduError(f"size must be {SIZE_ADVICE}, not {width}x{height}")


def is_seed(value: Any) -> bool:
    """Whether a value is a whole number from 0 to 2**63 - 1."""
    return whole(value) and 0 <= value < SEEDS


def whole(value: object) -> bool:
    """Whether a value is a whole number, of Python or of a library; True and False are not."""
    return hasattr(value, "__index__") and not isinstance(value, bool)


def within(value: Any, ends: tuple[float, float]) -> bool:
    """Whether a value is a finite number between two others, or one of them."""
    number = isinstance(value, Real) and not isinstance(value, bool) or whole(value)
    return number and math.isfinite(value) and ends[0] <= value <= ends[1]
