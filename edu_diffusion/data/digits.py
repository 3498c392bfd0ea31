"""Handwritten digits, 8 x 8 grey pixels: small enough to train on in seconds.

some = batch(64, seed=0)
some.images        # (64, 1, 8, 8) in [-1, 1]: -1 is black paper, 1 is white ink
some.labels        # (64,) from 0 to 9
"""

import functools
import pathlib
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from ..errors import EduError
from .arguments import check_batch
from .checksums import checked

EDGE, CLASSES = 8, 10
SPLITS = ("train", "test")


class Digits(NamedTuple):
    """images (N, 1, 8, 8) in [-1, 1]; labels (N,), integers from 0 to 9."""

    images: torch.Tensor
    labels: torch.Tensor


@functools.cache
def digits(split: str = "train") -> Digits:
    """All digits of a split, "train" (1,437) or "test" (360), always in the same order. Returns Digits.

    The tensors are cached and shared: clone them before you change them. Raises EduError for another split.
    """
    if split not in SPLITS:
        raise EduError(f"There is no split {split!r} of the digits; use 'train' or 'test'.")
    rows = [line.split(",") for line in (root() / "labels.csv").read_text().split()[1:]]
    mine = torch.tensor([name == split for _, name in rows])
    labels = torch.tensor([int(digit) for digit, _ in rows])
    return Digits(sheet(len(rows))[mine], labels[mine])


def batch(n: int, seed: int = 0, split: str = "train") -> Digits:
    """n random digits, the same for the same arguments on every machine. Returns Digits."""
    n, seed = check_batch(n, seed)
    every = digits(split)
    pick = torch.randint(len(every.labels), (n,), generator=torch.Generator().manual_seed(seed))
    return Digits(every.images[pick], every.labels[pick])


def of_class(digit: int, split: str = "train") -> torch.Tensor:
    """All digits of a split with this label: (N, 1, 8, 8)."""
    return digits(split).images[digits(split).labels == digit]


def sheet(count: int) -> torch.Tensor:
    """The first `count` cells of digits.png, row by row: (count, 1, 8, 8) in [-1, 1]."""
    with Image.open(root() / "digits.png") as picture:
        grey = torch.from_numpy(np.array(picture, dtype=np.float32))
    cells = grey.unflatten(0, (-1, EDGE)).unflatten(2, (-1, EDGE)).transpose(1, 2).reshape(-1, 1, EDGE, EDGE)
    return (cells[:count] * 16 / 255).round() / 8 - 1  # exactly 17 grey levels


def root() -> pathlib.Path:
    return checked("digits")
