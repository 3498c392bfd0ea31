"""The reverse process at one denoising step: x_t, predicted x_0, predicted noise and final picture; one run or two."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .artists import mark
from .hints import Array
from .rendering import Picture, picture
from .style import GAP, INK, LIGHT, ORANGE, PAPER, QUIET, SIGNED, SMALL, array, canvas, fill, place, write

__all__ = ["Moment", "timeline"]

EDGE = 192  # pixels: the edge of a picture at most
TITLES = ["noisy x_t", "predicted x_0", "predicted noise", "final picture"]


class Moment(NamedTuple):
    """One run at one step."""

    words: str
    noisy: Array  # (3, H, W) in [-1, 1], the decoded latent
    clean: Array  # (3, H, W), the predicted x_0
    eps: Array  # (C, h, w), the predicted noise
    result: Array  # (3, H, W), the final picture


def timeline(moments: Sequence[Moment], timesteps: Sequence[int], i: int, swap: int | None = None) -> Picture:
    """Show x_t at step i, the predicted x_0, the predicted noise and the final picture, one row for each run.

    moments: one or two of Moment. timesteps: the timestep t of every step. i: the step shown, counted from 0.
    swap: the step at which the second run's prompt was swapped, or None. Returns a Picture.
    """
    if not moments or not 0 <= i < len(timesteps):
        raise ValueError(
            f"There are {len(moments)} runs, and the step is {i} of {len(timesteps)}; "
            f"give at least one run, and a step from 0 to {len(timesteps) - 1}."
        )
    wide, high = fitted(moments[0].clean, EDGE)
    width, row = max(4 * (wide + GAP) + GAP, 560), high + 28
    fig = canvas(width, 88 + len(moments) * row)
    write(fig, GAP, 12, f"step {i + 1} of {len(timesteps)}: timestep t = {timesteps[i]}", ha="left")
    ruler(fig, GAP, 24, width - 2 * GAP, timesteps, i, swap)
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
    return picture(
        fig,
        f"Step {i + 1} of {len(timesteps)}, timestep t = {timesteps[i]}. "
        + " ".join(f"{m.words}: the noisy picture; {told(m)}." for m in moments)
        + apart(moments, swap),
    )


def told(moment):
    return f"predicted x_0 and final picture differ by {distance(moment.clean, moment.result):.2f}"


def apart(moments, swap):
    """Say how two runs differ."""
    if len(moments) < 2:
        return ""
    a, b = moments[:2]
    swapped = f" The second run's prompt is swapped at step {swap + 1}." if swap is not None else ""
    return (
        f" The two predicted x_0 differ by {distance(a.clean, b.clean):.2f}, "
        f"the two final pictures by {distance(a.result, b.result):.2f}.{swapped}"
    )


def distance(a, b):
    """Return the mean absolute difference of two pictures, from 0 to 2."""
    return np.abs(array(a) - array(b)).mean()


def ruler(fig, x, y, width, timesteps, i, swap):
    """Draw a line with a dot for every step, from noise to picture."""
    n = len(timesteps)
    line, below = y + 13, y + 28
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


def fitted(image: Array, most: int) -> tuple[int, int]:
    """Return width and height for a picture: the largest integer multiple that fits `most`, or reduced to `most`."""
    height, width = image.shape[-2:]
    longer = max(height, width)
    scale = most // longer if longer <= most else most / longer
    return round(width * scale), round(height * scale)


def mosaic(fig, z, x, y, wide, high, limit=3.0):
    """Draw the channels of a latent (C, h, w) as tiles of a square: purple below zero, orange above."""
    columns = int(np.ceil(len(z) ** 0.5))
    lines = -(-len(z) // columns)
    for k, channel in enumerate(array(z)):
        left, top = x + k % columns * wide / columns, y + k // columns * high / lines
        place(fig, channel, left, top, wide // columns, high // lines, SIGNED, -limit, limit)
    for k in range(1, columns):
        fill(fig, x + k * wide / columns - 1, y, 2, high, PAPER)
    for k in range(1, lines):
        fill(fig, x, y + k * high / lines - 1, wide, 2, PAPER)
