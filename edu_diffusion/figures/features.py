"""Inside a network: the channels of a feature map as a grid, and the cost of each block as bars."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .artists import paste, resized
from .hints import Array
from .rendering import Picture, picture
from .style import BLUE, GAP, GREEN, INK, ORANGE, QUIET, SIGNED, SMALL, array, canvas, coloured, panel, write

__all__ = ["block_bars", "feature_maps"]

WIDTH = 1000
TILE = 64  # pixels: the edge of one channel at most
COLUMNS = 12


def feature_maps(h: Array, name: str, most: int = 64, limit: float | None = None) -> Picture:
    """Show the channels of one feature map side by side: purple below zero, orange above, white at zero.

    h: (C, height, width), one of a batch. name: of the block. most: only so many channels are drawn, the first
    ones. limit: the value of the darkest colour; None: the 99th percentile of the absolute values. Returns a Picture.
    """
    h = array(h)
    if h.ndim != 3 or not h.size:
        raise ValueError(f"A feature map has the shape {h.shape}; it must be (channels, height, width): x[0] of a batch.")
    limit = limit or max(float(np.quantile(np.abs(h), 0.99)), 1e-12)
    drawn = h[:most]
    left, top = 44, 46
    wide, high = edges(*h.shape[1:])
    lines, columns = -(-len(drawn) // COLUMNS), min(COLUMNS, len(drawn))
    fig = canvas(max(left + columns * (wide + 4) + GAP, 560), top + lines * (high + 4) + GAP)
    write(fig, GAP, 14, f"{name}: {len(drawn)} of {len(h)} channels, {h.shape[1]} x {h.shape[2]}", ha="left")
    scale = f"purple: below zero, orange: above; darkest at {limit:.2g}"
    write(fig, GAP, 33, scale, SMALL, ha="left", color=QUIET)
    for i, tile in enumerate(coloured(drawn, SIGNED, -limit, limit)):
        x, y = left + i % COLUMNS * (wide + 4), top + i // COLUMNS * (high + 4)
        if i % COLUMNS == 0:
            write(fig, left - 6, y + high / 2, str(i), SMALL, ha="right", color=QUIET)
        paste(fig, resized(tile, wide, high), x, y)
    return picture(
        fig,
        f"{len(drawn)} of the {len(h)} channels of {name}, maps of "
        f"{h.shape[1]} x {h.shape[2]}, purple below zero and orange above. "
        f"Values from {h.min():.2g} to {h.max():.2g}, "
        f"mean {h.mean():.2g}; {100 * (h > 0).mean():.0f} % are above zero.",
    )


def edges(height, width):
    """Return the width and height of a tile in pixels."""
    longer = max(height, width)
    scale = TILE // longer if longer <= TILE else TILE / longer
    return max(int(width * scale), 1), max(int(height * scale), 1)


def block_bars(shares: Sequence[Any], title: str = "", note: str = "") -> Picture:
    """Show three bars for each block: parameters, time (with a line from the fastest run to the slowest), memory.

    shares: rows with name, parameters, nbytes (of the output), seconds, low, high, such as those of
    trace.profile. title, note: text above and below. Returns a Picture.
    """
    if not len(shares):
        raise ValueError("There are no blocks to draw; give at least one row.")
    names = [share.name for share in shares]
    left, wide, row = 176, 262, 20
    columns = [
        ("parameters", ORANGE, [s.parameters for s in shares], amount),
        ("time of one run", BLUE, [s.seconds for s in shares], duration),
        ("memory of the output", GREEN, [s.nbytes for s in shares], size),
    ]
    top, high = 58, row * len(shares)
    fig = canvas(WIDTH, top + high + (34 if note else 12))
    write(fig, GAP, 14, title, ha="left")
    for i, name in enumerate(names):
        write(fig, left - 10, top + row * (i + 0.5), name, SMALL, ha="right")
    for c, (words, colour, values, told) in enumerate(columns):
        x = left + c * (wide + 14)
        write(fig, x, 40, f"{words}, {told(sum(values))} in all", SMALL, ha="left", color=QUIET)
        bars(panel(fig, x, top, wide, high), values, colour, told, shares if c == 1 else None)
    write(fig, GAP, top + high + 18, note, SMALL, ha="left", color=QUIET)
    return picture(
        fig,
        f"{title or 'Blocks'}: bars for {len(shares)} block{'s' * (len(shares) > 1)}. "
        + " ".join(largest(words, names, values, told) for words, _, values, told in columns),
    )


def bars(axes, values, colour, told, spread=None):
    """Draw horizontal bars with their values; with a spread, thin lines from the fastest run to the slowest.

    No line is longer than the longest bar, so that one slow run does not make all bars short; its numbers
    are written beside it.
    """
    reach = max(values) or 1
    ends = values
    words = [told(value) for value in values]
    if spread:
        ends = [min(s.high, reach) for s in spread]
        words = [f"{1000 * s.seconds:.1f} ({1000 * s.low:.1f} to {1000 * s.high:.1f}) ms" for s in spread]
        axes.hlines(range(len(values)), [s.low for s in spread], ends, color=INK, linewidth=1.2)
    axes.barh(range(len(values)), values, height=0.7, color=colour, zorder=0)
    for i, (end, text) in enumerate(zip(ends, words)):
        axes.text(end + reach * 0.02, i, text, fontsize=SMALL, color=INK, va="center")
    axes.set(xlim=(0, reach * (2.4 if spread else 1.4)), ylim=(len(values) - 0.5, -0.5))


def largest(words, names, values, told):
    """Return a sentence about the block with the most of something."""
    i, total = int(np.argmax(values)), sum(values) or 1
    part = f"{100 * values[i] / total:.0f} % of {told(sum(values))}"
    return f"Most {words}: {names[i]}, {told(values[i])}, {part}."


def amount(n):
    """Return a count in short form: 1.2 M, 34 k, 56."""
    if n >= 1e6:
        return f"{n / 1e6:.1f} M"
    return f"{n / 1e3:.0f} k" if n >= 1e3 else str(n)


def duration(seconds):
    """Return a time in seconds or milliseconds."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.1f} ms"


def size(n):
    """Return a number of bytes in short form."""
    if n >= 2**20:
        return f"{n / 2**20:.1f} MiB"
    return f"{n / 2**10:.1f} KiB" if n >= 2**10 else f"{n} B"
