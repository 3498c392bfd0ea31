"""What does not change from one picture of an explorer to the next: painted once, and kept."""

from typing import NamedTuple

import numpy as np

from .artists import pixels_of
from .style import canvas

__all__ = ["Still", "still"]

MOST = 16  # how many of the last ones are kept
KEPT = {}


class Still(NamedTuple):
    """What does not change from one picture to the next."""

    pixels: np.ndarray  # (H, W, 4), uint8
    at: object  # a function: a point of its axes -> its place in pixels from the top-left corner
    ends: tuple  # the highest and the lowest y of its axes


def still(key, wide, high, paint):
    """The Still that paint(fig) makes on a page of wide x high pixels and whose axes it returns.

    key: everything it depends on, hashable: under an equal key it is made once, while it is among the last ones.
    """
    if key not in KEPT:
        fig = canvas(wide, high, "none")
        axes = paint(fig)
        pixels = pixels_of(fig).copy()
        while len(KEPT) >= MOST:
            KEPT.pop(next(iter(KEPT)), None)
        KEPT[key] = Still(pixels, placing(axes, high), axes.get_ylim()[::-1])
    return KEPT[key]


def placing(axes, high):
    """The function that tells where a point of axes is on the page; it does not keep the axes."""
    place = axes.transData.frozen()

    def at(x, y):
        across, up = place.transform((x, y))
        return across, high - up
    return at
