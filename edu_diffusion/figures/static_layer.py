"""The static layer of an explorer's figure: drawn once, then cached."""

from typing import NamedTuple

import numpy as np

from .artists import pixels_of
from .style import canvas

__all__ = ["StaticLayer", "static_layer"]

MOST = 16  # how many static layers are cached
CACHE: dict = {}


class StaticLayer(NamedTuple):
    """A static layer: the part of a figure that does not change from one picture to the next."""

    pixels: np.ndarray  # (H, W, 4), uint8
    at: object  # a function: a point of its axes -> its position in pixels from the top-left corner
    ends: tuple  # the highest and the lowest y of its axes


def static_layer(key, wide, high, paint):
    """Return the static layer that paint(fig) draws on a page of wide x high pixels; paint returns its axes.

    key: everything it depends on, hashable: for an equal key it is drawn once, as long as it is in the cache.
    """
    if key not in CACHE:
        fig = canvas(wide, high, "none")
        axes = paint(fig)
        pixels = pixels_of(fig).copy()
        while len(CACHE) >= MOST:
            CACHE.pop(next(iter(CACHE)), None)
        CACHE[key] = StaticLayer(pixels, placing(axes, high), axes.get_ylim()[::-1])
    return CACHE[key]


def placing(axes, high):
    """Return the function from a point of the axes to its position on the page; it does not keep the axes alive."""
    place = axes.transData.frozen()

    def at(x, y):
        across, up = place.transform((x, y))
        return across, high - up

    return at
