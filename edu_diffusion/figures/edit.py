"""Image editing: a picture before and after, and the effect of the strength."""

import textwrap
from collections.abc import Mapping

import numpy as np

from .hints import Array, Numbers
from .moments import EDGE, fitted
from .rendering import Picture, picture
from .schedule_plots import plot
from .style import AMOUNT, BLUE, GAP, INK, ORANGE, QUIET, SMALL, array, canvas, place, write

__all__ = ["edited", "dial"]

TINT = np.array([int(ORANGE[i : i + 2], 16) / 127.5 - 1 for i in (1, 3, 5)], dtype=np.float32)[:, None, None]


def edited(before: Array, noised: Array, after: Array, words: str, mask: Array | None = None, start: str = "noisy") -> Picture:
    """Show a picture, the noisy start of the sampling loop, its result, and where result and picture differ.

    before, noised, after: (3, H, W) in [-1, 1]. words: what was done. mask: (H, W), 1 where it was regenerated,
    tinted in the first picture; or None. start: the title of the second picture. Returns a Picture.
    """
    x, y = array(before), array(after)
    shift = np.abs(y - x).mean(0)
    panels = [
        ("before" if mask is None else "before, and the mask", x if mask is None else tinted(x, array(mask)), {}),
        (start, noised, {}),
        ("after", y, {}),
        ("what changed", shift, {"cmap": AMOUNT, "vmin": 0, "vmax": 1}),
    ]
    wide, high = fitted(before, EDGE)
    lines = textwrap.wrap(words, 104)[:2]
    fig = canvas(4 * (wide + GAP) + GAP, 28 + high + GAP + 18 * len(lines))
    for i, (title, pixels, colours) in enumerate(panels):
        left = GAP + i * (wide + GAP)
        write(fig, left + wide / 2, 14, title, SMALL, color=QUIET)
        place(fig, pixels, left, 28, wide, high, **colours)
    for i, line in enumerate(lines):
        write(fig, GAP, 28 + high + 14 + 18 * i, line, SMALL, ha="left")
    return picture(
        fig,
        f"{words} Four pictures: before, {start}, after, and a map of what changed: "
        f"{told(shift, None if mask is None else array(mask))}.",
    )


def tinted(x, mask):
    """Return a picture (3, H, W) half tinted orange inside the mask, with the mask's outline drawn."""
    inside = np.pad(mask >= 0.5, 1)
    core = inside[1:-1, :-2] & inside[1:-1, 2:] & inside[:-2, 1:-1] & inside[2:, 1:-1]
    share = np.where(inside[1:-1, 1:-1], np.where(core, 0.5, 1.0), 0.0).astype(np.float32)
    return (1 - share) * x + share * TINT


def told(shift, mask):
    """Say how much changed, separately for inside and outside of a mask."""
    if mask is None:
        return f"{shift.mean():.2f} on average"
    inside = mask >= 0.5
    means = [shift[part].mean() if part.any() else 0.0 for part in (inside, ~inside)]
    exact = "exactly 0" if not shift[~inside].any() else f"{means[1]:.3f}"
    return f"{means[0]:.2f} on average inside the mask, {exact} outside it"


def dial(strengths: Numbers, curves: Mapping[str, Numbers], title: str = "distance to the picture") -> Picture:
    """Plot curves of a metric against the strength: the distance to the picture, or the prompt adherence.

    strengths: numbers in ascending order. curves: {name: numbers}, one for each strength. Returns a Picture.
    """
    fig = canvas(520, 280)
    axes = plot(fig, 60, 36, 430, 190)
    for (name, values), colour, mark in zip(curves.items(), (BLUE, ORANGE, INK), "os^"):
        axes.plot(strengths, values, mark + "-", color=colour, linewidth=2, label=name)
    axes.set_xlabel("strength", fontsize=SMALL)
    axes.set_title(title, fontsize=SMALL, color=INK)
    axes.set_ylim(bottom=0)
    if len(curves) > 1:
        axes.legend(fontsize=SMALL, frameon=False)
    lines = [f"{name}: " + ", ".join(f"{v:.2f}" for v in values) for name, values in curves.items()]
    return picture(fig, f"{title}, for the strengths {', '.join(f'{s:g}' for s in strengths)}. {'; '.join(lines)}.")
