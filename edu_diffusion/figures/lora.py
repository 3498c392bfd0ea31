"""The effect of an adapter: the picture without it and with it, and how much each block's output changes."""

from collections.abc import Sequence

from .hints import Array
from .rendering import Picture, picture
from .style import BLUE, GAP, INK, LIGHT, QUIET, SMALL, canvas, panel, rgb, show, write

__all__ = ["adapted", "change_bars"]

ROW = 22  # pixels for each bar
NAMES = 130  # pixels: the width of the column of names
LENGTH = 260  # the longest bar: with two pictures of 256 pixels it fits a page 1024 pixels wide
END = 60  # the number after it


def change_bars(names: Sequence[str], changes: Sequence[float], title: str = "relative change of each block's output") -> Picture:
    """Show a bar for each block: the relative change of its output.

    names: N blocks. changes: N numbers >= 0, such as ||after - before|| / ||before||. Returns a Picture.
    """
    fig = canvas(NAMES + LENGTH + END, 40 + ROW * len(names))
    bars(fig, 0, 0, names, changes, title)
    return picture(fig, f"{title}: {told(names, changes)}.")


def adapted(
    before: Array, after: Array, labels: Sequence[str], names: Sequence[str], changes: Sequence[float], scale: int = 4
) -> Picture:
    """Show the picture without an adapter and with it, and beside them the bars of change_bars.

    before, after: (3, H, W) in [-1, 1]. labels: their two names. names, changes: of the blocks.
    Returns a Picture.
    """
    edge = before.shape[-1] * scale
    left = 2 * (edge + GAP) + GAP
    fig = canvas(left + NAMES + LENGTH + END, max(edge + 30 + GAP, 40 + ROW * len(names)))
    for i, (image, label) in enumerate(zip((before, after), labels)):
        write(fig, GAP + i * (edge + GAP) + edge / 2, 14, label, SMALL)
        show(fig, rgb(image), GAP + i * (edge + GAP), 30, edge)
    title = "relative change of each block's output, first step"
    bars(fig, left, 0, names, changes, title)
    return picture(
        fig, f"Two pictures of the same prompt and seed: {labels[0]} and {labels[1]}. Beside them, {title}: {told(names, changes)}."
    )


def bars(fig, x, y, names, changes, title):
    """Draw the bars, with their names on the left and their values on the right."""
    if len(names) != len(changes) or not len(names):
        raise ValueError(f"There are {len(names)} blocks and {len(changes)} changes; give one for each.")
    write(fig, x + GAP, y + 14, title, SMALL, ha="left", color=QUIET)
    axes = panel(fig, x + NAMES, y + 30, LENGTH, ROW * len(names))
    most = max(*changes, 1e-9)
    axes.set(xlim=(0, most), ylim=(len(names) - 0.5, -0.5))
    axes.barh(range(len(names)), [most] * len(names), height=0.7, color=LIGHT)
    axes.barh(range(len(names)), changes, height=0.7, color=BLUE)
    for i, (name, change) in enumerate(zip(names, changes)):
        middle = y + 30 + ROW * (i + 0.5)
        write(fig, x + NAMES - 8, middle, name, SMALL, ha="right", color=INK)
        write(fig, x + NAMES + LENGTH + 8, middle, f"{change:.0%}", SMALL, ha="left")


def told(names, changes):
    """Describe all bars in words."""
    return ", ".join(f"{name} {change:.0%}" for name, change in zip(names, changes))
