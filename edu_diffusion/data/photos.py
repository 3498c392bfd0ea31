"""Three photographs that no model here was trained on."""

import torch

from ..errors import EduError
from .checksums import checked
from .pictures import read_picture

NAMES = ("cat", "coffee", "rocket")


def photo(name: str, size: int = 64) -> torch.Tensor:
    """A photograph, "cat", "coffee" or "rocket": (1, 3, size, size) in [-1, 1]. EduError for another name."""
    if name not in NAMES:
        raise EduError(f"There is no photograph {name!r}; there are {', '.join(NAMES)}.")
    return read_picture(checked("photos") / f"{name}.png", size)
