"""The reverse process at one step: the noisy picture, the guess, the noise, and the end; one run or two."""

import textwrap
from typing import NamedTuple

import numpy as np

from .artists import mark
from .picture import picture
from .style import GAP, INK, LIGHT, ORANGE, PAPER, QUIET, SIGNED, SMALL, array, canvas, fill, place, write

__all__ = ["Moment", "timeline"]

EDGE = 192  # pixels: the edge of a picture at most
TITLES = ["what there is, x_t", "the guess, x_0", "the predicted noise", "the end"]


class Moment(NamedTuple):
    """One run at one step."""

    words: str
    noisy: object  # (3, H, W) in [-1, 1], the decoded latent
    clean: object  # (3, H, W), what the model takes the finished picture to be
    eps: object  # (C, h, w), the noise it predicts
    result: object  # (3, H, W), the finished picture


def timeline(moments, levels, i, swap=None):
    """What there is at step i, the guess, the predicted noise and the end, one row for each run.

    moments: one or two of Moment. levels: the level t of every step. i: the step shown, counted from 0.
    swap: the step at which the second run's prompt was swapped, or None. Returns a Picture.
    """
    if not moments or not 0 <= i < len(levels):
        raise ValueError(f"There are {len(moments)} runs, and the step is {i} of {len(levels)}; "
                         f"give at least one run, and a step from 0 to {len(levels) - 1}.")
    wide, high = fitted(moments[0].clean, EDGE)
    width, row = max(4 * (wide + GAP) + GAP, 560), high + 28
    fig = canvas(width, 88 + len(moments) * row)
    write(fig, GAP, 12, f"step {i + 1} of {len(levels)}: level t = {levels[i]}", ha="left")
    ruler(fig, GAP, 24, width - 2 * GAP, levels, i, swap)
    for c, title in enumerate(TITLES):
        write(fig, GAP + c * (wide + GAP) + wide / 2, 74, title, SMALL, color=QUIET)
    for r, moment in enumerate(moments):
        y = 86 + r * row
        panels = [moment.noisy, moment.clean, None, moment.result]
        for c, pixels in enumerate(panels):
            x = GAP + c * (wide + GAP)
            if pixels is None:
                mosaic(fig, moment.eps, x, y, wide, high)
            else:
                place(fig, pixels, x, y, wide, high)
        words = textwrap.shorten(f"{moment.words}; {told(moment)}", width // 7, placeholder="...")
        write(fig, GAP, y + high + 12, words, SMALL, ha="left")
    return picture(fig, f"Step {i + 1} of {len(levels)}, level t = {levels[i]}. "
                        + " ".join(f"{m.words}: the noisy picture, and {told(m)}." for m in moments)
                        + apart(moments, swap))


def told(moment):
    return f"guess and end differ by {distance(moment.clean, moment.result):.2f} on average"


def apart(moments, swap):
    """Sentences on how two runs differ."""
    if len(moments) < 2:
        return ""
    a, b = moments[:2]
    swapped = f" The second run's prompt is swapped at step {swap + 1}." if swap is not None else ""
    return (f" The two guesses differ by {distance(a.clean, b.clean):.2f}, "
            f"the two ends by {distance(a.result, b.result):.2f}.{swapped}")


def distance(a, b):
    """Mean difference of two pictures, from 0 to 2."""
    return np.abs(array(a) - array(b)).mean()


def ruler(fig, x, y, width, levels, i, swap):
    """A line with a dot for every step, from noise to picture."""
    n, line, below = len(levels), y + 13, y + 28
    steps = x + width * (np.arange(n) + 0.5) / n
    mark(fig, steps[[0, -1]], [line, line], color=LIGHT, linewidth=3, zorder=0)
    mark(fig, steps, np.full(n, line), "o", color=QUIET, markersize=min(5, 300 / n))
    mark(fig, steps[[i]], [line], "o", color=ORANGE, markersize=11, markeredgecolor=INK)
    write(fig, steps[0], below, "noise", SMALL, QUIET, ha="left")
    write(fig, steps[-1], below, "picture", SMALL, QUIET, ha="right")
    if swap is not None:
        between, left = x + width * swap / n, swap < n / 2
        mark(fig, [between, between], [y, y + 34], "--", color=INK, linewidth=1.5)
        write(fig, between + (3 if left else -3), below, "prompt swapped", SMALL, ha="left" if left else "right")


def fitted(image, most):
    """Width and height in pixels for a picture: a whole multiple of its own if it is small, else `most`."""
    height, width = image.shape[-2:]
    longer = max(height, width)
    scale = most // longer if longer <= most else most / longer
    return round(width * scale), round(height * scale)


def mosaic(fig, z, x, y, wide, high, limit=3.0):
    """The channels of a latent (C, h, w) side by side in a square: purple below zero, orange above."""
    columns = int(np.ceil(len(z) ** 0.5))
    lines = -(-len(z) // columns)
    for k, channel in enumerate(array(z)):
        left, top = x + k % columns * wide / columns, y + k // columns * high / lines
        place(fig, channel, left, top, wide // columns, high // lines, SIGNED, -limit, limit)
    for k in range(1, columns):
        fill(fig, x + k * wide / columns - 1, y, 2, high, PAPER)
    for k in range(1, lines):
        fill(fig, x, y + k * high / lines - 1, wide, 2, PAPER)
